"""How many examples a step has, and on how many devices: told where a run goes on with others."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, Trainer

from .checkpoints import say


class StepSize(Callback):
    """Records in checkpoints what a step is, and compares it when training goes on.

    Args:
        examples: of an optimiser step, on all devices together.
    """

    def __init__(self, examples: int):
        self.examples, self.devices = examples, 1

    def setup(self, trainer: Trainer, *_: Any, **__: Any) -> None:
        self.devices = trainer.world_size

    def state_dict(self) -> dict[str, Any]:
        return {"examples": self.examples, "devices": self.devices}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if sentence := compare(state_dict, self.state_dict()):
            say(sentence)


def compare(before: dict[str, int], now: dict[str, int]) -> str:
    """Says what is another from here on; nothing where all is as it was.

    Examples:
        >>> compare({"examples": 16, "devices": 1}, {"examples": 16, "devices": 4})
        'Goes on with 4 devices, until here 1; a step is of 16 examples as before.'
        >>> compare({"examples": 16, "devices": 1}, {"examples": 32, "devices": 1})
        'A step is of 32 examples from here on, of 16 before: warm-up and starts count steps.'
    """
    old, new = before["examples"], now["examples"]
    if old != new:
        return (
            f"A step is of {new} examples from here on, of {old} before: warm-up and starts count "
            "steps."
        )
    if before["devices"] == now["devices"]:
        return ""
    return (
        f"Goes on with {now['devices']} devices, until here {before['devices']}; a step is of "
        f"{new} examples as before."
    )
