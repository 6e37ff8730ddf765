"""What Asteroid 0.7.0 gets wrong with today's libraries, one workaround each.

Each goes when Asteroid is fixed.
"""

from __future__ import annotations

from typing import Any


def with_plain_versions(conf: dict[str, Any]) -> dict[str, Any]:
    """Turns the versions that Asteroid's `serialize` stores into text, in a copy."""
    # `torch.__version__` is a `TorchVersion`, which `torch.load(weights_only=True)` refuses.
    infos = conf.get("infos", {})
    versions = {name: str(version) for name, version in infos["software_versions"].items()}
    return {**conf, "infos": {**infos, "software_versions": versions}}


def register_model(model_class: type) -> None:
    """Makes `asteroid.models.get` find a model, also when its module is reloaded."""
    # Asteroid's own raises on a name that it knows, even for the same class.
    from asteroid import models  # late: `after_import` waits for it

    known = getattr(models, model_class.__name__, None)
    if known is not None and known.__module__ == model_class.__module__:
        delattr(models, model_class.__name__)
    models.register_model(model_class)
