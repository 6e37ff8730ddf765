"""The way of Asteroid's own models: a file for `asteroid-upload`, which puts it on Zenodo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from asteroid.models.publisher import save_publishable

from ..models import load_separator
from .sanitize_paths import path_sanitizer, read_dict

_LICENCE_KEYS = {
    "title",
    "title_link",
    "author",
    "author_link",
    "license",
    "license_link",
    "non_commercial",
}


def write_zenodo_dir(exp_dir: str | PathLike, licenses: Sequence[Mapping[str, Any]]) -> Path:
    """Writes `<exp_dir>/zenodo/model.pth` with Asteroid's `save_publishable`.

    `asteroid-upload <exp_dir>/zenodo --uploader "Your name"` uploads it. Asteroid publishes every
    model under CC BY-SA 3.0.

    Args:
        exp_dir: folder of an experiment that was evaluated.
        licenses: of the data that the model was made of, as Asteroid's recipes give them: title,
            title_link, author, author_link, license, license_link and non_commercial (a bool) of
            each.

    Returns:
        The folder.

    Raises:
        ValueError: when the experiment was not trained or not evaluated, and for licences that lack
            something.
    """
    exp_dir = Path(exp_dir)
    for name in ("best_model.pth", "conf.yml", "final_metrics.json"):
        if not (exp_dir / name).is_file():
            raise ValueError(f"{exp_dir} has no {name}. Train and evaluate the experiment first.")
    missing = [sorted(_LICENCE_KEYS - set(one)) for one in licenses]
    if not licenses or any(missing):
        raise ValueError(
            f"The licence of each data set needs {', '.join(sorted(_LICENCE_KEYS))}; missing "
            f"{missing[0] if missing else 'all'}."
        )
    conf, metrics = (read_dict(exp_dir / name) for name in ("conf.yml", "final_metrics.json"))
    conf = path_sanitizer(conf, exp_dir)(conf)
    package = {
        **load_separator(exp_dir / "best_model.pth").serialize(),
        "dataset": str(conf.get("data", {}).get("name", "unknown")),
        "task": "separation by query",
        "licenses": [dict(one) for one in licenses],
    }
    save_publishable(
        str(exp_dir / "zenodo"),
        package,
        metrics={key: v for key, v in metrics.items() if isinstance(v, int | float)},
        train_conf=_two_levels(conf),
        recipe=f"asteroid_bimodal/{conf.get('system', 'unknown')}",
    )
    return exp_dir / "zenodo"


def _two_levels(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sorts a configuration into sections with names and texts, which is what Asteroid prints."""
    sections: dict[str, dict[str, Any]] = {"experiment": {}}
    for key, value in conf.items():
        if isinstance(value, Mapping):
            sections[key] = {name: str(inner) for name, inner in value.items()}
        else:
            sections["experiment"][key] = str(value)
    return sections
