"""Saved models of the Hugging Face hub: looked at before anything large is fetched, and cached.

Without a network, or with `HF_HUB_OFFLINE=1`, what was fetched before is found in the hub's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..queries.spec import COPY_PATTERNS
from ..utils.checkpoints import first_line
from ..utils.mappings import read_mapping

WEIGHTS, CONFIG = "model.safetensors", "config.json"
PICKLED = ("best_model.pth", "pytorch_model.bin")  # Asteroid's names
_SILENCE = 10.0  # seconds of it after which a request is given up; some are tried again


def download(repo_id: str, revision: str | None = None, **options: Any) -> Path:
    """Fetches a model, and returns the folder with its files in the hub's cache.

    Options are those of the hub's client, such as `token` and `cache_dir`.
    """
    options = {key: value for key, value in options.items() if value}
    source = f"{repo_id}@{revision}" if revision else repo_id
    with _explained(source):
        folder = _fetch(repo_id, [CONFIG], {**options, "revision": revision})
    ours = (folder / CONFIG).is_file()
    if ours:
        _check_config(folder / CONFIG, source)
    with _explained(source):
        # The name of the folder is that of the commit: all files are of the same one.
        patterns = [CONFIG, WEIGHTS, *COPY_PATTERNS] if ours else list(PICKLED)
        _fetch(repo_id, patterns, {**options, "revision": folder.name})
    if not any((folder / name).is_file() for name in ([WEIGHTS] if ours else PICKLED)):
        raise ValueError(
            f"Expected {CONFIG} with {WEIGHTS}, or {' or '.join(PICKLED)}, in {source} on the hub, "
            "found none: it is no model of this package or of Asteroid."
        )
    return folder


def _fetch(repo_id: str, patterns: list[str], options: dict[str, Any]) -> Path:
    from huggingface_hub import get_session, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    hooks = get_session().event_hooks["request"]
    if _not_for_ever not in hooks:
        hooks.append(_not_for_ever)
    options = {**options, "etag_timeout": _SILENCE}
    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns, **options))
    except HTTPError as error:
        if isinstance(error, HfHubHTTPError) or options.get("force_download"):
            raise
        # The client looks into its cache after some troubles of the network, and not after others.
        options = {**options, "local_files_only": True}
        return Path(snapshot_download(repo_id, allow_patterns=patterns, **options))


def _not_for_ever(request: Any) -> None:
    """The client waits without end for listings; for uploads it may have to."""
    if request.method in ("GET", "HEAD"):
        timeouts = request.extensions["timeout"]
        request.extensions["timeout"] = {
            kind: _SILENCE if seconds is None else seconds for kind, seconds in timeouts.items()
        }


def _check_config(path: Path, source: str) -> None:
    try:
        config = read_mapping(path)
    except ValueError as error:
        reason = str(error).replace(str(path), "it")
        raise ValueError(
            f"Expected JSON in {CONFIG} of {source}, but {reason}. Delete {path} to have it "
            "downloaded again."
        ) from error
    if "model_args" not in config:
        raise ValueError(
            f"Expected a model of this package or of Asteroid in {source}, found a {CONFIG} of "
            "something else. Look for a repository with the tag 'asteroid'."
        )


@contextmanager
def _explained(source: str) -> Iterator[None]:
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Expected a file or folder {source!r} here, or a model of that name on the Hugging "
            f"Face hub or in its local cache, got: {_reason(error)}."
        ) from error


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, RepositoryNotFoundError):
        return (
            "there is no such repository, or it is private; for a private one, log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403):
        return f"the hub refuses access ({status}); check HF_TOKEN or `hf auth login`"
    if isinstance(error, LocalEntryNotFoundError):
        cause = f" ({first_line(error.__cause__)})" if error.__cause__ else ""
        return f"it is not in the cache and the hub cannot be reached{cause}"
    return first_line(error)
