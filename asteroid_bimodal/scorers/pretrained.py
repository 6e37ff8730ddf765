"""Pretrained CLAP models: found by name, loaded once, frozen, kept out of checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

MINI = Path(__file__).parents[1] / "pretrained" / "mini_clap"
CONTEXT_LENGTH = 77  # tokens that CLAP was trained with
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class PretrainedClap:
    """A frozen CLAP with what turns text and audio into its input."""

    model: ClapModel
    tokenizer: PreTrainedTokenizerBase
    feature_extractor: ClapFeatureExtractor


@dataclass(frozen=True)
class TextStates:
    """What CLAP's text tower says about n texts.

    Attributes:
        tokens: (n, L, D) last hidden states.
        mask: (n, L) bool, True for a real token.
        pooled: (n, E) L2-normalised, in the space shared with audio.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class FrozenModule(nn.Module):
    """Base of modules around a pretrained network that others may share.

    The network follows its owner to another device, and is otherwise invisible: never trained,
    never in training mode, never in a `state_dict`, always in the precision it was loaded in.

    Args:
        network: the pretrained network.

    Examples:
        >>> frozen = FrozenModule(nn.Linear(2, 2))
        >>> len(frozen.state_dict()), frozen.train().network.training
        (0, False)
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # In a tuple, where nn.Module does not look.
        self._hidden = (network.eval().requires_grad_(False),)

    @property
    def network(self) -> nn.Module:
        """The pretrained network."""
        return self._hidden[0]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenModule:
        device = fn(torch.empty(0, device=self.device)).device
        if device != self.device:
            self.network.to(device)
        return super()._apply(fn, recurse)


def load_clap(name: str | Path = "mini") -> PretrainedClap:
    """Loads a CLAP; everybody who asks for the same one gets the same object.

    Args:
        name: `"mini"` (shipped with the package), a folder, or a model of the Hugging Face hub
            such as `"laion/clap-htsat-unfused"`.

    Raises:
        ValueError: when there is no such folder, the hub cannot be reached, or what is there is
            not a CLAP with its tokenizer.

    Examples:
        >>> load_clap("mini") is load_clap("mini")
        True
    """
    return _load(_resolve(name))


def _resolve(name: str | Path) -> str:
    if name == "mini":
        return str(MINI)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return str(folder.resolve())
    if isinstance(name, Path) or not _HUB_ID.fullmatch(name):
        raise ValueError(
            f"Expected 'mini', an existing folder or a hub id such as "
            f"'laion/clap-htsat-unfused', received {str(name)!r}. Check the spelling."
        )
    return name


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # or a model first asked for in a validation loop could not train
def _load(source: str) -> PretrainedClap:
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(source)
        if not isinstance(config, ClapConfig):
            raise ValueError(f"it holds a model of type {config.model_type!r}, not 'clap'")
        clap = PretrainedClap(
            ClapModel.from_pretrained(source, dtype=torch.float32).eval().requires_grad_(False),
            AutoTokenizer.from_pretrained(source),
            ClapFeatureExtractor.from_pretrained(source),
        )
    except (OSError, ValueError) as error:
        raise ValueError(_advice(source, error)) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    _check_tokenizer(source, clap)
    _freeze_norms(clap.model)
    return clap


class FixedNorm2d(nn.BatchNorm2d):
    """A frozen `BatchNorm2d` in eval mode, computed as the scaling and shift that it is.

    PyTorch's own (seen with 2.14.1 on CPU) gives its input a wrong gradient when its parameters are
    frozen and the gradient that comes back is laid out otherwise in memory than the input: CLAP's
    audio tower transposes its features, and no gradient of it would be right.

    Args:
        norm: the layer to stand in for.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps)
        self.load_state_dict(norm.state_dict())
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalises (N, C, H, W)."""
        scale = (self.running_var + self.eps).rsqrt() * self.weight  # (C,)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def _freeze_norms(model: nn.Module) -> None:
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, FixedNorm2d(child))


def _advice(source: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0].rstrip(".")
    if Path(source).is_dir():
        return (
            f"Expected a folder written by ClapModel.save_pretrained with its tokenizer and "
            f"feature extractor, received {source}: {reason}."
        )
    return (
        f"Expected a CLAP model named {source!r} in the local cache or on the Hugging Face hub, "
        f"got: {reason}. With a network, `hf download {source}` fetches it; without one, pass the "
        f"folder of a copy, or 'mini', which is part of the package."
    )


def _check_tokenizer(source: str, clap: PretrainedClap) -> None:
    # Without its files transformers may make a tokenizer of five tokens and say nothing.
    expected, received = clap.model.config.text_config.vocab_size, len(clap.tokenizer)
    if expected != received:
        raise ValueError(
            f"Expected a tokenizer of {expected} tokens for {source!r}, received one of "
            f"{received}: its files are missing or belong to another model. Download the whole "
            f"model again."
        )


def max_context(clap: PretrainedClap) -> int:
    """Tells how many tokens a CLAP reads of a text.

    Args:
        clap: the model.
    """
    config = clap.model.config.text_config
    positions = config.max_position_embeddings - config.pad_token_id - 1  # as in RoBERTa
    return min(clap.tokenizer.model_max_length, positions, CONTEXT_LENGTH)


def check_texts(texts: list[str]) -> list[str]:
    """Returns the texts when each of them is one.

    Args:
        texts: what a user gave.

    Raises:
        ValueError: for a query that is empty or not text.
    """
    if not isinstance(texts, (list, tuple)) or not texts:
        raise ValueError(f"Expected a list of texts, received {texts!r}. Wrap a text in a list.")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"Expected a query of at least one word, received {text!r}. "
                f"Name a sound, such as 'violin'."
            )
    return list(texts)


@torch.inference_mode(False)  # cached embeddings must serve training, too
@torch.no_grad()
def encode_texts(
    clap: PretrainedClap,
    texts: list[str],
    *,
    context_length: int | None = None,
    padding: str = "longest",
) -> TextStates:
    """Runs the text tower; a text of more than `context_length` tokens loses its end.

    Args:
        clap: the model.
        texts: n texts.
        context_length: tokens to read; by default all that the model can, 77 at most.
        padding: pad to the `"longest"` text or to `"max_length"`.

    Examples:
        >>> states = encode_texts(load_clap("mini"), ["violin", "the sound of a flute"])
        >>> states.tokens.shape[:2] == states.mask.shape
        True
    """
    model = clap.model
    batch = clap.tokenizer(
        check_texts(texts),
        padding=padding,
        truncation=True,
        max_length=context_length or max_context(clap),
        return_tensors="pt",
    ).to(model.device)
    with torch.autocast(model.device.type, enabled=False):
        features = model.get_text_features(batch["input_ids"], batch["attention_mask"])
    return TextStates(
        tokens=features.last_hidden_state,
        mask=batch["attention_mask"].bool(),
        pooled=features.pooler_output,
    )
