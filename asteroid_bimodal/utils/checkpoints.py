"""PyTorch files: read without trusting them, compared with the network they are for."""

from __future__ import annotations

import math
import pickle
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

LARGEST_NUMBER = 1_000_000  # that a configuration has any use for
_PROTOCOLS = (2, 3)  # of pickle, that torch.load(weights_only=True) reads
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
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
    _check_container(path)
    try:
        if zipfile.is_zipfile(path) and not is_whole(path):  # which torch.load would not notice
            raise ValueError("its check sums are wrong")
        with torch.serialization.safe_globals(_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"Expected tensors and plain values in {path}, found other objects or no PyTorch file "
            "at all; nothing of it was run. Ask for one that torch.load(weights_only=True) reads."
        ) from error
    except Exception as error:  # torch's readers raise anything on bytes that nobody would write
        raise ValueError(
            f"Expected a PyTorch file at {path}, found it truncated or of another kind "
            f"({first_line(error)}). Copy or download it again."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"Expected a dictionary in {path}, found {type(content).__name__}.")
    return content


def _check_container(path: Path) -> None:
    """Refuses archives that grow when they are read, and what torch.load cannot read safely."""
    try:
        with path.open("rb") as file:
            head = file.read(2)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                records = archive.infolist()
                pickled = [record for record in records if record.filename.endswith("/data.pkl")]
                if any(record.filename.endswith("/constants.pkl") for record in records):
                    raise ValueError("it is a TorchScript archive, a program: ask for the weights")
                stored = all(record.compress_type == zipfile.ZIP_STORED for record in records)
                if not stored or sum(r.file_size for r in records) > path.stat().st_size:
                    raise ValueError("what it holds is larger than the file, or compressed")
                head = archive.read(pickled[0])[:2] if pickled else b""
        elif head[:1] != pickle.PROTO:
            raise ValueError("it is no PyTorch file, or a damaged one")
        if head[:1] == pickle.PROTO and head[1:] and head[1] not in _PROTOCOLS:
            raise ValueError(
                f"it was written with pickle_protocol={head[1]}, which cannot be read safely, and "
                "nothing of it was run: save it with torch.save's own"
            )
    except Exception as error:
        raise ValueError(
            f"Expected a PyTorch file as torch.save writes it at {path}, but {first_line(error)}."
        ) from error


def check_numbers(config: Mapping[str, Any], source: str) -> None:
    """Raises ValueError for a number, wherever it is, that no model is configured with."""
    for name, value in config.items():
        parts, count = [value], 1
        while parts:
            part = parts.pop()
            if isinstance(part, (list, tuple, Mapping)):
                count += len(part)
                parts += part.values() if isinstance(part, Mapping) else part
            elif isinstance(part, (int, float)) and not abs(part) <= LARGEST_NUMBER:
                count = math.inf
            if count > LARGEST_NUMBER:
                raise ValueError(
                    f"{name} in the configuration of {source} is none of a model: expected finite "
                    f"numbers of at most {LARGEST_NUMBER}."
                )


@contextmanager
def no_larger_than(state: Mapping[str, Any], source: str) -> Iterator[None]:
    """Stops the building of a network, in this thread, that has more weights than there are."""
    stored = {}  # each once, whatever the shapes of tensors say that share it
    for value in state.values():
        if isinstance(value, Tensor) and value.layout == torch.strided:
            memory = value.untyped_storage()
            stored[memory.data_ptr()] = memory.nbytes() // value.element_size()
    # Some weights are replaced while a network is built.
    with at_most(2 * sum(stored.values()), source):
        yield


@contextmanager
def at_most(elements: int, source: str, tensors: int | None = None) -> Iterator[None]:
    """Stops the building of a network, in this thread, that has too many weights."""
    counts, thread = [0, 0], get_ident()

    def count(_module: nn.Module, _name: str, weight: Any) -> None:
        # Called before memory is written to, or is there at all.
        if weight is not None and get_ident() == thread:
            counts[0] += weight.numel()
            counts[1] += 1
            if counts[0] > elements or counts[1] > (tensors or elements):
                raise ValueError(
                    f"The configuration of {source} is that of a larger network than its weights."
                )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def is_whole(path: Path) -> bool:
    """Says whether a file that torch.save wrote is there, to the end and without a changed byte."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError):
        return False


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Any], source: str) -> None:
    """Raises ValueError where saved weights do not fit a network, by name, shape and value."""
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is unexpected" for name in state if name not in expected]
    for name in (name for name in expected if name in state):
        if problem := _misfit(expected[name], state[name]):
            problems.append(f"{name} {problem}")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"The weights in {source} do not fit the network: {'; '.join(problems[:3])}{more}."
        )


def _misfit(expected: Tensor, value: Any) -> str | None:
    if not isinstance(value, Tensor):
        return "is not a tensor"
    if value.shape != expected.shape:
        return f"has shape {tuple(value.shape)} instead of {tuple(expected.shape)}"
    if value.layout != torch.strided or value.is_meta:
        return f"is stored as {value.layout} on {value.device.type}"
    if value.dtype != expected.dtype and not {value.dtype, expected.dtype} <= set(_FLOATS):
        return f"is of {value.dtype} instead of {expected.dtype}"
    if not torch.isfinite(value.to(expected.dtype)).all():
        return "has values that are not finite"
    return None


def count_layers(state: Mapping[str, Tensor], pattern: str) -> int:
    """Counts layers by the numbers in their weights' names, or ValueError where one is missing."""
    found = {int(match[1]) for match in map(re.compile(pattern).fullmatch, state) if match}
    if found != set(range(len(found))) or not found:
        raise ValueError(f"a layer of {pattern} is missing")
    return len(found)


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, for use in another."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
