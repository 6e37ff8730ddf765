"""A worker that ends or hangs is one sentence of a recipe's script."""

import os
import time

import pytest
import torch
from torch.utils.data import Dataset

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.data.loader import ExampleLoader
from asteroid_bimodal.engine.script import run_script


class Broken(Dataset):
    """Reading an item ends the process, or never ends."""

    def __init__(self, fault):
        self.fault = fault

    def __len__(self):
        return 2

    def __getitem__(self, index):
        os._exit(1) if self.fault == "dies" else time.sleep(3600)


@pytest.mark.parametrize(
    ("fault", "timeout", "sentence"),
    [
        # First: PyTorch speaks of a dead worker until its loader is collected.
        ("hangs", 1, r"Error: .* after 1 seconds \(data.timeout\): look whether the disk.*goes on"),
        (
            "dies",
            6,  # a fork server hears of its end, this process when the time is over
            r"Error: DataLoader worker .*memory ran out. Lower data.num_workers.*goes on",
        ),
    ],
)
def test_a_worker_that_does_not_answer(fault, timeout, sentence):
    loader = ExampleLoader(Broken(fault), collate_fn=list, num_workers=1, timeout=timeout)
    with pytest.raises(SystemExit, match=sentence):
        run_script(lambda _: next(iter(loader)))


def test_without_workers_there_is_nothing_to_wait_for():
    assert ExampleLoader(range(2), collate_fn=list, timeout=300).timeout == 0


def test_workers_outlive_epochs_and_see_them_change(tone_set):
    def load(num_workers):
        data = LabelledMixtures(
            tone_set.root / "train.csv", sample_rate=8000, num_samples=2000, epoch_size=4
        )
        return ExampleLoader(data, batch_size=2, collate_fn=collate, num_workers=num_workers)

    here, there = load(0), load(1)
    processes = set()
    for epoch, start in ((0, 0), (1, 0), (1, 2)):
        for loader in (here, there):
            loader.dataset.epoch, loader.dataset.start = epoch, start
        for ours, theirs in zip(here, there, strict=True):
            assert torch.equal(ours.mixtures, theirs.mixtures) and ours.phrases == theirs.phrases
        processes |= {worker.pid for worker in there._iterator._workers}
    assert len(processes) == 1
