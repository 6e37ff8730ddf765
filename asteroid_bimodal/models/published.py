"""Published separators as folders of this package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from ..utils.laion import TOKENIZER
from .audiosep import AudioSep
from .bimodal_unet import BiModalUNet
from .clipsep import CLIPSep
from .layouts import LAYOUTS, explain, find_layout
from .official import read_state_dict
from .official_clap import export_scorer
from .pretrained import CONFIG, WEIGHTS
from .queried import QueriedSeparator

# Of each layout what reads it, and what that can be told besides the query encoder.
_READERS: dict[str, tuple[Callable[..., QueriedSeparator], set[str]]] = {
    "the paper's release": (BiModalUNet.from_official, {"num_heads"}),
    "AudioSep": (AudioSep.from_audiosep, {"sample_rate", "hop_length"}),
    "CLIPSep": (CLIPSep.from_clipsep, {"binary_masks"}),
}


def read_published(path: str | PathLike, **kwargs: Any) -> QueriedSeparator:
    """Loads a published checkpoint as the separator that it is, in eval mode; nothing is run.

    Args:
        path: the checkpoint.
        **kwargs: query_encoder, and what the `from_…` of the separator takes.

    Raises:
        ValueError: for a file of none of the known layouts, and as the separator's `from_…`.
    """
    names = read_state_dict(path)
    title = find_layout(names)
    if title is None:
        raise ValueError(
            explain(names, str(path))
            or f"{path} is no checkpoint of {', '.join(LAYOUTS)}: it has {', '.join(names)[:80]}."
        )
    read, options = _READERS[title]
    if strange := sorted(set(kwargs) - options - {"query_encoder"}):
        raise ValueError(f"{path} is a checkpoint of {title}, which has no {strange[0]}.")
    model = read(path, **kwargs)
    model.origin = f"{title} ({Path(path).name})"
    return model


def import_published(
    path: str | PathLike,
    folder: str | PathLike,
    *,
    with_scorer: bool = False,
    tokenizer: str | PathLike | None = None,
    **kwargs: Any,
) -> QueriedSeparator:
    """Writes a published checkpoint as model.safetensors and config.json.

    The CLAP inside a checkpoint of AudioSep becomes the query encoder, a copy in query_encoder/.

    Args:
        path: the checkpoint.
        folder: where to; must hold no model.
        with_scorer: also write the CLAP of the paper's release, to clap/.
        tokenizer: folder or hub id of CLAP's tokenizer; by default the folder roberta-base beside
            the checkpoint if there is one, else the hub's.
        **kwargs: as for `read_published`; with a query_encoder the CLAP inside is left alone.

    Raises:
        FileExistsError: when there is a model in the folder.
        ValueError: as `read_published` and `export_scorer`; no model is written then.
    """
    path, folder = Path(path), Path(folder)
    existing = [folder / name for name in (WEIGHTS, CONFIG) if (folder / name).exists()]
    if existing:
        raise FileExistsError(f"{existing[0]} exists already. Choose another folder.")
    model = read_published(path, **kwargs)
    beside = path.parent / TOKENIZER
    words = tokenizer or (beside if beside.is_dir() else TOKENIZER)
    if with_scorer:
        export_scorer(path, folder / "clap", words)
    if isinstance(model, AudioSep) and "query_encoder" not in kwargs:
        with tempfile.TemporaryDirectory() as scratch:
            export_scorer(path, Path(scratch) / "clap", words)
            model = read_published(path, **kwargs, query_encoder=f"{scratch}/clap")
            model.save_pretrained(folder, bundle_encoder=True)
    else:
        model.save_pretrained(folder)
    return model
