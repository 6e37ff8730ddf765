"""Query encoders from plain text, which can stand in a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

from .audio import ClapAudioEncoder
from .base import QueryEncoder
from .image import ClipImageEncoder, ResNetFrameEncoder
from .labels import LabelEncoder, OutputSlots, split_list
from .text import MINILM, BertEncoder, ClapTextEncoder, ClipTextEncoder


def load_query_encoder(spec: str) -> QueryEncoder:
    """Builds the query encoder that a text describes; its `name` is such a text again.

    - `mini`, a folder, a hub id or `clap:NAME`: texts, by CLAP
    - `laion:PATH`: texts, by a checkpoint of `laion_clap`
    - `clip:NAME`: texts, by CLIP
    - `bert:NAME`, `bert:NAME|POOLING` or `minilm`: texts, by BERT
    - `clap-audio:NAME` or `clap-audio:NAME|LABELS`: audio examples, by CLAP
    - `clip-image:NAME`: pictures, by CLIP
    - `resnet:NAME` or `resnet:NAME|SIZE`: frames of SIZE pixels, by a ResNet
    - `labels:LABELS` or `labels:LABELS|TEMPLATES`: classes, or prompts made of them
    - `outputs:COUNT`: no condition, the numbers of outputs

    NAME is a folder, a hub id or, except for BERT, `mini`; of a CLAP also `laion:PATH`. LABELS and
    TEMPLATES are separated by commas, with double quotes around those that have a comma.

    Args:
        spec: the text.

    Raises:
        ValueError: for a kind that there is not, with the nearest that there is, and for what the
            encoder itself refuses.

    Examples:
        >>> load_query_encoder("labels:violin,flute").pooled_dim
        2
        >>> load_query_encoder("outputs:4").name
        'outputs:4'
    """
    if not isinstance(spec, str) or not spec.strip():
        raise ValueError(f"Expected a query encoder such as 'mini', received {spec!r}.")
    kind, colon, rest = spec.partition(":")
    if not colon and spec.partition("|")[0] == MINILM:
        return _load_bert(spec)
    if not colon and kind not in _LOADERS or Path(spec).is_dir():
        return ClapTextEncoder(spec)
    if kind not in _LOADERS or not rest:
        raise ValueError(_unknown(spec, kind))
    return _LOADERS[kind](rest)


def _load_bert(rest: str) -> QueryEncoder:
    name, _, pooling = rest.partition("|")
    return BertEncoder(name, pooling=pooling or None)


def _load_clap_audio(rest: str) -> QueryEncoder:
    name, bar, labels = rest.partition("|")
    return ClapAudioEncoder(name, split_list(labels) if bar else None)


def _load_resnet(rest: str) -> QueryEncoder:
    name, bar, size = rest.partition("|")
    if not bar:
        return ResNetFrameEncoder(name)
    return ResNetFrameEncoder(name, image_size=_number(size, "size in pixels"))


def _load_labels(rest: str) -> QueryEncoder:
    labels, bar, templates = rest.partition("|")
    if not bar:
        return LabelEncoder(split_list(labels))
    return LabelEncoder(split_list(labels), split_list(templates))


def _load_outputs(rest: str) -> QueryEncoder:
    return OutputSlots(_number(rest, "number of outputs"))


def _number(text: str, what: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError(f"Expected a {what}, a whole number, received {text!r}.")
    return int(text)


_LOADERS: dict[str, Callable[[str], QueryEncoder]] = {
    "clap": ClapTextEncoder,
    "laion": lambda rest: ClapTextEncoder(f"laion:{rest}"),
    "clip": ClipTextEncoder,
    "bert": _load_bert,
    "clap-audio": _load_clap_audio,
    "clip-image": ClipImageEncoder,
    "resnet": _load_resnet,
    "labels": _load_labels,
    "outputs": _load_outputs,
}


def _unknown(spec: str, kind: str) -> str:
    kinds: Iterable[str] = [*(f"{name}:…" for name in _LOADERS), MINILM, "mini"]
    near = difflib.get_close_matches(kind, [*_LOADERS, MINILM], n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != kind else ""
    return (
        f"Expected a query encoder of {', '.join(kinds)}, a folder or a hub id, received "
        f"{spec!r}.{hint}"
    )
