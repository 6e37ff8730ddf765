"""Loads a separator onto a device, both by name."""

from __future__ import annotations

import logging
from os import PathLike

import torch

from ..models import QueriedSeparator, load_separator

_log = logging.getLogger(__name__)


def load_model(
    name: str | PathLike = "small",
    device: str | torch.device | None = None,
    *,
    revision: str | None = None,
) -> QueriedSeparator:
    """Loads a separator, ready to be used.

    Args:
        name: `"small"`, `"mini"` or `"mini-events"` (shipped with the package), an experiment
            folder, another folder or file with a saved model, or `"user/repo"` on the hub.
        device: where to put it; by default a GPU if there is one.
        revision: branch, tag or commit of the repository; `"user/repo@revision"` says the same.

    Returns:
        The model, in eval mode.

    Raises:
        ValueError: for a model that is missing or broken, and for a device that is not there.
    """
    device = find_device(device)  # first: a model may have to be downloaded
    model = load_separator(name, revision=revision).to(device)
    _log.debug("%s: %s at %g Hz, on %s", name, type(model).__name__, model.sample_rate, device)
    return model


def find_device(device: str | torch.device | None = None) -> torch.device:
    """Returns a device that works, by default a GPU if there is one."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        count = torch.cuda.device_count()
        known = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
        raise ValueError(f"There is no device {str(device)!r} here. Available: {known}.") from error
    return torch.device(device)
