"""The masker outside of Python: one module of tensors, and ONNX files of it."""

from __future__ import annotations

import json
import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ..masknn.cond_unet import CondUNet
from ..utils.files import atomic_write

if TYPE_CHECKING:
    from .bimodal_unet import BiModalUNet

# Names and axes of the inputs; those that have a name may have any size.
AXES = {
    "log_mag": {3: "frames"},
    "tokens": {1: "queries", 2: "length"},
    "mask": {1: "queries", 2: "length"},
    "pooled": {1: "queries"},
}
_DESCRIBED = ("sample_rate", "n_fft", "hop_length", "query_encoder")
_TRACED = {"frames": 3, "queries": 3, "length": 5}  # frames in units of the network's grid


class _Query(NamedTuple):
    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class TensorMasker(nn.Module):
    """A masker that is given the parts of its query, as `torch.jit.trace` and exporters want it.

    Args:
        masker: the `CondUNet` of a model.

    Shape:
        - log_mag: (B, 1, F, T)
        - tokens, mask, pooled: (B, Q, L, D), (B, Q, L) bool, (B, Q, E)
        - returns: masks (B, Q, F, T)

    Examples:
        >>> masker = CondUNet(cond_dim=6, pooled_dim=5, num_downs=5, ngf=2, num_heads=2)
        >>> mask = torch.ones(1, 3, 4, dtype=torch.bool)
        >>> inputs = (torch.rand(1, 1, 33, 20), torch.rand(1, 3, 4, 6), mask, torch.rand(1, 3, 5))
        >>> TensorMasker(masker)(*inputs).shape
        torch.Size([1, 3, 33, 20])
    """

    def __init__(self, masker: CondUNet) -> None:
        super().__init__()
        self.masker = masker

    def forward(self, log_mag: Tensor, tokens: Tensor, mask: Tensor, pooled: Tensor) -> Tensor:
        """Returns the masks of all queries."""
        return self.masker(log_mag, _Query(tokens, mask, pooled))


def export_onnx(model: BiModalUNet, path: str | PathLike) -> None:
    """Writes the masker of a model as an ONNX file, whole or not at all.

    One mixture at a time, with any number of frames, queries and tokens. What comes before and
    after the masker is left to the caller: STFT, query encoder, mask times spectrum, inverse STFT.
    The file's metadata have all that is needed for it: `sample_rate`, `n_fft`, `hop_length` (of a
    centred STFT with a periodic Hann window), `query_encoder`, and in `model_args` all arguments of
    the model, as JSON.

    Args:
        model: a `BiModalUNet`; it is exported in eval mode and single precision.
        path: the file to write, `….onnx`.

    Shape:
        - log_mag: (1, 1, F, frames), log(1 + |STFT|) with F = n_fft / 2 + 1
        - tokens: (1, queries, length, D), states of the queries' tokens
        - mask: (1, queries, length) bool, true for a real token
        - pooled: (1, queries, E), the queries' embeddings
        - masks, the output: (1, queries, F, frames)

    Raises:
        ImportError: without the packages `onnx` and `onnxscript`.
        ValueError: for a model with another masker, and for a path that does not end in `.onnx`.
    """
    if not isinstance(model.masker, CondUNet):
        raise ValueError(
            f"Expected a model whose masker is a CondUNet, such as a BiModalUNet, received "
            f"{type(model.masker).__name__}."
        )
    if not str(path).endswith(".onnx"):
        raise ValueError(f"Expected a path that ends in .onnx, received {str(path)!r}.")
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Exporting needs two more packages: pip install onnx onnxscript."
        ) from error
    masker = TensorMasker(CondUNet(**model.masker.get_config())).eval()
    masker.masker.load_state_dict(model.masker.state_dict())
    with warnings.catch_warnings(), atomic_write(Path(path)) as temporary:
        # Of PyTorch about its own code; nothing that a user could do about it.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            masker,
            _example(model),
            dynamo=True,
            dynamic_shapes=AXES,
            input_names=list(AXES),
            output_names=["masks"],
            verbose=False,
        )
        assert program is not None  # it is None without `dynamo`
        args = model.get_model_args()
        described = {key: str(args[key]) for key in _DESCRIBED}
        program.model.metadata_props.update(described, model_args=json.dumps(args))
        program.save(str(temporary))


def _example(model: BiModalUNet) -> tuple[Tensor, ...]:
    """Inputs of sizes that do not stand for anything else: none is 1, and no two are equal."""
    config = model.masker.get_config()
    frames = _TRACED["frames"] * 2 ** config["num_downs"] - 1
    queries, length = _TRACED["queries"], _TRACED["length"]
    return (
        torch.zeros(1, 1, model.n_fft // 2 + 1, frames),
        torch.zeros(1, queries, length, config["cond_dim"]),
        torch.ones(1, queries, length, dtype=torch.bool),
        torch.zeros(1, queries, config["pooled_dim"]),
    )
