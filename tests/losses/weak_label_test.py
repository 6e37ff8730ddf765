"""Weak labels: hand calculations, and what the classifier may learn from."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from asteroid_bimodal.losses import WeakLabelLoss


def classifier(size=20, n_classes=3, dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(size, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, n_classes)
    ).to(dtype)


def example(dtype=torch.float32):
    torch.manual_seed(1)
    est = torch.randn(2, 3, 20, dtype=dtype)
    labels = torch.tensor([[0, 1, 2], [2, 0, 0]])
    active = torch.tensor([[True, True, False], [True, False, True]])
    return est, labels, active


def test_terms_by_hand():
    est, labels, active = example()
    net = classifier()
    mixture = torch.randn(2, 20)
    terms = WeakLabelLoss(net, 0.5)(est, labels, mixture, active)
    classes = consistency = 0.0
    for b in range(2):
        rest, leaked = mixture[b].clone(), 0.0
        for s in range(3):
            probability = net(est[b, s][None]).sigmoid()[0]
            truth = torch.zeros(3)
            if active[b, s]:
                truth[labels[b, s]] = 1.0
                rest -= est[b, s]
            else:
                leaked += est[b, s].abs().mean()
            classes += F.binary_cross_entropy(probability, truth).item() / 6
        consistency += (rest.abs().mean() + leaked).item() / 2
    assert terms.classes.item() == pytest.approx(classes, rel=1e-5)
    assert terms.mixture.item() == pytest.approx(consistency, rel=1e-5)
    assert terms.labels.item() == 0
    assert terms.total.item() == pytest.approx(classes + 0.5 * consistency, rel=1e-5)


def test_softmax_is_cross_entropy_of_the_active():
    est, labels, active = example()
    net = classifier()
    terms = WeakLabelLoss(net, activation="softmax", reduction="none")(est, labels, active=active)
    for b in range(2):
        kept = active[b]
        expected = F.cross_entropy(net(est[b][kept]), labels[b][kept])
        assert terms.total[b].item() == pytest.approx(expected.item(), rel=1e-5)


def test_exact_parts_have_no_mixture_term():
    est, labels, active = example()
    est[~active] = 0
    terms = WeakLabelLoss(classifier())(est, labels, est.sum(1), active)
    assert terms.mixture.item() == pytest.approx(0, abs=1e-6)


def test_frozen_classifier_stays_frozen_and_in_eval_mode():
    est, labels, _ = example()
    loss = WeakLabelLoss(classifier()).train()
    before = {name: tensor.clone() for name, tensor in loss.classifier.state_dict().items()}
    est.requires_grad_()
    loss(est, labels, est.detach().sum(1)).total.backward()
    assert est.grad.abs().sum() > 0
    assert all(p.grad is None for p in loss.classifier.parameters())
    after = loss.classifier.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert loss.training and not loss.classifier.training


def test_joint_classifier_learns_from_mixtures_only():
    est, labels, active = example()
    loss = WeakLabelLoss(classifier(), joint=True)
    est.requires_grad_()
    mixture = torch.randn(2, 20)
    terms = loss(est, labels, mixture, active)
    (from_estimates,) = torch.autograd.grad(terms.classes, est, retain_graph=True)
    assert from_estimates.abs().sum() > 0
    unused = torch.autograd.grad(
        terms.classes + terms.mixture,
        list(loss.classifier.parameters()),
        retain_graph=True,
        allow_unused=True,
    )
    assert all(grad is None for grad in unused)
    terms.labels.backward()
    assert loss.classifier[0].weight.grad.abs().sum() > 0


def test_joint_running_statistics_are_those_of_mixtures():
    est, labels, active = example()
    mixture = torch.randn(2, 20)
    loss, alone = WeakLabelLoss(classifier(), joint=True), classifier()
    loss(est, labels, mixture, active)
    alone(mixture)
    assert torch.equal(loss.classifier[1].running_mean, alone[1].running_mean)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_joint_label_term_by_hand(activation):
    est, labels, active = example()
    net = classifier().eval()
    mixture = torch.randn(2, 20)
    loss = WeakLabelLoss(net, joint=True, activation=activation).eval()
    truth = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    if activation == "sigmoid":
        expected = F.binary_cross_entropy_with_logits(net(mixture), truth)
    else:
        expected = F.cross_entropy(net(mixture), truth / 2)
    value = loss(est, labels, mixture, active).labels
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_spectrograms():
    net = nn.Sequential(nn.Flatten(), nn.Linear(40, 3))
    terms = WeakLabelLoss(net)(
        torch.rand(2, 3, 8, 5), torch.zeros(2, 3, dtype=torch.long), torch.rand(2, 8, 5)
    )
    assert torch.isfinite(terms.total)


def test_gradcheck():
    est, labels, active = example(torch.float64)
    loss = WeakLabelLoss(classifier(dtype=torch.float64))
    mixture = est.sum(1) + 0.3
    total = lambda est: loss(est, labels, mixture, active).total  # noqa: E731
    assert torch.autograd.gradcheck(total, (est.requires_grad_(),))


@pytest.mark.parametrize(
    "change, match",
    [
        (
            {"labels": torch.tensor([[0, 1, 3], [0, 0, 0]])},
            "classes 0 to 2, received values from 0 to 3",
        ),
        ({"labels": torch.zeros(2, 2, dtype=torch.long)}, "labels: expected"),
        ({"labels": torch.zeros(2, 3)}, "integer"),
        ({"active": torch.ones(2, 1, dtype=torch.bool)}, "active: expected"),
        ({"mixture": torch.zeros(2, 19)}, "mixture: expected"),
        ({"est_sources": torch.zeros(2, 20)}, "est_sources: expected"),
        ({"est_sources": torch.full((2, 3, 20), torch.nan)}, "NaN"),
    ],
)
def test_input_errors(change, match):
    est, labels, _ = example()
    with pytest.raises(ValueError, match=match):
        WeakLabelLoss(classifier())(**({"est_sources": est, "labels": labels} | change))


def test_other_errors():
    est, labels, _ = example()
    with pytest.raises(ValueError, match="joint training"):
        WeakLabelLoss(classifier(), joint=True)(est, labels)
    with pytest.raises(ValueError, match="activation"):
        WeakLabelLoss(classifier(), activation="relu")
    with pytest.raises(ValueError, match=r"logits \(rows, classes\)"):
        WeakLabelLoss(nn.Unflatten(1, (4, 5)))(est, labels)
