"""What a training step needs of its device's memory, counted before the first one."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..losses.composite import CompositeLoss
from ..models import QueriedSeparator
from ..queries import QueryEmbedding
from ..scorers import ClapScorer
from .build import build_scorer, count_parameters
from .schema import Config, count_processes

_GIB = 2**30
_TOKENS = 12  # of a query
_LAST = 10**12  # a step at which all terms of the loss count


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors made under it, as they come and go.

    Args:
        known: tensors that were there before.
    """

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation and notes what it made."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.sizes:
            self.sizes[storage._cdata] = storage.nbytes()
            self.now += storage.nbytes()
            weakref.finalize(storage, self._drop, storage._cdata)

    def _drop(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


def masker_bytes(
    masker: nn.Module,
    log_mag: tuple[int, ...],
    queries: tuple[int, int, int],
    *,
    bf16: bool = False,
    recomputed: bool = False,
) -> tuple[int, int]:
    """Counts what a training step of a masker makes, on tensors that have shapes and no numbers.

    Args:
        masker: any; it is not touched.
        log_mag: B, 1, F and T.
        queries: how many each mixture has, and the sizes of their tokens and pooled vectors.
        bf16: under autocast, as CPUs have it.
        recomputed: with activations that are recomputed in the backward pass.

    Returns:
        Bytes that are kept for the backward pass, and the most that is there at once; without
        weights, gradients and what kernels take for themselves.
    """
    count, token_dim, pooled_dim = queries
    with FakeTensorMode(allow_non_fake_inputs=True):
        copy = _without_numbers(masker).train()
        copy.checkpoint_activations = recomputed
        batch = log_mag[0], count
        query = QueryEmbedding(
            tokens=torch.randn(*batch, _TOKENS, token_dim),
            mask=torch.ones(*batch, _TOKENS, dtype=torch.bool),
            pooled=torch.randn(*batch, pooled_dim),
        )
        heard = torch.rand(log_mag)
        for weight in copy.parameters():
            weight.grad = torch.zeros_like(weight)
        with LiveBytes([*copy.parameters(), *copy.buffers()]) as live:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                masks = copy(heard, query)
            kept = live.now
            real = torch.view_as_real(masks) if masks.is_complex() else masks
            real.float().square().mean().backward()
        return kept, live.peak


def _without_numbers(masker: nn.Module) -> Any:
    """A copy whose tensors are made under the mode that is on, laid out like the masker's."""
    instead: dict[int, Any] = {}
    for tensor in (*masker.parameters(), *masker.buffers()):
        empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
        instead[id(tensor)] = nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty
    return deepcopy(masker, instead)


def scorer_bytes(scorer: ClapScorer, conf: Config) -> int:
    """Bytes that a scorer keeps of the clips that it hears at once, counted on one clip."""
    data, device = conf.data, next(scorer.network.parameters()).device
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            saved[storage._cdata] = storage.nbytes()
        return tensor

    wav = torch.zeros(1, data.num_samples, device=device, requires_grad=True)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        embedded = scorer.embed_audio(wav, data.sample_rate)
    del embedded
    clips = _share(conf) * data.n_mix * _num_phrases(conf)
    return min(conf.scorer.chunk_size or clips, clips) * sum(saved.values())


def step_bytes(
    model: QueriedSeparator,
    losses: Sequence[CompositeLoss],
    conf: Config,
    precision: str,
    device: torch.device,
) -> int:
    """Estimates the peak of a training step on its device.

    Counted are weights, gradients and the moments of Adam; frozen networks; what the masker makes,
    and what the scorer keeps. What kernels take for themselves comes on top.

    Args:
        model: what is trained.
        losses: that of the mixtures and, of semi-supervised systems, that of single sources.
        conf: the configuration.
        precision: as Lightning names it.
        device: where the scorer is asked.
    """
    data, encoder = conf.data, model.query_encoder
    half = precision.startswith(("bf16", "16"))
    with torch.no_grad():
        size = model.magnitude(torch.zeros(1, data.num_samples, device=device)).shape[-2:]
    log_mag = (_share(conf), 1, *size)
    recomputed = bool(getattr(model.masker, "checkpoint_activations", False))
    total = 16 * count_parameters(model)
    for loss, num_phrases in zip(losses, (_num_phrases(conf), 1), strict=False):
        count = _num_queries(conf, loss.needs(_LAST), num_phrases)
        queries = (count, encoder.token_dim, encoder.pooled_dim)
        total += masker_bytes(model.masker, log_mag, queries, bf16=half, recomputed=recomputed)[1]
    if "cnt" in conf.loss:
        scorer = build_scorer(conf).to(device)
        total += sum(4 * weight.numel() for weight in scorer.network.parameters())
        total += scorer_bytes(scorer, conf)
    return total


def memory_line(needed: int, there: int) -> str:
    """Says what a step takes of a device's memory, and what to do where that is too much.

    Examples:
        >>> memory_line(30 * 2**30, 80 * 2**30)
        'Memory: a step takes about 30 GiB, and the device has 80'
        >>> print(memory_line(90 * 2**30, 80 * 2**30))
        Memory: a step takes about 90 GiB, and the device has 80
        Warning: this may be too much. Try --checkpoint_activations true, --precision bf16-mixed, \
--scorer.chunk_size 8, or half the --batch_size and twice the --accumulate.
    """
    line = f"Memory: a step takes about {needed / _GIB:.0f} GiB, and the device has "
    line += f"{there / _GIB:.0f}"
    if needed > 0.95 * there:  # kernels take some for themselves
        line += (
            "\nWarning: this may be too much. Try --checkpoint_activations true, --precision "
            "bf16-mixed, --scorer.chunk_size 8, or half the --batch_size and twice the "
            "--accumulate."
        )
    return line


def _share(conf: Config) -> int:
    """The examples of a batch that one device has."""
    return conf.training.batch_size // count_processes(conf)


def _num_phrases(conf: Config) -> int:
    """P, the phrases of a natural mixture."""
    return conf.data.num_phrases if conf.data.captioned else conf.data.n_src


def _num_queries(conf: Config, needs: frozenset[str], num_phrases: int) -> int:
    """The queries of each mixture that a loss asks for."""
    data = conf.data
    outputs = data.n_src if conf.query.outputs == "sources" else 1
    counts = {
        "captions": data.n_mix,
        "phrases": data.n_mix * num_phrases,
        "absent": data.num_absent,
        "outputs": data.n_mix * outputs,
    }
    return sum(count for need, count in counts.items() if need in needs)
