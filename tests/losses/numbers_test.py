"""Every public loss is finite, with its gradients, for whatever fits; sizes and content are drawn.

Content is silence, equal sources, masks of exactly 0 and 1, subnormal and large numbers, in every
precision, with and without autocast. What is refused is in `bad_input_test.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from asteroid.losses import multisrc_mse, pairwise_mse, singlesrc_mse
from degenerate import Numbers, dtypes, fills, seeded
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from asteroid_bimodal import losses

CLASSES = 3
NO_LOSSES = {"QuadraticForm", "Scorer"}  # nor are the results, ...Terms


class Scorer:
    """Embeds a sound by its mean, its size and its level, a text by its letters."""

    sample_rate, logit_scale = 8000, 10.0

    def embed_audio(self, wav, sample_rate):
        return torch.stack([wav.mean(-1), wav.abs().mean(-1), wav.norm(dim=-1)], dim=-1)

    def embed_text(self, texts):
        return torch.tensor([[float(len(text)), 1.0, 0.0] for text in texts])


class Classifier(nn.Module):
    """Weights in single precision, for signals of any size."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, CLASSES)

    def forward(self, signals):
        return self.linear(signals.flatten(1).mean(1, keepdim=True))


@dataclass
class Case:
    """A loss of either reduction, arguments that fit, and axes that may be reordered together."""

    build: Callable[[str], Callable]
    arguments: dict[str, Any]
    reorder: list[dict[str, int]] = field(default_factory=list)


@dataclass
class Sizes:
    batch: int
    mixtures: int
    sources: int
    phrases: int
    rest: tuple[int, int]  # frequencies and frames


sizes = st.builds(
    Sizes,
    *(st.integers(1, most) for most in (3, 3, 4, 2)),
    rest=st.tuples(st.integers(1, 3), st.integers(1, 5)),
)


def clap_similarity(n: Sizes, est: Numbers, target: Numbers) -> Case:
    phrases = [[f"{'a' * (1 + s % 2)}" for s in range(n.sources)] for _ in range(n.batch)]
    return Case(
        lambda reduction: losses.ClapSimilarityLoss(Scorer(), reduction=reduction),
        {"est_wavs": est.signals(n.batch, n.sources, n.rest[1]), "phrases": phrases},
    )


def co_separation(n: Sizes, est: Numbers, target: Numbers) -> Case:
    sources = n.mixtures * n.phrases
    mixtures = target.magnitudes(n.batch, n.mixtures, *n.rest)
    return Case(
        lambda reduction: losses.CoSeparationLoss(Classifier(), reduction=reduction),
        {
            "est_masks": est.masks(n.batch, sources, *n.rest),
            "mixtures": mixtures,
            "total": mixtures.float().sum(1).clamp(max=6e4).to(mixtures.dtype),
            "assignment": torch.arange(sources).repeat(n.batch, 1) % n.mixtures,
            "labels": torch.arange(sources).repeat(n.batch, 1) % CLASSES,
        },
        [{"est_masks": 1, "assignment": 1, "labels": 1}],
    )


def hierarchical(n: Sizes, est: Numbers, target: Numbers) -> Case:
    mixtures = target.magnitudes(n.batch, n.mixtures, *n.rest)
    weights = torch.full((n.batch, n.mixtures, n.phrases), 1 / n.phrases, dtype=est.dtype)
    return Case(
        lambda reduction: losses.HierarchicalReconstructionLoss(reduction=reduction),
        {
            "est_captions": est.magnitudes(n.batch, n.mixtures, *n.rest),
            "est_phrases": est.magnitudes(n.batch, n.mixtures, n.phrases, *n.rest),
            "mixtures": mixtures,
            "total": mixtures[:, 0],
            "phrase_weights": weights,
        },
        [
            {"est_phrases": 2, "phrase_weights": 2},
            dict.fromkeys(("est_captions", "est_phrases", "mixtures", "phrase_weights"), 1),
        ],
    )


def log_weighted(loss: type, kind: str) -> Callable[[Sizes, Numbers, Numbers], Case]:
    def build(n: Sizes, est: Numbers, target: Numbers) -> Case:
        shape = (n.batch, n.sources, *n.rest)
        arguments = {
            "est": getattr(est, kind)(*shape),
            "target": getattr(target, kind)(*shape),
            "reference": target.magnitudes(*shape),
        }
        return Case(
            lambda reduction: loss(reduction=reduction), arguments, [dict.fromkeys(arguments, 1)]
        )

    return build


def mixpit(loss_func: Callable, pit_from: str) -> Callable[[Sizes, Numbers, Numbers], Case]:
    def build(n: Sizes, est: Numbers, target: Numbers) -> Case:
        shape = (n.batch, n.mixtures, n.rest[1])
        return Case(
            lambda reduction: losses.MixPITLossWrapper(loss_func, pit_from, reduction=reduction),
            {"est_sources": est.signals(*shape), "mixtures": target.signals(*shape)},
            [{"est_sources": 1}, {"mixtures": 1}],
        )

    return build


def mixit(loss_func: Callable, known: bool) -> Callable[[Sizes, Numbers, Numbers], Case]:
    def build(n: Sizes, est: Numbers, target: Numbers) -> Case:
        sources = max(n.sources, n.mixtures) if known else n.sources
        where = torch.arange(sources).repeat(n.batch, 1) % n.mixtures if known else None
        return Case(
            lambda reduction: losses.TextConditionedMixIT(loss_func, reduction),
            {
                "est_sources": est.signals(n.batch, sources, n.rest[1]),
                "mixtures": target.signals(n.batch, n.mixtures, n.rest[1]),
                "assignment": where,
            },
            [{"est_sources": 1, "assignment": 1}, *([] if known else [{"mixtures": 1}])],
        )

    return build


def noise_invariant(n: Sizes, est: Numbers, target: Numbers) -> Case:
    shape = (n.batch, n.mixtures, *n.rest)
    return Case(
        lambda reduction: losses.NoiseInvariantLoss(reduction=reduction),
        {
            "est_masks": est.masks(*shape),
            "noise_masks": est.masks(*shape),
            "target_masks": target.masks(*shape),
            "reference": target.magnitudes(*shape)[:, 0],
        },
        [{"noise_masks": 1}, {"est_masks": 1, "target_masks": 1}],
    )


def weak_label(activation: str, joint: bool) -> Callable[[Sizes, Numbers, Numbers], Case]:
    def build(n: Sizes, est: Numbers, target: Numbers) -> Case:
        options = {"activation": activation, "joint": joint}
        signals = est.signals(n.batch, n.sources, *n.rest)
        labels = torch.arange(n.sources).repeat(n.batch, 1) % CLASSES
        return Case(
            lambda reduction: losses.WeakLabelLoss(Classifier(), reduction=reduction, **options),
            {
                "est_sources": signals,
                "labels": labels,
                "mixture": target.signals(n.batch, 1, *n.rest)[:, 0],
                "active": labels > 0,
            },
            [dict.fromkeys(("est_sources", "labels", "active"), 1)],
        )

    return build


def contrastive(n: Sizes, est: Numbers, target: Numbers) -> Case:
    rows = n.batch * n.sources
    return Case(
        lambda reduction: (
            lambda **args: losses.bimodal_contrastive(
                **args, logit_scale=10.0, symmetric=True, reduction=reduction
            )
        ),
        {"audio_emb": est.signals(rows, 4), "text_emb": target.signals(rows, 4)},
    )


CASES = {
    "ClapSimilarityLoss": [clap_similarity],
    "CoSeparationLoss": [co_separation],
    "HierarchicalReconstructionLoss": [hierarchical],
    "LogWeightedBCE": [log_weighted(losses.LogWeightedBCE, "masks")],
    "LogWeightedL1": [log_weighted(losses.LogWeightedL1, "signals")],
    "LogWeightedL2": [log_weighted(losses.LogWeightedL2, "signals")],
    "MixPITLossWrapper": [
        mixpit(pairwise_mse, "pw_mtx"),
        mixpit(singlesrc_mse, "pw_pt"),
        mixpit(multisrc_mse, "perm_avg"),
    ],
    "NoiseInvariantLoss": [noise_invariant],
    "TextConditionedMixIT": [
        mixit(multisrc_mse, known=True),
        mixit(multisrc_mse, known=False),
        mixit(losses.LogWeightedL1(reduction="none"), known=False),
    ],
    "WeakLabelLoss": [
        weak_label(activation, joint)
        for activation in ("sigmoid", "softmax")
        for joint in (False, True)
    ],
    "bimodal_contrastive": [contrastive],
}
PUBLIC = [name for name in losses.__all__ if name not in NO_LOSSES and not name.endswith("Terms")]
AUTOCAST = st.sampled_from((None, torch.bfloat16, torch.float16))


def draw_case(name, data) -> Case:
    assert name in CASES, f"Add a case for {name} to CASES."
    n, build = data.draw(sizes), data.draw(st.sampled_from(CASES[name]))
    generator = seeded()
    est, target = (Numbers(data.draw(fills), data.draw(dtypes), generator) for _ in range(2))
    return build(n, est, target)


def per_example(case: Case, arguments: dict[str, Any]) -> torch.Tensor:
    torch.manual_seed(0)  # the classifier's weights
    terms = case.build("none")(**arguments)
    return getattr(terms, "total", terms)


def floats(arguments):
    return {k: v for k, v in arguments.items() if torch.is_tensor(v) and v.is_floating_point()}


@pytest.mark.parametrize("name", PUBLIC)
@given(data=st.data())
def test_value_and_gradients_are_finite_and_the_input_is_as_before(name, data):
    case, autocast = draw_case(name, data), data.draw(AUTOCAST)
    before = {k: v.clone() for k, v in floats(case.arguments).items()}
    leaves = {k: v.requires_grad_() for k, v in floats(case.arguments).items()}
    with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
        values = per_example(case, case.arguments)
    rows = len(next(iter(before.values())))
    assert values.shape == (rows,)
    assert torch.isfinite(values).all(), values
    values.sum().backward()
    for argument, leaf in leaves.items():
        assert torch.equal(leaf, before[argument]), f"{argument} was changed"
        if leaf.grad is not None and not argument.startswith("target"):
            assert leaf.grad.dtype == leaf.dtype and leaf.grad.shape == leaf.shape
            assert torch.isfinite(leaf.grad).all(), argument


@pytest.mark.parametrize("name", PUBLIC)
@given(data=st.data())
def test_order_of_the_batch_and_of_sources_does_not_matter(name, data):
    n, build = data.draw(sizes), data.draw(st.sampled_from(CASES[name]))
    generator = seeded(1)
    est, target = (Numbers(data.draw(fills), torch.float64, generator) for _ in range(2))
    case = build(n, est, target)
    values = per_example(case, case.arguments)
    torch.manual_seed(0)
    mean = case.build("mean")(**case.arguments)
    torch.testing.assert_close(getattr(mean, "total", mean), values.mean())
    of_batch = {k: 0 for k, v in case.arguments.items() if v is not None}
    for axes in (of_batch, *case.reorder):
        moved, order = reordered(case.arguments, axes, generator)
        expected = values[order] if axes is of_batch else values
        torch.testing.assert_close(per_example(case, moved), expected, rtol=1e-6, atol=1e-6)


def reordered(arguments, axes, generator):
    axes = {argument: axis for argument, axis in axes.items() if arguments[argument] is not None}
    first = next(iter(axes))
    value = arguments[first]
    order = torch.randperm(value.shape[axes[first]], generator=generator)
    moved = {
        argument: [value[i] for i in order.tolist()]
        if isinstance(value := arguments[argument], list)
        else value.index_select(axis, order)
        for argument, axis in axes.items()
    }
    return arguments | moved, order
