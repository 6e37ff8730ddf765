"""PyTorch files: read without trusting them, compared with the network they are for."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SCALAR = np.float64(0).__reduce__()[0]  # has been public under changing names
# Training scripts leave scores beside the weights: numbers of NumPy, which are as harmless.
_NUMBERS = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)),
]


def read_tensors(path: Path) -> dict[str, Any]:
    """Reads a PyTorch file of tensors and plain values without running anything that it holds."""
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"Expected tensors and plain values in {path}, found other objects or no PyTorch file "
            "at all; nothing of it was run. Ask for one that torch.load(weights_only=True) reads."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(
            f"Expected a PyTorch file at {path}, found it truncated or of another kind "
            f"({first_line(error)}). Copy or download it again."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"Expected a dictionary in {path}, found {type(content).__name__}.")
    return content


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Any], source: str) -> None:
    """Raises ValueError where saved weights do not fit a network, by name and shape."""
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is unexpected" for name in state if name not in expected]
    for name in (name for name in expected if name in state):
        if not isinstance(state[name], Tensor):
            problems.append(f"{name} is not a tensor")
        elif state[name].shape != expected[name].shape:
            shapes = tuple(state[name].shape), tuple(expected[name].shape)
            problems.append(f"{name} has shape {shapes[0]} instead of {shapes[1]}")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"The weights in {source} do not fit the network: {'; '.join(problems[:3])}{more}."
        )


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, for use in another."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
