"""How much a separator helps on pairs of real recordings.

Every pair of recordings of one folder with different labels, and every recording of speech with
those of its folder, is mixed at equal loudness and at other levels, separated by the two labels,
and scored with BSS-eval v3 against the recordings.

    python benchmarks/real_pairs.py recordings/manifest.csv [--model small] [--levels 0 10 -10]

The manifest is a CSV with the columns `path` (relative to it) and `label`. Recordings whose label
the model does not know are left out; of a model without a vocabulary, name the `--labels`.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pandas as pd
import torch
from pairs import Recording, find_pairs, pair_parser, read
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import QueriedSeparator
from asteroid_bimodal.queries.vocabulary import Vocabulary

SPEECH = ("man speaking", "woman speaking")


def main(options: list[str]) -> None:
    """Prints the mean improvement of each kind of sound at each level, and of each label."""
    parser = pair_parser(__doc__.splitlines()[0])
    parser.add_argument("--levels", nargs="+", type=float, default=[0.0])
    parser.add_argument("--share", action="store_true", help="the two queries share the mixture")
    parser.add_argument("--scores", type=Path, help="CSV file for all scores")
    args = parser.parse_args(options)
    model = load_model(args.model).eval()
    names = _names(model.vocabulary)
    pairs = []
    for pair in find_pairs(args, names):
        labels = [names.get(clip.label, clip.label) for clip in pair]
        if len(set(labels)) == 2 and pair[0].kind == pair[1].kind and not set(labels) <= {*SPEECH}:
            pairs.append(pair)
    rows = [
        {**row, "label": names.get(row["label"], row["label"])}
        for pair in tqdm(pairs, disable=None)
        for level in args.levels
        for row in score(model, pair, level, args)
    ]
    scores = pd.DataFrame(rows)
    scores.loc[scores.label.isin(SPEECH), "kind"] = "speech"
    if args.scores:
        scores.to_csv(args.scores, index=False)
    print(f"{args.model}: {len(pairs)} pairs of {scores.path.nunique()} recordings")
    print(summary(scores, ["kind", "label"]).to_string())
    print(summary(scores, ["kind", "level"]).to_string())


def _names(vocabulary: Vocabulary | None) -> dict[str, str]:
    """The label behind each word that a model knows."""
    if vocabulary is None:
        return {}
    return {word: label for label in vocabulary.labels for word in vocabulary.words(label)}


@torch.inference_mode()
def score(
    model: QueriedSeparator, pair: tuple[Recording, Recording], level: float, args: Namespace
) -> list[dict]:
    """Scores both recordings of a pair, the first of which is `level` dB louder."""
    references = torch.stack([read(clip, args.seconds, model.sample_rate) for clip in pair])
    references = references * 10 ** (torch.tensor([[level], [-level]]) / 40)
    mixture = references.sum(0)
    queries = [args.prompt.format(clip.label) for clip in pair]
    spectra = model.separate_spectra(mixture[None], model.encode_queries(queries, 1))
    estimates = model.decode(spectra.shared() if args.share else spectra)[0, :, 0]  # (2, T)
    after = bss_eval(estimates, references)
    before = bss_eval(mixture.expand(2, -1), references)
    return [
        {
            "kind": clip.kind,
            "label": clip.label,
            "path": clip.path.name,
            "level": level if index == 0 else -level,
            "sdr": float(after["sdr"][index]),
            "sdr_imp": float(after["sdr"][index] - before["sdr"][index]),
        }
        for index, clip in enumerate(pair)
    ]


def summary(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean SDR and improvement in dB of groups of scores, and the share that is better."""
    groups = scores.groupby(by)
    return pd.DataFrame(
        {
            "SDR": groups.sdr.mean().round(2),
            "improvement": groups.sdr_imp.mean().round(2),
            "better": groups.sdr_imp.apply(lambda gains: f"{(gains > 0).mean():.0%}"),
            "recordings": groups.path.nunique(),
            "scores": groups.size(),
        }
    )


if __name__ == "__main__":
    run_script(main)
