"""What estimates gain where what is above the model's band follows the top of it.

Pairs of recordings above the model's rate, as of real_pairs.py, are mixed at equal loudness and
separated at that rate, and SDR is that of all of the band.

    python benchmarks/extending.py recordings/manifest.csv --rate 16000 --model mini
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from pairs import find_fitting_pairs, heard, known_sounds, pair_parser, read
from tqdm import tqdm

from asteroid_bimodal.dsp.resample import resample
from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model


def main(options: list[str]) -> None:
    """Prints SDR with and without, and how much is above the band."""
    parser = pair_parser(__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=44100, help="of the recordings, in hertz")
    args = parser.parse_args(options)
    model = load_model(args.model).eval()
    sounds, rows = known_sounds(model.vocabulary), []
    for pair in tqdm(find_fitting_pairs(args, sounds), disable=None):
        references = torch.stack([read(clip, args.seconds, args.rate) for clip in pair])
        queries = [args.prompt.format(clip.label) for clip in pair]
        found = [
            model.torch_separate(references.sum(0), queries, sample_rate=args.rate, extend=extend)
            for extend in (False, True)
        ]
        above = references - _band(references, args.rate, int(model.sample_rate))
        # The best that can come of it: all that is above the band, in its place.
        found.append(found[0] + above)
        sdr = [_decibels(references, one - references) for one in found]
        part = _decibels(above, references)
        for number, sound in enumerate(heard(pair, sounds)):
            values = [float(one[number]) for one in sdr]
            rows.append([sound.kind, *values, values[1] - values[0] < -0.01, float(part[number])])
    names = ["kind", "SDR without", "with", "at best", "worse by it", "above the band"]
    table = pd.DataFrame(rows, columns=names)
    for title, some in (("all", table), ("more than -20 dB above", table[table.iloc[:, -1] > -20])):
        print(f"{args.model} at {args.rate} Hz, {title}: {len(some)} scores")
        print(some.groupby("kind").mean().round(2).to_string())


def _band(wav: torch.Tensor, rate: int, model_rate: int) -> torch.Tensor:
    return resample(resample(wav, rate, model_rate), model_rate, rate, length=wav.shape[-1])


def _decibels(wav: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    energies = [one.square().sum(-1).clamp_min(np.finfo(np.float32).tiny) for one in (wav, other)]
    return 10 * (energies[0] / energies[1]).log10()


if __name__ == "__main__":
    run_script(main)
