"""Uploading a folder to the Hugging Face hub, safely repeated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

WAITS = (1.0, 4.0, 15.0)  # seconds before it is tried again
_PASSING = (408, 429, 500, 502, 503, 504)  # answers that another time may be others
_LOG_IN = "Log in with `hf auth login` or set HF_TOKEN"


def upload(folder: Path, repo_id: str, *, private: bool = False, owned: Sequence[str] = ()) -> str:
    """Uploads what is not there yet of a folder.

    Args:
        folder: what to upload.
        repo_id: `"user/name"`; made when it does not exist.
        private: make it private when it is made; one that exists has to be private already.
        owned: patterns of files that leave the repository when they are not in the folder.

    Returns:
        The address of the repository.

    Raises:
        ValueError: for a repository that is public and should be private.
        ConnectionError: when the hub cannot be reached, refuses, or fails again and again.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = HfApi()
    try:
        url = _patiently(lambda: api.create_repo(repo_id, private=private, exist_ok=True))
        # The hub makes nothing private that exists.
        if private and not _patiently(lambda: api.model_info(repo_id)).private:
            raise ValueError(
                f"Expected {repo_id} to be private, found it public; nothing was uploaded. Make it "
                "private in its settings, or choose another name."
            )
        _patiently(
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
        remedy = "Check the network, or wait a while" if _is_passing(cause) else _LOG_IN
        raise ConnectionError(
            f"Could not upload {folder} to {repo_id}: {reason}. {remedy}, and publish again: "
            "nothing is lost."
        ) from error
    return str(url)


def _patiently(action: Callable[[], T]) -> T:
    """Does something again while the network or the hub has passing troubles.

    The hub's client has some patience of its own with what goes into a commit, and none with making
    a repository, asking about it, and the commit.
    """
    from huggingface_hub.errors import HTTPError

    for wait in WAITS:
        try:
            return action()
        except HTTPError as error:
            if not _is_passing(error):
                raise
            time.sleep(wait)
    return action()


def _is_passing(error: BaseException) -> bool:
    """Tells troubles of the network, which leave no answer, and of the hub from refusals."""
    from huggingface_hub.errors import HTTPError

    answer = getattr(error, "response", None)
    return isinstance(error, HTTPError) and (answer is None or answer.status_code in _PASSING)


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error
