"""What the examples of the documentation leave to their readers: data, models, files.

By file and heading: a function of the folder that the examples run in, which gives the names that
the blocks under the heading use without making them.
"""

from __future__ import annotations

from pathlib import Path

import asteroid.masknn
import torch
from asteroid import losses as asteroid_losses
from asteroid.engine.system import System
from asteroid.models import ConvTasNet

from asteroid_bimodal import losses
from asteroid_bimodal.data.download.ledger import Row, open_ledger
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.queries import load_query_encoder
from asteroid_bimodal.scorers import ClapScorer

METRICS = "item,source,label,sdr\n0,0,violin,6.0\n1,0,flute,{sdr}\n2,0,tuba,3.0\n"


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).requires_grad_()


def positive(*shape: int) -> torch.Tensor:
    return noise(*shape).detach().sigmoid().requires_grad_()


def known_mixit(place: Path) -> dict:
    assignment = torch.tensor([[0, 0, 1, 1], [0, -1, -1, 1]])
    return {"mixtures": noise(2, 2, 4000), "assignment": assignment}


def loss_import(place: Path) -> dict:
    return {**known_mixit(place), "est_sources": noise(2, 4, 4000)}


def every_loss(place: Path) -> dict:
    return {**{name: getattr(losses, name) for name in losses.__all__}, **vars(asteroid_losses)}


def text_conditioned(place: Path) -> dict:
    return {**known_mixit(place), "model": lambda wav: noise(2, 4, 4000)}


def similarity(place: Path) -> dict:
    return {
        "ClapScorer": lambda name: ClapScorer("mini"),
        "model": lambda wav: noise(2, 2, 8000),
        "mixture": noise(2, 8000),
    }


def hierarchical(place: Path) -> dict:
    mixtures = positive(2, 2, 8, 6)
    return {
        "est_captions": positive(2, 2, 8, 6),
        "est_phrases": positive(2, 2, 3, 8, 6),
        "mixtures": mixtures,
        "total": mixtures.sum(dim=1),
        "phrase_weights": torch.tensor([[[1.0, 0.5, 0.5], [1.0, 1.0, 1.0]]] * 2),
    }


def magnitudes(place: Path) -> dict:
    return {
        "est_magnitudes": positive(2, 8, 6),
        "est_masks": positive(2, 8, 6),
        "magnitudes": positive(2, 8, 6),
        "mixture_magnitude": positive(2, 8, 6),
    }


def mixpit(place: Path) -> dict:
    return {"mixtures": noise(2, 2, 4000), "model": lambda wav: noise(2, 2, 4000)}


def noise_masks(place: Path) -> dict:
    return {
        "query_masks": positive(2, 2, 8, 6),
        "noise_masks": positive(2, 2, 8, 6),
        "target_masks": positive(2, 2, 8, 6).detach().round(),
        "mixture_magnitude": positive(2, 8, 6),
    }


def weak_labels(place: Path) -> dict:
    return {
        "classifier": torch.nn.Linear(4000, 5),
        "est_sources": noise(2, 3, 4000),
        "labels": torch.tensor([[0, 1, 2], [2, 3, 4]]),
        "mixture": noise(2, 4000),
        "active": torch.tensor([[1, 1, 0], [1, 0, 1]]),
    }


def objects(place: Path) -> dict:
    classifier = torch.nn.Sequential(torch.nn.Flatten(-2), torch.nn.Linear(48, 5))
    mixtures = positive(2, 2, 8, 6)
    return {
        "classifier": classifier,
        "est_masks": positive(2, 3, 8, 6),
        "mixtures": mixtures,
        "total": mixtures.sum(dim=1),
        "assignment": torch.tensor([[0, 0, 1], [0, 1, 1]]),
        "labels": torch.tensor([[0, 1, 2], [2, 3, 4]]),
    }


def stock_recipe(place: Path) -> dict:
    """A filterbank of 512 channels for the first masker, of 64 for the second."""
    data = torch.utils.data.TensorDataset(torch.zeros(1, 800), torch.zeros(1, 2, 800))
    loader = torch.utils.data.DataLoader(data)
    return {
        **{name: getattr(asteroid.masknn, name) for name in ("TDConvNet", "DPRNN")},
        "System": System,
        "ConvTasNet": lambda n_src: ConvTasNet(n_src, n_filters=16, n_blocks=1, n_repeats=1),
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1),
        "train_loader": loader,
        "val_loader": loader,
        "tf_rep": noise(2, 64, 300),
        "query_encoder": lambda phrases: OneSize(load_query_encoder("mini")(phrases)),
        "phrases": [["violin", "flute"], ["tuba", "cello"]],
    }


class OneSize:
    """Embeddings of the mini CLAP, repeated to the 512 numbers of the large one."""

    def __init__(self, query) -> None:
        self.pooled = query.pooled.repeat(1, 1, 512 // query.pooled.shape[-1])


def two_evaluations(place: Path) -> dict:
    for name, sdr in (("ours", 7.5), ("theirs", 5.5)):
        (place / "exp" / name).mkdir(parents=True)
        (place / "exp" / name / "metrics.csv").write_text(METRICS.format(sdr=sdr))
    return {}


def raw_audio(place: Path) -> dict:
    (place / "songs").rename(place / "raw")
    return {}


def videos_gone(place: Path) -> dict:
    """Annotations of one video, of which it is known that it is gone: nobody looks for it."""
    root = place / "data/audiocaps"
    (root / "annotations").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        rows = "audiocap_id,youtube_id,start_time,caption\n"
        rows += f"{number},abcdefghij{number},30,A dog barks\n"
        (root / "annotations" / f"{split}.csv").write_text(rows)
    with open_ledger(root) as ledger:
        path = "audio/abcdefghij2_000030.flac"
        ledger.append(Row(path, "abcdefghij2", 30.0, "gone", "Private video"))
    return {}


def nobody_waits(place: Path) -> dict:
    return {"input": lambda text: ""}


def stereo(place: Path) -> dict:
    return {"model": BiModalUNet.from_pretrained("mini"), "wav": torch.randn(2, 44100)}


STAND_INS = {
    ("README.md", "Use the losses in an Asteroid recipe"): loss_import,
    ("docs/losses.md", "Losses"): every_loss,
    ("docs/losses.md", "TextConditionedMixIT"): text_conditioned,
    ("docs/losses.md", "ClapSimilarityLoss"): similarity,
    ("docs/losses.md", "HierarchicalReconstructionLoss"): hierarchical,
    ("docs/losses.md", "LogWeightedL1, LogWeightedL2 and LogWeightedBCE"): magnitudes,
    ("docs/losses.md", "MixPITLossWrapper"): mixpit,
    ("docs/losses.md", "NoiseInvariantLoss"): noise_masks,
    ("docs/losses.md", "WeakLabelLoss"): weak_labels,
    ("docs/losses.md", "CoSeparationLoss"): objects,
    ("docs/losses.md", "In a stock Asteroid recipe"): stock_recipe,
    ("docs/data.md", "Pinned lists"): two_evaluations,
    ("docs/data.md", "Preparing"): raw_audio,
    ("docs/download.md", "In Python"): videos_gone,
    ("docs/demo.md", "In Python"): nobody_waits,
    ("docs/separate.md", "Channels"): stereo,
}
