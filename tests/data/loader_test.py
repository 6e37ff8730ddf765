"""A worker that ends or hangs is one sentence of a recipe's script."""

import os
import time

import pytest
from torch.utils.data import Dataset

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
            3,  # a fork server hears of its end, this process when the time is over
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
