"""Tells how much the wording of a query matters: SDR of everyday sounds asked for in several ways.

    python benchmarks/wordings.py --model mini-events

Every source of the pinned 2-source test list of the miniature VGGSound is asked for by the prompt
of training ("The sound of dog barking"), its label ("dog barking"), a clause ("a dog barks"), a
noun phrase ("the barking of a dog") and the word that names it ("dog"). Clauses and noun phrases
are drawn from those that the miniature AudioCaps is written with.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "egs/utils"))  # the miniatures

import pandas as pd
import torch
from miniatures.events_words import WORDS
from pinned import pinned_parser, read_pinned, scorable
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import phrase_prompt


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints the SDR improvement of each way to ask."""
    args, rest = pinned_parser("mini-events", "vggsound").parse_known_args(options)
    conf, items = read_pinned(args, rest)
    model, usable = load_separator(args.model), scorable(items)
    wordings = ways_to_ask(conf.data.prompt, random.Random(0))
    rows = []
    for item in tqdm(usable):
        before = bss_eval(item.mixture.expand_as(item.references), item.references)["sdr"]
        for way, word in wordings.items():
            estimates = model(item.mixture, [word(label) for label in item.labels])
            after = bss_eval(estimates, item.references)["sdr"]
            rows += [{"asked by": way, "sdr_imp": gain} for gain in after - before]
    means = pd.DataFrame(rows).groupby("asked by", sort=False)["sdr_imp"].mean()
    print(f"{args.model}, {len(usable)} of {len(items)} mixtures, SDR improvement in dB")
    print(means.round(2).to_string(header=False))


def ways_to_ask(prompt: str, draw: random.Random) -> dict[str, Callable[[str], str]]:
    """What is asked for a label, by the name of the way."""
    return {
        "prompt": lambda label: phrase_prompt(label, prompt),
        "label": lambda label: label,
        "clause": lambda label: draw.choice(WORDS[label].clauses),
        "noun phrase": lambda label: draw.choice(WORDS[label].nouns),
        "word": lambda label: WORDS[label].heads[0],
    }


if __name__ == "__main__":
    run_script(main)
