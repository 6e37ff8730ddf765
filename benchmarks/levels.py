"""Tells how much the level of a recording matters, with a model's `input_level` and without it.

    python benchmarks/levels.py --model mini
    python benchmarks/levels.py --model mini-events --recipe vggsound

The mixtures of the pinned 2-source test list are made quieter and louder. Printed: the mean SDR
improvement at each level.
"""

from __future__ import annotations

import pandas as pd
import torch
from pinned import pinned_parser, read_pinned, scorable
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import load_separator

DECIBELS = (-40, -20, -10, 0, 10, 20)


@torch.inference_mode()
def main(options: list[str]) -> None:
    """Prints a row for each level."""
    args, rest = pinned_parser().parse_known_args(options)
    _, items = read_pinned(args, rest)
    usable = scorable(items)
    own = load_separator(args.model)
    models = {"as it is": load_separator(args.model, input_level=None)}
    if own.input_level is not None:
        models[f"input_level {own.input_level:g}"] = own
    rows = []
    for item in tqdm(usable):
        before = bss_eval(item.mixture.expand_as(item.references), item.references)["sdr"]
        for decibels in DECIBELS:
            gain = 10 ** (decibels / 20)
            for name, model in models.items():
                estimates = model(gain * item.mixture, item.phrases) / gain
                improvements = bss_eval(estimates, item.references)["sdr"] - before
                rows += [{"dB": decibels, "model": name, "sdr": sdr} for sdr in improvements]
    table = pd.DataFrame(rows).pivot_table("sdr", "dB", "model", sort=False)
    print(f"{args.model}, {len(usable)} of {len(items)} mixtures, SDR improvement in dB")
    print(table.round(2).to_string())


if __name__ == "__main__":
    run_script(main)
