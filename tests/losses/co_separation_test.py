"""Co-separation: hand calculations and exact parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from asteroid_bimodal.losses import CoSeparationLoss


def classifier(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(40, 3)).to(dtype)


def example(batch=2):
    torch.manual_seed(1)
    objects = torch.rand(batch, 3, 8, 5, dtype=torch.float64)
    mixtures = torch.stack([objects[:, 0] + objects[:, 1], objects[:, 2]], dim=1)
    video = torch.tensor([[0, 0, 1]] * batch)
    label = torch.tensor([[2, 0, 1]] * batch)
    return objects / objects.sum(1, keepdim=True), mixtures, objects.sum(1), video, label


def test_exact_parts_add_up():
    masks, mixtures, total, video, label = example()
    terms = CoSeparationLoss(classifier())(masks, mixtures, total, video, label)
    assert terms.separation.item() == pytest.approx(0, abs=1e-8)


def test_terms_by_hand():
    _, mixtures, total, video, label = example()
    masks = torch.rand(2, 3, 8, 5, dtype=torch.float64)
    net = classifier()
    terms = CoSeparationLoss(net, 0.3)(masks, mixtures, total, video, label)
    weight = total.log1p().clamp(1e-3, 10)
    first = (weight * (masks[:, 0] + masks[:, 1] - mixtures[:, 0] / total).abs()).mean()
    second = (weight * (masks[:, 2] - mixtures[:, 1] / total).abs()).mean()
    logits = net((masks * total[:, None] + 1e-10).log().flatten(0, 1))
    consistency = F.cross_entropy(logits, label.flatten())
    assert terms.separation.item() == pytest.approx((first + second).item(), rel=1e-6)
    assert terms.consistency.item() == pytest.approx(consistency.item())
    expected = first + second + 0.3 * consistency
    assert terms.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_ratio_is_bounded_where_the_mixture_cancels():
    masks, mixtures, total, video, label = example()
    terms = CoSeparationLoss(classifier())(masks * 0 + 2.5, mixtures, total * 0, video, label)
    # Targets are 5 everywhere: the first pair adds up to them, the second is 2.5 short.
    assert terms.separation.item() == pytest.approx(1e-3 * 2.5)


def test_classifier_and_separator_learn_together():
    masks, mixtures, total, video, label = example()
    loss = CoSeparationLoss(classifier())
    masks.requires_grad_()
    loss(masks, mixtures, total, video, label).total.backward()
    assert masks.grad.abs().sum() > 0
    assert loss.classifier[1].weight.grad.abs().sum() > 0


def test_none_reduction_and_silence():
    masks, mixtures, total, video, label = example()
    masks = (masks * 0).requires_grad_()
    terms = CoSeparationLoss(classifier(), reduction="none")(masks, mixtures, total, video, label)
    assert terms.total.shape == (2,)
    terms.total.sum().backward()
    assert torch.isfinite(masks.grad).all()


def test_gradcheck():
    _, mixtures, total, video, label = example(batch=1)
    masks = torch.rand(1, 3, 8, 5, dtype=torch.float64) + 0.1
    loss = CoSeparationLoss(classifier())
    value = lambda masks: loss(masks, mixtures, total, video, label).total  # noqa: E731
    assert torch.autograd.gradcheck(value, (masks.requires_grad_(),))


@pytest.mark.parametrize(
    "place, value, match",
    [
        (0, torch.rand(2, 8, 5), "est_masks: expected"),
        (0, -torch.ones(2, 3, 8, 5), "est_masks: .*negative"),
        (1, torch.rand(2, 2, 8, 4), "mixtures: expected"),
        (2, torch.rand(2, 1, 8, 5), "total: expected"),
        (3, torch.tensor([[0, -1, 1]] * 2), "video of every object"),
        (3, torch.tensor([[0, 0, 0]] * 2), "none for mixture 1"),
        (3, torch.tensor([[0, 0, 2]] * 2), "received values from 0 to 2"),
        (4, torch.tensor([[0, 0, 3]] * 2), "classes 0 to 2"),
        (4, torch.tensor([[0, 0]] * 2), "labels: expected"),
    ],
)
def test_errors(place, value, match):
    args = list(example())
    args[place] = value
    with pytest.raises(ValueError, match=match):
        CoSeparationLoss(classifier())(*args)
