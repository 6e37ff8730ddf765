"""From an experiment folder to a repository on the hub."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import torch
import yaml

from ..models import load_separator
from ..models.pretrained import WEIGHTS
from ..utils.files import safe_name
from .card import model_card

BEST, CARD = "best_model.pth", "README.md"
_COPIED = ("conf.yml", "run.json", "final_metrics.json", "metrics.csv", "report.html")


def write_publish_dir(exp_dir: str | PathLike, *, repo_id: str | None = None) -> Path:
    """Writes `<exp_dir>/publish_dir`, whole or not at all, in place of an earlier one.

    It holds the best model as model.safetensors with config.json, and as pytorch_model.bin for
    Asteroid's own `BaseModel.from_pretrained`; configuration, run, metrics and report as far as
    the experiment has them; and a model card made of these.

    Args:
        exp_dir: folder of the experiment.
        repo_id: where it is meant to go, for the card; by default named like the experiment.

    Returns:
        The folder.

    Raises:
        ValueError: when there is no trained model, or a file cannot be read.
    """
    exp_dir = Path(exp_dir)
    if not (exp_dir / BEST).is_file():
        raise ValueError(
            f"Expected a trained experiment with {BEST}, found none at {exp_dir}. Train it first."
        )
    model = load_separator(exp_dir / BEST)
    card = model_card(
        model,
        conf=_read(exp_dir / "conf.yml", yaml.safe_load),
        run=_read(exp_dir / "run.json", json.loads),
        metrics=_read(exp_dir / "final_metrics.json", json.loads),
        repo_id=repo_id or f"user/{safe_name(exp_dir.resolve().name)}",
    )
    target = exp_dir / "publish_dir"
    with tempfile.TemporaryDirectory(prefix=".publish_dir.", dir=exp_dir) as scratch:
        folder = Path(scratch) / "new"
        model.save_pretrained(folder)
        torch.save(model.serialize(), folder / "pytorch_model.bin")
        for name in _COPIED:
            if (exp_dir / name).is_file():
                shutil.copyfile(exp_dir / name, folder / name)
        (folder / CARD).write_text(card, encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch) / "old")
        folder.rename(target)
    return target


def publish(exp_or_publish_dir: str | PathLike, repo_id: str, *, private: bool = False) -> str:
    """Uploads a model to the Hugging Face hub.

    Args:
        exp_or_publish_dir: an experiment folder; or its publish_dir, which goes up as it is, with
            whatever was changed in it by hand.
        repo_id: `"user/name"`; made when it does not exist.
        private: make it private when it is made.

    Returns:
        The address of the repository.

    Raises:
        ValueError: for a name that is none, or a folder without a model.
        ConnectionError: when the hub cannot be reached or refuses.
    """
    from huggingface_hub.utils import validate_repo_id

    if repo_id.count("/") != 1:
        raise ValueError(f"Expected a repository such as 'user/name', received {repo_id!r}.")
    validate_repo_id(repo_id)
    folder = Path(exp_or_publish_dir)
    if not ((folder / WEIGHTS).is_file() and (folder / CARD).is_file()):
        folder = write_publish_dir(folder, repo_id=repo_id)
    return _upload(folder, repo_id, private)


def _upload(folder: Path, repo_id: str, private: bool) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    # The error of the HTTP library, which is another one in each major version of the hub's client.
    http_error = HfHubHTTPError.__bases__[0]
    api = HfApi()
    try:
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload the model")
    except (OSError, http_error) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConnectionError(
            f"Could not upload {folder} to {repo_id}: {reason}. Log in with `hf auth login` or set "
            "HF_TOKEN, and publish again: nothing is lost."
        ) from error
    return str(url)


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"Expected {path.suffix[1:].upper()} in {path}: {reason}. Mend or delete the file."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"Expected names with values in {path}. Mend or delete the file.")
    return content
