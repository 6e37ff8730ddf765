"""How well a separator tells sounds that are there from sounds that are not.

Pairs of recordings, as of real_pairs.py, are mixed at equal loudness, and asked for both of their
labels and for some of the others of their kinds.

    python benchmarks/likelihood.py recordings/manifest.csv --model small [--absent 8]
    python benchmarks/likelihood.py manifest.csv --model exp/mine --fit exp/mine

Printed of each kind: levels, also of estimates through the gate of `separate`; how often a sound
that is there is put above one that is not (half is chance); and of those that are called unlikely,
likely and sure, how many are there, if half of all are. `--fit` fits the calibration to these pairs
and stores it in a model's folder: take recordings of players, places and uploaders of which the
model was trained with none.
"""

from __future__ import annotations

import json
import random
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import torch
from pairs import (
    Recording,
    Sound,
    find_fitting_pairs,
    heard,
    known_sounds,
    pair_parser,
    read,
)
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics.functional.classification import binary_auroc
from tqdm import tqdm

from asteroid_bimodal.engine.script import run_script
from asteroid_bimodal.hub import load_model
from asteroid_bimodal.models import Calibration, QueriedSeparator, Score
from asteroid_bimodal.models.download import CONFIG
from asteroid_bimodal.models.likelihood import gate, mask_features
from asteroid_bimodal.utils.files import atomic_write

FEATURES = ["level", "mask", "spread"]  # of masks
TAG = "tag"  # what the tagger of a model hears, where it has one
FLOOR = -60.0  # dB: what is lower counts as this
WEIGHT_DECAY = 1e-3  # of a regression on standardised features


def main(options: list[str]) -> None:
    """Prints the figures of one model."""
    parser = pair_parser(__doc__.splitlines()[0])
    parser.add_argument("--absent", type=int, default=4, help="of them for each pair")
    parser.add_argument("--fit", type=Path, help="folder of the model that is to keep the fit")
    args = parser.parse_args(options)
    model = load_model(args.model).eval()
    sounds = known_sounds(model.vocabulary)
    if not sounds:
        raise ValueError(f"{args.model} has no vocabulary: it does not say what it knows.")
    pairs = find_fitting_pairs(args, sounds)
    rows = pd.DataFrame(
        row for pair in tqdm(pairs, disable=None) for row in ask(model, pair, sounds, args)
    )
    calibration = model.calibration
    if args.fit:
        calibration = fit(rows)
        store(calibration, args.fit / CONFIG)
        print(calibration)
    print(f"{args.model}: {len(pairs)} pairs, {len(rows)} questions")
    print(summary(rows, calibration).T.to_string())


@torch.inference_mode()
def ask(
    model: QueriedSeparator,
    pair: tuple[Recording, Recording],
    sounds: Mapping[str, Sound],
    args: Namespace,
) -> Iterator[dict]:
    """Asks for the two sounds of a pair, by the words of the manifest, and for some others."""
    there = heard(pair, sounds)
    others = {sound for sound in sounds.values() if sound.kind in {one.kind for one in there}}
    absent = sorted(others - {*there}, key=lambda sound: sound.label)
    absent = random.Random(str(pair)).sample(absent, min(args.absent, len(absent)))
    words = [clip.label for clip in pair] + [sound.label for sound in absent]
    query = model.encode_queries([args.prompt.format(word) for word in words], 1)
    mixture = sum(read(clip, args.seconds, model.sample_rate) for clip in pair)
    spectra = model.separate_spectra(mixture[None], query)
    found = pd.DataFrame(
        mask_features(spectra.gains, spectra.magnitude)[0].tolist(), columns=FEATURES
    )
    if model.tagger is not None:
        found[TAG] = model.tagger(spectra.magnitude, query.pooled)[0].tolist()
    for number, sound in enumerate([*there, *absent]):
        yield {"kind": sound.kind, "there": number < 2, **found.iloc[number]}


def fit(rows: pd.DataFrame) -> Calibration:
    """A logistic regression for which sounds that are there weigh as much as those that are not."""
    columns = [name for name in (*FEATURES, TAG) if name in rows]
    features = torch.tensor(rows[columns].to_numpy(), dtype=torch.float64)
    there = torch.tensor(rows.there.to_numpy(), dtype=torch.float64)
    mean, std = features.mean(0), features.std(0)
    weight = torch.where(there > 0, 0.5 / there.mean(), 0.5 / (1 - there.mean()))
    slopes = torch.zeros(len(columns) + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([slopes], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = ((features - mean) / std) @ slopes[1:] + slopes[0]
        loss = binary_cross_entropy_with_logits(logits, there, weight)
        loss = loss + WEIGHT_DECAY * slopes[1:].square().sum()
        loss.backward()
        return loss

    optimizer.step(loss)
    own = slopes.detach()[1:] / std
    values = [slopes.detach()[0] - own @ mean, *own]
    return Calibration(*(round(float(value), 4) for value in values))


def store(calibration: Calibration, path: Path) -> None:
    """Puts a calibration into the config.json of a saved model, in place of its own."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model_args"]["likelihood"] = calibration.to_dict()
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def summary(rows: pd.DataFrame, calibration: Calibration | None) -> pd.DataFrame:
    """What was found of each kind of sound."""
    kinds = {"all": rows, **dict(tuple(rows.groupby("kind")))}
    return pd.DataFrame({kind: _figures(some, calibration) for kind, some in kinds.items()}).T


def _figures(rows: pd.DataFrame, calibration: Calibration | None) -> dict[str, str]:
    there = torch.tensor(rows.there.to_numpy())
    levels = torch.tensor(rows.level.to_numpy())
    figures = {
        "level of what is there": f"{levels[there].mean():.1f} dB",
        "level of what is not": f"{levels[~there].mean():.1f} dB",
        "right order by level": f"{binary_auroc(levels, there):.1%}",
    }
    if calibration is None:
        return figures
    tag = torch.tensor(rows[TAG].to_numpy()) if TAG in rows else None
    likelihoods = calibration.judge(torch.tensor(rows[FEATURES].to_numpy()), tag)
    gated = (levels + 20 * gate(likelihoods).log10()).clamp_min(FLOOR)
    figures["gated level of what is there"] = f"{gated[there].mean():.1f} dB"
    figures["gated level of what is not"] = f"{gated[~there].mean():.1f} dB"
    lowered = gated[there] < levels[there] - 3
    figures["there, and lowered by more than 3 dB"] = f"{lowered.double().mean():.0%}"
    figures["right order by likelihood"] = f"{binary_auroc(likelihoods, there):.1%}"
    words = [Score(0.0, likelihood).word for likelihood in likelihoods.tolist()]
    for word in ("unlikely", "likely", "sure"):
        called = torch.tensor([one == word for one in words])
        right, wrong = called[there].double().mean(), called[~there].double().mean()
        figures[f"called {word}"] = f"{called.double().mean():.0%}"
        figures[f"{word}, and there"] = f"{right / (right + wrong):.0%}"
    return figures


if __name__ == "__main__":
    run_script(main)
