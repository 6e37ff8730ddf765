"""Separating whatever a user has: tensors, arrays and files, of any rate and number of channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..dsp.resample import resample
from ..utils.audio_file import read_audio

if TYPE_CHECKING:
    from .queried import QueriedSeparator


def separate(
    model: QueriedSeparator,
    wav: Tensor | np.ndarray | str | PathLike,
    queries: Any,
    *,
    sample_rate: float | None = None,
) -> Tensor | np.ndarray:
    """Does what `QueriedSeparator.separate` says.

    Args:
        model: the separator.
        wav: samples or an audio file.
        queries: as for `QueriedSeparator.forward`.
        sample_rate: of samples, by default the model's; a file knows its own.
    """
    if isinstance(wav, (str, PathLike)):
        samples, file_rate = read_audio(wav)
        if sample_rate is not None and sample_rate != file_rate:
            raise ValueError(
                f"Expected no sample_rate for a file or that of the file, {file_rate} Hz, received "
                f"{sample_rate}. Leave it out."
            )
        return _separate_tensor(model, samples.unsqueeze(0), queries, file_rate)[0]
    rate = model.sample_rate if sample_rate is None else sample_rate
    if isinstance(wav, np.ndarray):
        return _separate_tensor(model, torch.from_numpy(wav), queries, rate).numpy()
    if isinstance(wav, Tensor):
        return _separate_tensor(model, wav, queries, rate)
    raise ValueError(
        f"Expected a tensor, a numpy array or the path of an audio file, received "
        f"{type(wav).__name__}."
    )


def check_wav(wav: Tensor) -> Tensor:
    """Returns samples that can be separated.

    Args:
        wav: (T,), (B, T) or (B, C, T).

    Raises:
        ValueError: for another shape, for integers, and for NaN or infinite samples.

    Examples:
        >>> check_wav(torch.tensor([0.5, float("nan")]))
        Traceback (most recent call last):
        ...
        ValueError: Expected samples that are numbers, received NaN or infinite ones.
    """
    if not 1 <= wav.ndim <= 3 or not wav.numel():
        raise ValueError(
            f"Expected samples of shape (T,), (B, T) or (B, C, T), received {tuple(wav.shape)}."
        )
    if not wav.is_floating_point():
        raise ValueError(
            f"Expected floating-point samples between -1 and 1, received {wav.dtype}. Divide "
            "16-bit integers by 32768."
        )
    if not torch.isfinite(wav).all():
        raise ValueError("Expected samples that are numbers, received NaN or infinite ones.")
    return wav


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts a model into eval mode, without gradients; all is as before afterwards.

    Args:
        model: any model.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _separate_tensor(model: QueriedSeparator, wav: Tensor, queries: Any, rate: float) -> Tensor:
    """Separates at the model's rate, on its device."""
    with evaluating(model):
        at_model_rate = resample(check_wav(wav).to(model.device), rate, model.sample_rate)
        estimates = model(at_model_rate, queries)
        estimates = resample(estimates, model.sample_rate, rate, length=wav.shape[-1])
    return estimates.to(wav.device)
