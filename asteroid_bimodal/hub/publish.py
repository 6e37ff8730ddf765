"""From an experiment folder to a repository on the hub."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import torch

from ..models import QueriedSeparator, load_separator
from ..models.pretrained import CONFIG, WEIGHTS, check_origin
from ..models.upload import upload
from ..queries.spec import COPY_FOLDER, EncoderSpec
from ..utils.checkpoints import first_line
from ..utils.extras import extra
from ..utils.files import safe_name
from ..utils.folders import atomic_folder
from ..utils.mappings import read_mapping
from .preserve_edits import CARD, preserve_edits, sign
from .sanitize_paths import copy_sanitized, read_dict

BEST, ASTEROID_FILE = "best_model.pth", "pytorch_model.bin"
_COPIED = ("conf.yml", "run.json", "final_metrics*.json", "metrics*.csv")
_REPORT = "report.html"  # has the examples inside
# Of an earlier version, these must not stay: least of all recordings that were left out since.
_OPTIONAL = [
    *(*_COPIED, _REPORT, "example/mixture.flac", "example/estimate_*.flac"),
    *("example/spectrograms.png", "plots/training.png", f"{COPY_FOLDER}/*"),
]


def write_publish_dir(
    exp_dir: str | PathLike,
    *,
    repo_id: str | None = None,
    bundle_encoder: bool = False,
    example: bool = True,
    license_id: str = "mit",
    may_publish: bool = False,
) -> Path:
    """Writes `<exp_dir>/publish_dir`, whole or not at all, in place of an earlier one.

    Of an earlier one stay files that are not of this package, and a card that was changed by hand,
    with a warning.

    It holds the best model as model.safetensors with config.json, and as pytorch_model.bin for
    Asteroid's own `BaseModel.from_pretrained`; configuration, run, metrics, report, curves of
    training and an example as far as the experiment has them; and a model card made of these.

    Args:
        exp_dir: folder of the experiment, or of a saved model.
        repo_id: where it is meant to go, for the card; by default named like the experiment.
        bundle_encoder: add a copy of the query encoder, so that the model works with nothing else.
        example: add a test mixture with its estimates, and the report, which has such, too. Leave
            them out where the recordings may not be passed on.
        license_id: of the model, as the hub names licences.
        may_publish: say so for a model that was imported from others, or trained further.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: when there is no trained model, a file cannot be read, the query encoder is in a
            folder of this machine and not bundled, or others decide about publishing the model.
    """
    from .card import model_card

    with extra("recipes"):  # a second to import
        from .artifacts import CURVES, SPECTROGRAMS, write_curves, write_example

    exp_dir = Path(exp_dir)
    if not exp_dir.is_dir():
        raise FileNotFoundError(f"There is no folder {exp_dir}.")
    if not any((exp_dir / name).is_file() for name in (BEST, WEIGHTS)):
        raise ValueError(f"{exp_dir} has no {BEST}: it was not trained. Train it first.")
    model = load_separator(exp_dir / BEST if (exp_dir / BEST).is_file() else exp_dir)
    check_origin(model.origin, may_publish)
    _check_encoder(model, bundle_encoder)
    conf = read_dict(exp_dir / "conf.yml")
    finals = sorted(exp_dir.glob("final_metrics*.json"), key=lambda path: len(path.name))
    target = exp_dir / "publish_dir"
    with atomic_folder(target) as folder:
        model.save_pretrained(folder, bundle_encoder=bundle_encoder)
        saved = load_separator(folder)  # what nobody could load is not published
        torch.save(_asteroid_package(model, saved), folder / ASTEROID_FILE)
        copy_sanitized(exp_dir, folder, conf, [*_COPIED, _REPORT] if example else _COPIED)
        shown = write_example(exp_dir, folder) if example else None
        curves = CURVES if write_curves(exp_dir, folder) else ""
        try:
            card = model_card(
                saved,
                conf=read_dict(folder / "conf.yml"),
                run=read_dict(folder / "run.json"),
                results=[read_dict(folder / path.name) for path in finals],
                repo_id=repo_id or f"user/{safe_name(exp_dir.resolve().name)}",
                example=shown,
                spectrograms=SPECTROGRAMS,
                curves=curves,
                license_id=license_id,
            )
        except (TypeError, AttributeError, LookupError) as error:
            raise ValueError(
                f"conf.yml, run.json or final_metrics.json of {exp_dir} holds values of another "
                f"kind than training and evaluation write: {first_line(error)}."
            ) from error
        (folder / CARD).write_text(sign(card), encoding="utf-8")
        preserve_edits(target, folder, [*_OPTIONAL, WEIGHTS, CONFIG, ASTEROID_FILE])
    return target


def publish(
    exp_or_publish_dir: str | PathLike,
    repo_id: str,
    *,
    private: bool = False,
    bundle_encoder: bool = False,
    example: bool = True,
    license_id: str = "mit",
    may_publish: bool = False,
) -> str:
    """Uploads a model to the Hugging Face hub.

    Done again, after an interruption for example, it uploads what is not there yet. What an earlier
    version had and this one has not, such as an example, is removed, but stays in the history of
    the repository; files of other names are left alone.

    Args:
        exp_or_publish_dir: an experiment folder; or its publish_dir, which goes up as it is, with
            whatever was changed in it by hand.
        repo_id: `"user/name"`; made when it does not exist.
        private: make it private when it is made; one that exists has to be private already.
        bundle_encoder: as for `write_publish_dir`.
        example: as for `write_publish_dir`.
        license_id: as for `write_publish_dir`.
        may_publish: as for `write_publish_dir`.

    Returns:
        The address of the repository.

    Raises:
        ValueError: for a name that is none, a folder without a model, a private model and a
            repository that is public; and as `write_publish_dir`.
        ConnectionError: when the hub cannot be reached or refuses.
    """
    from huggingface_hub.utils import validate_repo_id

    if repo_id.count("/") != 1:
        raise ValueError(f"{repo_id!r} does not name a repository. Give one such as 'user/name'.")
    validate_repo_id(repo_id)
    folder = Path(exp_or_publish_dir)
    if not all((folder / name).is_file() for name in (WEIGHTS, CONFIG, CARD)):
        folder = write_publish_dir(
            folder,
            repo_id=repo_id,
            bundle_encoder=bundle_encoder,
            example=example,
            license_id=license_id,
            may_publish=may_publish,
        )
    elif bundle_encoder or not example or license_id != "mit":
        raise ValueError(
            f"{folder} is written already and is uploaded as it is. To change its options, publish "
            "the experiment again."
        )
    else:
        check_origin(read_mapping(folder / CONFIG).get("origin"), may_publish)
    return upload(folder, repo_id, private=private, owned=_OPTIONAL)


def _check_encoder(model: QueriedSeparator, bundle_encoder: bool) -> None:
    name = model.get_model_args()["query_encoder"]
    if not bundle_encoder and not _is_portable(name):
        raise ValueError(
            f"The query encoder {name!r} exists on this machine only. Publish with a copy of it: "
            "--bundle-encoder or bundle_encoder=True."
        )
    if bundle_encoder and name is None:
        raise ValueError(
            "The model has no query encoder to bundle: its queries are embeddings. Publish it "
            "without --bundle-encoder."
        )


def _asteroid_package(model: QueriedSeparator, saved: QueriedSeparator) -> dict[str, Any]:
    """The model for Asteroid, which loads this file alone: without a bundled query encoder."""
    name = model.get_model_args()["query_encoder"]
    package = saved.serialize()
    if _is_portable(name):
        package["model_args"]["query_encoder"] = name
    return package


def _is_portable(query_encoder: str | None) -> bool:
    return query_encoder is None or EncoderSpec.parse(query_encoder).portable
