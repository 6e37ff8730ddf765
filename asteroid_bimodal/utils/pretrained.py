"""Pretrained networks found by name: a folder, or a model of the Hugging Face hub.

A hub that cannot be reached is found out in one request, where transformers would try for half
a minute. What is in the local cache needs no hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from .checkpoints import at_most, check_numbers

SHIPPED = "'mini', which is part of the package"  # the way out where there is no network
_SHIPPED = Path(__file__).parents[1] / "pretrained"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_MOST_ELEMENTS, _MOST_TENSORS = 2**32, 10_000  # of a network's weights
_POOLER = "pooler."  # of BERT; nothing here uses it, and many models come without


def is_hub_id(name: str) -> bool:
    """Tells whether a name could be that of a model of the Hugging Face hub."""
    return _HUB_ID.fullmatch(name) is not None


def find_model(name: str | Path, example: str, shipped: str | None = None) -> str:
    """Turns a folder, a hub id or `"mini"` into what `from_pretrained` takes."""
    if shipped and name == "mini":
        return str(_SHIPPED / shipped)
    folder = Path(name).expanduser()
    if str(name) and folder.is_dir():
        return str(folder.resolve())
    if isinstance(name, Path) or not is_hub_id(name):
        raise ValueError(
            f"Expected an existing folder or a hub id such as {example!r}, received {str(name)!r}. "
            f"Check the spelling."
        )
    return name


@contextmanager
def explained(source: str, what: str, offline: str = "") -> Iterator[None]:
    """Turns what goes wrong while a model is loaded into a ValueError with a remedy."""
    # `what` is the model and its files, `offline` what to pass without a network, besides a folder.
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        if not Path(source).is_dir():
            _check_reachable(source)
        yield
    except Exception as error:  # transformers raises anything for files that nobody would write
        raise ValueError(_advice(source, what, offline, error)) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _check_reachable(repo: str) -> None:
    from huggingface_hub import file_exists, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    if isinstance(try_to_load_from_cache(repo, "config.json"), str):
        return
    try:
        file_exists(repo, "config.json")  # one request, never tried again
    except HfHubHTTPError:
        return  # there is a hub, and transformers knows best what its answer means
    except (HTTPError, OSError) as error:
        raise OSError(f"it is not in the cache and the hub cannot be reached ({error})") from error


def _advice(source: str, what: str, offline: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".")
    if Path(source).is_dir():
        return f"Expected {what}, as save_pretrained writes it, in {source}, got: {reason}."
    return (
        f"Expected {what}, named {source!r}, in the local cache or on the Hugging Face hub, "
        f"got: {reason}. With a network, `hf download {source}` fetches it; without one, pass the "
        f"folder of a copy{offline and f', or {offline}'}."
    )


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # or a network first loaded in a validation loop could not train
def load_network(architecture: str, source: str, model_types: tuple[str, ...] = ()) -> Any:
    """Loads a network; everybody who asks for the same one gets the same object."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    check_numbers(config.to_dict(), source)
    if model_types and config.model_type not in model_types:
        raise ValueError(f"it is a model of type {config.model_type!r}, not {model_types[0]!r}")
    with at_most(_MOST_ELEMENTS, source, _MOST_TENSORS):
        model, report = getattr(transformers, architecture).from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(_POOLER))
    if missing:
        raise ValueError(f"it has no weights for {', '.join(missing[:3])}")
    return model.eval().requires_grad_(False)


def load_tokenizer(source: str) -> Any:
    """Loads the tokenizer of a model, yet unchecked."""
    from transformers import AutoTokenizer

    # Left to itself, transformers asks at the terminal whether to run such code.
    return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def check_tokenizer(source: str, tokenizer: Any, vocab_size: int) -> Any:
    """Returns a tokenizer when it can be that of the model."""
    # Without its files transformers may make a tokenizer of five tokens and say nothing; on the
    # other hand many models have a few more places than tokens.
    if not 0.9 * vocab_size <= len(tokenizer) <= vocab_size:
        raise ValueError(
            f"Expected a tokenizer of {vocab_size} tokens for {source!r}, received one of "
            f"{len(tokenizer)}: its files are missing or belong to another model. Download the "
            f"whole model again."
        )
    return tokenizer
