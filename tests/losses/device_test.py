"""Every loss gives on a GPU what it gives on a CPU."""

from __future__ import annotations

import pytest
import torch
from asteroid.losses import multisrc_mse, multisrc_neg_sisdr, pairwise_mse
from torch import nn
from torch.nn import functional as F

from asteroid_bimodal.losses import (
    ClapSimilarityLoss,
    CoSeparationLoss,
    HierarchicalReconstructionLoss,
    LogWeightedL1,
    LogWeightedL2,
    MixPITLossWrapper,
    NoiseInvariantLoss,
    TextConditionedMixIT,
    WeakLabelLoss,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
KNOWN = torch.tensor([[0, -1, 1], [-1, -1, -1]])
LABELS = torch.tensor([[0, 1, 2], [2, 0, 0]])


class Scorer(nn.Module):
    sample_rate, logit_scale = 8000, 5.0

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randn(40, 6))

    def embed_audio(self, wav, sample_rate):
        return F.normalize(wav @ self.weight, dim=-1)

    def embed_text(self, texts):
        lengths = torch.tensor([float(len(text)) for text in texts], device=self.weight.device)
        return F.normalize(torch.sin(lengths[:, None] + self.weight[0]), dim=-1)


def classifier():
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 3))


def cases():
    torch.manual_seed(0)
    est, mixtures = torch.rand(2, 3, 8, 5), torch.rand(2, 2, 8, 5)
    waves = torch.randn(2, 3, 40)
    video = torch.tensor([[0, 0, 1], [1, 0, 0]])
    return {
        "l1": (LogWeightedL1(), (est, est.flip(0), est.roll(1))),
        "l2": (LogWeightedL2(), (est, est.flip(0), est.roll(1))),
        "hierarchical": (
            HierarchicalReconstructionLoss(),
            (
                mixtures * 0.9,
                torch.rand(2, 2, 3, 8, 5),
                mixtures,
                mixtures.sum(1),
                est[:, :2, 0, :3],
            ),
        ),
        "mixit mse": (TextConditionedMixIT(multisrc_mse), (est, mixtures, KNOWN)),
        "mixit si-sdr": (
            TextConditionedMixIT(multisrc_neg_sisdr),
            (waves, torch.randn(2, 2, 40), KNOWN),
        ),
        "mixit l1": (
            TextConditionedMixIT(LogWeightedL1(reduction="none")),
            (est, mixtures, KNOWN),
        ),
        "mixpit": (MixPITLossWrapper(pairwise_mse), (mixtures, mixtures.flip(0))),
        "clap": (ClapSimilarityLoss(Scorer(), chunk_size=2), (waves, [["a", "bb", "a"]] * 2)),
        "nit": (NoiseInvariantLoss(), (est, est.flip(0), est.round(), mixtures[:, 0])),
        "weak label": (WeakLabelLoss(classifier()), (est, LABELS, mixtures[:, 0])),
        "joint": (WeakLabelLoss(classifier(), joint=True), (est, LABELS, mixtures[:, 0])),
        "co-separation": (
            CoSeparationLoss(classifier()),
            (est, mixtures, mixtures.sum(1), video, LABELS),
        ),
    }


@pytest.mark.parametrize("name", cases())
def test_gpu_equals_cpu(name):
    loss, args = cases()[name]
    on_cpu = loss(*args)
    on_gpu = loss.to("cuda")(*(a.cuda() if torch.is_tensor(a) else a for a in args))
    on_cpu, on_gpu = (getattr(value, "total", value) for value in (on_cpu, on_gpu))
    assert on_gpu.device.type == "cuda"
    assert on_gpu.item() == pytest.approx(on_cpu.item(), rel=1e-5)
