"""Two processes with half a batch each compute what one does with all of it."""

from __future__ import annotations

import multiprocessing

import pytest
import torch
from half_a_batch import loss_of, rank_of_two


def test_losses_gradients_and_statistics(tmp_path):
    processes = [
        multiprocessing.Process(target=rank_of_two, args=(rank, tmp_path)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    expected = loss_of(range(4), together=False)
    assert (first[0] + second[0]).item() / 2 == pytest.approx(expected[0].item(), rel=1e-12)
    for one, other, whole in zip(first[1:], second[1:], expected[1:], strict=True):
        torch.testing.assert_close(one, whole)
        torch.testing.assert_close(other, whole)
