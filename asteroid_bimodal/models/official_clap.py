"""The frozen CLAP inside a published checkpoint, as a folder for transformers.

The paper's release carries LAION's CLAP under `net_clap.model.model`, AudioSep under
`query_encoder.model`, both without its tokenizer.
"""

from __future__ import annotations

import shutil
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from ..utils.checkpoints import first_line
from ..utils.laion import build_clap, build_extractor, read_clap_config, rename_clap
from .official import read_state_dict

PREFIXES = ("net_clap.model.model.", "query_encoder.model.")


def export_scorer(
    path: str | PathLike, folder: str | PathLike, tokenizer: str | PathLike = "roberta-base"
) -> None:
    """Writes the CLAP of a checkpoint for `ClapScorer` and `ClapTextEncoder`.

    Args:
        path: a published checkpoint.
        folder: where to; must be missing or empty, and is written whole or not at all.
        tokenizer: folder or hub id of CLAP's tokenizer.

    Raises:
        ValueError: when the checkpoint holds no CLAP or another one, the tokenizer cannot be had or
            is not its own, or the folder is in use.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"Expected no file and no full folder at {folder}. Choose another name.")
    state, config = read_clap(path)
    words = _load_tokenizer(tokenizer, config["text_config"]["vocab_size"])
    model = build_clap(config, state, str(path))
    extractor = build_extractor(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch) / "clap"
        for part in (model, words, extractor):
            part.save_pretrained(whole)
        if folder.exists():
            folder.rmdir()
        shutil.move(whole, folder)


def read_clap(path: str | PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads the weights of a `transformers.ClapModel` and the arguments of its `ClapConfig`."""
    official = read_state_dict(path)
    laion = {
        name.removeprefix(prefix): value
        for prefix in PREFIXES
        for name, value in official.items()
        if name.startswith(prefix)
    }
    if not laion:
        raise ValueError(f"Expected a CLAP in {path} under {' or '.join(PREFIXES)}, found none.")
    state = rename_clap(laion)
    try:
        return state, read_clap_config(state)
    except (LookupError, ValueError, TypeError) as error:
        raise ValueError(
            f"Expected LAION's CLAP in {path}, found no usable {first_line(error)}."
        ) from error


def _load_tokenizer(name: str | PathLike, vocab_size: int) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected CLAP's tokenizer at {name!r}, got: {first_line(error)}. Pass the folder "
            "of a copy of roberta-base's."
        ) from error
    if len(tokenizer) != vocab_size:
        raise ValueError(
            f"Expected a tokenizer of {vocab_size} tokens at {name!r}, received one of "
            f"{len(tokenizer)}. Pass the folder of a whole copy of roberta-base's."
        )
    return tokenizer
