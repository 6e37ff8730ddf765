import pytest
import torch

from asteroid_bimodal.data.batches import Batch, Example, SemiSupervisedBatch, Skipped, collate


def example(value: float, skipped=()) -> Example:
    return Example(
        mixtures=torch.tensor([[value, 1.0], [2.0, 3.0]]),
        captions=[f"caption {value} {n}" for n in range(2)],
        phrases=[[f"phrase {value} {n} {p}" for p in range(3)] for n in range(2)],
        phrase_weights=torch.ones(2, 3),
        skipped=list(skipped),
    )


def test_collate_keeps_order():
    skipped = Skipped("a.wav", "NaN")
    batch = collate([example(0.0), example(5.0, [skipped])])
    assert batch.mixtures.shape == (2, 2, 2) and batch.phrase_weights.shape == (2, 2, 3)
    assert batch.captions[1] == ["caption 5.0 0", "caption 5.0 1"]
    assert batch.flat_phrases[1][:4] == [f"phrase 5.0 {n}" for n in ("0 0", "0 1", "0 2", "1 0")]
    assert batch.skipped == [skipped]


def test_the_mixture_is_the_sum_of_the_mixtures():
    batch = collate([example(0.0), example(5.0)])
    assert torch.equal(batch.mixture, torch.tensor([[2.0, 4.0], [7.0, 4.0]]))


def test_moves_tensors_and_keeps_the_words():
    batch = collate([example(0.0)])
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert moved.mixtures.device.type == moved.phrase_weights.device.type == "meta"
    assert moved.captions is batch.captions and batch.mixtures.device.type == "cpu"


def test_examples_have_to_be_alike():
    other = Example(torch.zeros(2, 5), ["a", "b"], [["a"], ["b"]], torch.ones(2, 1))
    with pytest.raises(RuntimeError, match="equal size"):
        collate([example(0.0), other])


def test_pinning_copies_tensors_and_keeps_the_words(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)  # needs an accelerator
    batch = collate([example(0.0)])
    pinned = SemiSupervisedBatch(batch, batch).pin_memory().clean
    assert torch.equal(pinned.mixtures, batch.mixtures) and pinned.captions is batch.captions
    assert pinned.mixtures is not batch.mixtures
