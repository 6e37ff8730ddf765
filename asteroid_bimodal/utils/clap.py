"""Pretrained CLAP models: found by name, loaded once, shared by scorers and query encoders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .frozen import freeze_norms
from .laion import TOKENIZER, build_extractor, read_laion
from .pretrained import (
    SHIPPED,
    check_tokenizer,
    explained,
    find_model,
    load_network,
    load_tokenizer,
)

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerBase

MINI = Path(__file__).parents[1] / "pretrained" / "mini_clap"
MINI_EVENTS = MINI.with_name("mini_clap_events")
SMALL = MINI.with_name("small_clap")
_SHIPPED = {"mini": MINI, "mini-events": MINI_EVENTS, "small": SMALL}
CONTEXT_LENGTH = 77  # tokens that CLAP was trained with
LAION = "laion:"
# Of a feature extractor, which makes its mel filters at once.
_LARGEST = {
    "feature_size": 1024,
    "fft_window_size": 8192,
    "sampling_rate": 192_000,
    "max_length_s": 60,
}


@dataclass(frozen=True)
class PretrainedClap:
    """A frozen CLAP with what turns text and audio into its input."""

    model: ClapModel
    tokenizer: PreTrainedTokenizerBase
    feature_extractor: ClapFeatureExtractor


@dataclass(frozen=True)
class TextStates:
    """What a text tower says about n texts."""

    tokens: Tensor  # (n, L, D) last hidden states
    mask: Tensor  # (n, L) bool, True for a real token
    pooled: Tensor  # (n, E), of CLAP L2-normalised, in the space shared with audio


def load_clap(name: str | Path = "mini") -> PretrainedClap:
    """Loads a CLAP; everybody who asks for the same one gets the same object.

    Args:
        name: `"mini"` (shipped with the package, knows the instruments of the miniature MUSIC),
            `"mini-events"` (knows the sounds of the miniature VGGSound), `"small"` (knows those of
            the separator `small`), a folder, a model of the Hugging Face hub such as
            `"laion/clap-htsat-unfused"`, or `"laion:"` and the path of a checkpoint of
            `laion_clap`. The tokenizer of the latter is that of `roberta-base`: a folder of this
            name beside the checkpoint, or else the hub's.

    Raises:
        ValueError: when there is no such folder or file, the hub cannot be reached, or what is
            there is not a CLAP with its tokenizer.

    Examples:
        >>> load_clap("mini") is load_clap("mini")
        True
    """
    return _load(find_clap(name))


def find_clap(name: str | Path) -> str:
    """Turns a name of `load_clap` into a folder, a hub id, or `laion:` and a whole path."""
    if name in _SHIPPED:
        return str(_SHIPPED[name].resolve())
    if isinstance(name, str) and name.startswith(LAION):
        return f"{LAION}{Path(name.removeprefix(LAION)).expanduser().resolve()}"
    try:
        return find_model(name, "laion/clap-htsat-unfused")
    except ValueError as error:
        raise ValueError(str(error).replace("Expected an ", "Expected 'mini', an ")) from error


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # or a model first loaded in a validation loop could not train
def _load(source: str) -> PretrainedClap:
    if source.startswith(LAION):
        return _load_laion(Path(source.removeprefix(LAION)))
    with explained(source, "a CLAP with its tokenizer and feature extractor", SHIPPED):
        model = load_network("ClapModel", source, ("clap",))
        tokenizer = load_tokenizer(source)
        extractor = _load_extractor(source)
    check_tokenizer(source, tokenizer, model.config.text_config.vocab_size)
    freeze_norms(model)
    return PretrainedClap(model, tokenizer, extractor)


def _load_extractor(source: str) -> ClapFeatureExtractor:
    from transformers import ClapFeatureExtractor

    config, _ = ClapFeatureExtractor.get_feature_extractor_dict(source)
    for name, most in _LARGEST.items():
        value = config.get(name, 1)
        if not isinstance(value, (int, float)) or not 0 < value <= most:
            raise ValueError(f"its {name} is {value!r} instead of 1 to {most}")
    return ClapFeatureExtractor.from_dict(config)


def _load_laion(path: Path) -> PretrainedClap:
    model = read_laion(path).requires_grad_(False)
    beside = path.parent / TOKENIZER
    source = str(beside) if beside.is_dir() else TOKENIZER
    with explained(source, f"the tokenizer of {path.name}", f"copy it to {beside}"):
        tokenizer = load_tokenizer(source)
    check_tokenizer(source, tokenizer, model.config.text_config.vocab_size)
    extractor = build_extractor(model.config.to_dict())
    freeze_norms(model)
    return PretrainedClap(model, tokenizer, extractor)


def max_context(clap: PretrainedClap) -> int:
    """Tells how many tokens a CLAP reads of a text."""
    config = clap.model.config.text_config
    positions = config.max_position_embeddings - config.pad_token_id - 1  # as in RoBERTa
    return min(clap.tokenizer.model_max_length, positions, CONTEXT_LENGTH)


def known_labels(clap: PretrainedClap) -> list[str]:
    """Lists the labels that a CLAP says it knows, in its configuration."""
    labels = getattr(clap.model.config, "known_labels", None)
    return [str(label) for label in labels] if isinstance(labels, list) else []


def check_texts(texts: list[str]) -> list[str]:
    """Returns the texts when each of them is one."""
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
    """Runs the text tower; a text of more than `context_length` tokens loses its end."""
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
