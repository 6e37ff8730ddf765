"""Uploads a folder to the Hugging Face hub, with retries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

WAITS = (1.0, 4.0, 15.0)  # seconds before each retry
_TEMPORARY = (408, 429, 500, 502, 503, 504)
_LOG_IN = "Log in with `hf auth login` or set HF_TOKEN"


def upload(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    owned: Sequence[str] = (),
    token: str | None = None,
) -> str:
    """Uploads what is not there yet of a folder, and returns the address of the repository.

    Files that match a pattern of `owned` leave the repository when the folder lacks them.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = HfApi(token=token)
    try:
        url = _with_retries(lambda: api.create_repo(repo_id, private=private, exist_ok=True))
        # The hub makes nothing private that exists.
        if private and not _with_retries(lambda: api.model_info(repo_id)).private:
            raise ValueError(
                f"{repo_id} is public; nothing was uploaded. Make it private in its settings, or "
                "choose another name."
            )
        _with_retries(
            lambda: api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                commit_message="Upload the model",
                delete_patterns=list(owned),
            )
        )
    except (OSError, HTTPError, RuntimeError, json.JSONDecodeError) as error:
        cause = _first_cause(error)
        reason = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
        remedy = "Check the network, or wait a while" if _is_temporary(cause) else _LOG_IN
        raise ConnectionError(
            f"Could not upload {folder} to {repo_id}: {reason}. {remedy}, and publish again: "
            "nothing is lost."
        ) from error
    return str(url)


def _with_retries(action: Callable[[], T]) -> T:
    """Retries while errors are temporary.

    The hub's client itself retries uploads of files, but not making a repository, asking about it,
    or the commit.
    """
    from huggingface_hub.errors import HTTPError

    for wait in WAITS:
        try:
            return action()
        except HTTPError as error:
            if not _is_temporary(error):
                raise
            time.sleep(wait)
    return action()


def _is_temporary(error: BaseException) -> bool:
    """Whether the network failed, which leaves no response, or the hub did for now."""
    from huggingface_hub.errors import HTTPError

    answer = getattr(error, "response", None)
    return isinstance(error, HTTPError) and (answer is None or answer.status_code in _TEMPORARY)


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error
