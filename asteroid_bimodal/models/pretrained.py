"""Saved separators: where they are found, how they are read without trusting them, how written."""

from __future__ import annotations

import json
import re
import tempfile
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from asteroid.models.base_models import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..queries.spec import EncoderSpec
from ..utils.asteroid_compat import with_plain_versions
from ..utils.checkpoints import check_fit, check_numbers, first_line, no_larger_than, read_tensors
from ..utils.files import atomic_write
from ..utils.mappings import read_mapping
from .download import CONFIG, PICKLED, WEIGHTS, download
from .layouts import explain
from .upload import upload

FORMAT_VERSION = 1  # of what is saved; a reader of an older one cannot read it right
_SHIPPED = Path(__file__).parents[1] / "pretrained"
SHIPPED_MODELS = {"small": "small", "mini": "mini", "mini-events": "mini_events"}  # and folders
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
# The first argument in files for Asteroid: without this package, its error names it.
NEEDS = "import asteroid_bimodal"
_KEYS = ("model_name", "model_args", "state_dict")


class PretrainedMixin(BaseModel):
    """Saving and loading for an `asteroid.models.BaseModel`, whose place is behind this class.

    Attributes:
        loaded_from: the folder that the model was found in; None when it came without one.
        origin: what others' checkpoint it was imported from, or further trained; None of none.
    """

    loaded_from: Path | None = None
    origin: str | None = None

    def serialize(self) -> dict[str, Any]:
        """Returns weights and arguments; `torch.load` reads a file of them in its safe mode."""
        package = {**with_plain_versions(super().serialize()), "format_version": FORMAT_VERSION}
        package["model_args"] = {NEEDS: True, **package["model_args"]}
        return package if self.origin is None else {**package, "origin": self.origin}

    def save_pretrained(
        self,
        folder: str | PathLike,
        *,
        dtype: torch.dtype | None = None,
        bundle_encoder: bool = False,
    ) -> None:
        """Writes model.safetensors and config.json, each of them whole or not at all.

        Args:
            folder: where to; made when missing.
            dtype: of the weights in the file, such as `torch.float16` for one of half the size;
                by default the model's own. The statistics of norms keep theirs, for which half
                precision is too narrow. Models are always computed in single precision.
            bundle_encoder: also write a copy of the query encoder, to query_encoder/. A model that
                was loaded with such a copy is always saved with it.

        Raises:
            ValueError: for a query encoder that cannot be copied.
        """
        package = self.serialize()
        del package["model_args"][NEEDS]  # Asteroid reads no folders
        spec = _encoder_spec(package["model_args"])
        if bundle_encoder or spec is not None and spec.bundled:
            copy = self.query_encoder.save_pretrained(folder)
            package["model_args"] = {**package["model_args"], "query_encoder": str(copy)}
        if dtype is not None:
            weights = {name for name, _ in self.named_parameters()}
            package["state_dict"] = {
                name: tensor.to(dtype) if name in weights else tensor
                for name, tensor in package["state_dict"].items()
            }
        save_folder(package, folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        token: str | None = None,
        may_publish: bool = False,
        **saving: Any,
    ) -> str:
        """Uploads what `save_pretrained` writes to the Hugging Face hub, and returns its address.

        `asteroid_bimodal.hub.publish` uploads an experiment with a model card, its results and a
        file for Asteroid's own `from_pretrained`.

        Args:
            repo_id: `"user/repo"`; made when missing.
            private: make it private, or refuse where it is public.
            token: of the hub; by default that of `hf auth login` or HF_TOKEN.
            may_publish: say so for a model that was imported from others, or trained further.
            **saving: options of `save_pretrained`.

        Raises:
            ValueError: for a model of others without `may_publish`, and where a private one is
                asked for and the repository is public.
            ConnectionError: when the hub cannot be reached or refuses.
        """
        check_origin(self.origin, may_publish)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, **saving)
            return upload(Path(folder), repo_id, private=private, token=token)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_conf_or_path: str | PathLike | dict[str, Any],
        *,
        revision: str | None = None,
        token: str | None = None,
        cache_dir: str | PathLike | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        **kwargs: Any,
    ) -> BaseModel:
        """Loads a saved model, in eval mode; nothing in a file is run.

        Args:
            pretrained_model_conf_or_path: `"small"`, `"mini"` or `"mini-events"` (shipped with the
                package), a folder, a file, `"user/repo"` on the Hugging Face hub, or what
                `serialize` returned.
            revision: branch, tag or commit of the repository; `"user/repo@revision"` says the same.
            token: of the hub; by default that of `hf auth login` or HF_TOKEN.
            cache_dir: where to keep what is fetched; by default the hub's own cache.
            local_files_only: take it from the cache, and ask for no network.
            force_download: fetch also what is in the cache.
            **kwargs: arguments of the class that replace the saved ones.

        Raises:
            ValueError: for what is missing, broken, or not a saved model of this class.
        """
        source = pretrained_model_conf_or_path
        if isinstance(source, dict):
            return build(cls, _check_keys(source, "the dictionary"), "the dictionary", **kwargs)
        options = {
            "token": token,
            "cache_dir": cache_dir,
            "local_files_only": local_files_only,
            "force_download": force_download,
        }
        return build(cls, load_package(source, revision=revision, **options), str(source), **kwargs)


def load_package(
    name: str | PathLike, *, revision: str | None = None, **options: Any
) -> dict[str, Any]:
    """Reads what Asteroid's `serialize` gives, and the `folder` that it was found in.

    Options are those of the hub's client.
    """
    path = _find(name, revision, options)
    if path.suffix == ".safetensors":
        package = _read_safetensors(path)
    else:
        package = read_tensors(path)
    return {**_check_keys(package, str(path)), "folder": path.parent}


def build(
    model_class: type[BaseModel], package: dict[str, Any], source: str, **kwargs: Any
) -> BaseModel:
    """Builds a saved model, in eval mode; ValueError where class, argument or weight do not fit."""
    if package["model_name"] != model_class.__name__:
        raise ValueError(
            f"Expected a {model_class.__name__} in {source}, found a {package['model_name']!r}. "
            "Load it with that class."
        )
    if not isinstance(package["model_args"], dict) or not isinstance(package["state_dict"], dict):
        raise ValueError(f"Expected dictionaries model_args and state_dict in {source}.")
    check_numbers(package["model_args"], source)
    if not isinstance(package["model_args"].get("query_encoder"), (str, type(None))):
        raise ValueError(f"Expected the name of a query encoder as query_encoder in {source}.")
    args, folder = {**package["model_args"], **kwargs}, package.get("folder")
    spec = _encoder_spec(args)
    if folder is not None and spec is not None:
        spec.located(folder)  # rather now than at the first query
    try:
        with no_larger_than(package["state_dict"], source):
            model = model_class(**args)
    except (TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        raise ValueError(
            f"Expected arguments of {model_class.__name__} in {source}: {first_line(error)}."
        ) from error
    check_fit(model.state_dict(), package["state_dict"], source)
    model.load_state_dict(package["state_dict"])
    model.loaded_from, model.origin = folder, package.get("origin")
    return model.eval()


def check_origin(origin: str | None, may_publish: bool) -> None:
    """Raises `ValueError` for others' model, unless somebody says that it may be passed on."""
    if origin is not None and not may_publish:
        raise ValueError(
            f"This model comes from {origin}, and its authors say who may pass it on. If you "
            "may: --i-have-the-right-to-publish or may_publish=True, with their --license."
        )


def save_folder(package: dict[str, Any], folder: str | PathLike) -> None:
    """Writes model.safetensors and config.json, each of them whole or not at all."""
    folder = Path(folder)
    state = {
        name: value.detach().cpu().contiguous() for name, value in package["state_dict"].items()
    }
    config = {key: value for key, value in package.items() if key != "state_dict"}
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(state, temporary, {"format": "pt"})  # as transformers asks for
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _encoder_spec(args: dict[str, Any]) -> EncoderSpec | None:
    name = args.get("query_encoder")
    return EncoderSpec.parse(name) if isinstance(name, str) else None


def _check_keys(package: dict[str, Any], source: str) -> dict[str, Any]:
    missing = [key for key in _KEYS if key not in package]
    if missing:
        weights = package.get("state_dict", package)
        raise ValueError(
            explain(weights, source)
            or f"Expected {', '.join(_KEYS)} in {source}, found no {', '.join(missing)}: it was "
            "not saved by this package or by Asteroid's serialize()."
        )
    version = package.get("format_version", 1)
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"Expected a model of format {FORMAT_VERSION} or older in {source}, found format "
            f"{version!r}: it was saved by a newer asteroid_bimodal. Upgrade the package."
        )
    if not isinstance(package.get("origin"), (str, type(None))):
        raise ValueError(f"Expected a text as origin in {source}.")
    return {key: package[key] for key in (*_KEYS, "origin") if key in package}


def _find(name: str | PathLike, revision: str | None, options: dict[str, Any]) -> Path:
    """Finds the file that holds the weights."""
    path = Path(name).expanduser()
    here = name in SHIPPED_MODELS or path.exists()
    if revision is not None and (here or not _HUB_ID.fullmatch(str(name))):
        raise ValueError(
            f"Expected a hub id such as 'user/repo' with revision={revision!r}, received "
            f"{str(name)!r}. Files and folders have no revisions."
        )
    if name in SHIPPED_MODELS:
        return _SHIPPED / SHIPPED_MODELS[name] / WEIGHTS
    if path.is_file():
        return path
    if path.is_dir():
        return _find_in_folder(path)
    if _HUB_ID.fullmatch(str(name)):
        return _find_in_folder(_find_on_hub(str(name), revision, options))
    near = get_close_matches(str(name), SHIPPED_MODELS, 1)
    raise ValueError(
        f"Expected {', '.join(map(repr, SHIPPED_MODELS))}, an existing file or folder, or a hub id "
        f"such as 'user/repo', received {str(name)!r}. Check the spelling."
        + (f" Did you mean {near[0]!r}?" if near else "")
    )


def _find_in_folder(folder: Path) -> Path:
    for file in (WEIGHTS, *PICKLED):
        if (folder / file).is_file():
            return folder / file
    raise ValueError(
        f"Expected {WEIGHTS} with {CONFIG}, or {' or '.join(PICKLED)}, in {folder}, found none."
    )


def _find_on_hub(name: str, revision: str | None, options: dict[str, Any]) -> Path:
    repo_id, _, written = name.partition("@")
    if written and revision not in (None, written):
        raise ValueError(
            f"Expected one revision, received {name!r} and revision={revision!r}. Give either."
        )
    return download(repo_id, written or revision, **options)


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        config = read_mapping(path.parent / CONFIG)
        state = load_file(path)
    except FileNotFoundError as error:
        raise ValueError(
            f"Expected {path.name} and {CONFIG} side by side in {path.parent}, found no "
            f"{CONFIG if path.is_file() else path.name}."
        ) from error
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(
            f"Expected a saved model in {path.parent}, found {path.name} or {CONFIG} broken: "
            f"{first_line(error)}. Copy or download them again."
        ) from error
    return {**config, "state_dict": state}
