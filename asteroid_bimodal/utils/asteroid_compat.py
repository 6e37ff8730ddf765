"""What Asteroid 0.7.0 gets wrong with today's libraries, one workaround each.

Each goes when Asteroid is fixed.
"""

from __future__ import annotations

from typing import Any


def with_plain_versions(conf: dict[str, Any]) -> dict[str, Any]:
    """Turns the versions that Asteroid's `serialize` stores into text.

    Asteroid stores `torch.__version__`, a `TorchVersion` object, which `torch.load` refuses to
    unpickle since torch 2.6 (`weights_only=True`): nothing that Asteroid saved can be loaded again.

    Args:
        conf: what `BaseModel.serialize` returned.

    Returns:
        A copy that holds plain values only.

    Examples:
        >>> import torch
        >>> conf = {"infos": {"software_versions": {"torch_version": torch.__version__}}}
        >>> type(with_plain_versions(conf)["infos"]["software_versions"]["torch_version"])
        <class 'str'>
    """
    infos = conf.get("infos", {})
    versions = {name: str(version) for name, version in infos["software_versions"].items()}
    return {**conf, "infos": {**infos, "software_versions": versions}}


def register_model(model_class: type) -> None:
    """Makes `asteroid.models.get` find a model, also when the module is imported again.

    Asteroid's `register_model` raises on a name that it knows, even for the same class: reloading a
    module, as notebooks do, fails.

    Args:
        model_class: an `asteroid.models.BaseModel`.
    """
    from asteroid import models  # late: `after_import` waits for it

    known = getattr(models, model_class.__name__, None)
    if known is not None and known.__module__ == model_class.__module__:
        delattr(models, model_class.__name__)
    models.register_model(model_class)
