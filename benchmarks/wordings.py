"""Tells how much the wording of a query matters: SDR by a label against other words for it.

    python benchmarks/wordings.py --model mini
    python benchmarks/wordings.py --model mini-events --recipe vggsound
    python benchmarks/wordings.py --model mini --manifest recordings/manifest.csv --pairs 100

Every source of the recipe's pinned 2-source test list, or of pairs of real recordings, is asked for
by its label and by all other words of the model's vocabulary, or of a vocabulary that is thought
of (`--vocabulary FILE`); also by the prompt of training, by forms of an instrument's name that no
vocabulary lists, and, of the miniature events, by the clauses and noun phrases that the miniature
AudioCaps is written with. A line for each way to ask: how many dB of SDR improvement a source loses
by it, in the mean over sources.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "egs/utils"))  # the miniatures

import pandas as pd
import torch
from miniatures.events_words import WORDS
from pairs import find_pairs, read
from pinned import pinned_parser, read_pinned, scorable
from torch import Tensor
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import bss_eval, bss_evals
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import UnknownSoundWarning, Vocabulary, phrase_prompt
from asteroid_bimodal.queries.vocabulary import read_vocabulary

LABEL = "the label"
FORMS = ("a {}", "{}s", "someone plays the {}")
INSTRUMENTS = "instruments"  # the kind whose names have these forms


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the SDR improvement of each way to ask."""
    parser = pinned_parser()
    parser.add_argument("--vocabulary", help="YAML of kinds, labels and other words")
    parser.add_argument("--manifest", type=Path, help="CSV of real recordings, to mix in pairs")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a pair")
    parser.add_argument("--pairs", type=int, default=1000, help="take no more, evenly spread")
    args, rest = parser.parse_known_args(options)
    model = load_separator(args.model)
    known = read_vocabulary(args.vocabulary) if args.vocabulary else model.vocabulary
    if known is None:
        raise ValueError(f"{args.model} has no vocabulary: give one by --vocabulary.")
    warnings.simplefilter("ignore", UnknownSoundWarning)  # candidates are not known yet
    rows = []
    for references, labels in mixtures(args, rest, known, model.sample_rate):
        asked = [ways_to_ask(label, known) for label in labels]
        estimates = model(references.sum(0), [text for ways in asked for text in ways.values()])
        parts = estimates.split([len(ways) for ways in asked])
        for label, ways, found, reference in zip(labels, asked, parts, references, strict=True):
            scores = bss_evals((estimate[None], reference[None]) for estimate in found)
            sdr = dict(zip(ways, (float(score["sdr"][0]) for score in scores), strict=True))
            before = float(bss_eval(references.sum(0)[None], reference[None])["sdr"][0])
            rows += [
                {
                    "label": label,
                    "asked by": way,
                    "sdr_imp": sdr[way] - before,
                    "loses": sdr[LABEL] - sdr[way],
                }
                for way in sdr
            ]
    print_table(pd.DataFrame(rows), args.model)


def mixtures(
    args: argparse.Namespace, rest: list[str], known: Vocabulary, sample_rate: float
) -> Iterator[tuple[Tensor, list[str]]]:
    """Yields references (2, T) and their labels, of pairs of real recordings or of the list."""
    if args.manifest:
        args.labels = known.labels
        for pair in tqdm(find_pairs(args)):
            clips = [read(clip, args.seconds, sample_rate) for clip in pair]
            yield torch.stack(clips), [clip.label for clip in pair]
    else:
        for item in tqdm(scorable(read_pinned(args, rest)[1])[: args.pairs]):
            yield item.references, item.labels


def ways_to_ask(label: str, known: Vocabulary) -> dict[str, str]:
    """What is asked for a label, by the name of the way."""
    ways = {LABEL: label, "the prompt": phrase_prompt(label)}
    if known.kind(label) == INSTRUMENTS:
        ways |= {form.replace("{}", "…"): form.format(label) for form in FORMS}
    if label in WORDS:
        texts = {"a clause": WORDS[label].clauses, "a noun phrase": WORDS[label].nouns}
        ways |= {f"{way} {n}": text for way, some in texts.items() for n, text in enumerate(some)}
    return ways | {word: word for word in known.words(label)[1:]}


def print_table(rows: pd.DataFrame, model: str) -> None:
    """Prints the ways that all labels have, then each word."""
    rows["asked by"] = rows["asked by"].str.rstrip(" 0123456789")
    shared = rows.groupby("asked by")["label"].nunique() > 1
    is_shared = rows["asked by"].map(shared)
    count = len(rows[rows["asked by"] == LABEL])
    print(f"{model}, {count} sources: SDR improvement by each wording, and what it loses, in dB")
    columns = ["sdr_imp", "loses"]
    print(rows[is_shared].groupby("asked by", sort=False)[columns].mean().round(2).to_string())
    words = rows[~is_shared].groupby(["label", "asked by"])[columns].agg(["mean", "count"])
    words = words.drop(columns=("sdr_imp", "count")).round(2)
    if len(words):
        print(f"\nOther words: they lose {rows[~is_shared]['loses'].mean():.2f} dB in the mean")
        print(words.to_string())


if __name__ == "__main__":
    run_script(main)
