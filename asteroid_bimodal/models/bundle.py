"""A copy of the query encoder in a folder beside a saved model, which then needs nothing else.

The saved arguments name it relatively, as `"clap:./query_encoder"`, and it is looked for where the
model was found.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.folders import atomic_folder

if TYPE_CHECKING:
    from ..queries.base import QueryEncoder

FOLDER = "query_encoder"
# What a copy is made of. Weights of other formats are never read.
PATTERNS = [f"{FOLDER}/*.{suffix}" for suffix in ("json", "safetensors", "txt")]
_COPY = f"./{FOLDER}"
_BUNDLED = re.compile(
    rf"(?P<kind>clap|clip|bert|clap-audio|clip-image|resnet):{re.escape(_COPY)}(?P<rest>\|.*)?",
    re.DOTALL,
)
_KIND = re.compile(r"(clap|clip|bert|clap-audio|clip-image|resnet|laion):")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SHIPPED = ("mini", "mini-events", "minilm")  # with the package
_NOTHING_TO_COPY = re.compile(r"(labels|outputs):.*", re.DOTALL)


def is_bundled(spec: object) -> bool:
    """Tells whether an encoder is named as a copy beside the model.

    Args:
        spec: the `query_encoder` of a model's arguments.

    Examples:
        >>> is_bundled("resnet:./query_encoder|56"), is_bundled("mini"), is_bundled(None)
        (True, False, False)
    """
    return isinstance(spec, str) and _BUNDLED.fullmatch(spec) is not None


def is_portable(spec: str | None) -> bool:
    """Tells whether an encoder is named so that others find it, too: on the hub or in the package.

    Args:
        spec: the `query_encoder` of a model's arguments.

    Examples:
        >>> is_portable("clip:openai/clip-vit-base-patch32"), is_portable("labels:a/b,c")
        (True, True)
        >>> is_portable("bert:/home/me/bert|cls"), is_portable("clap:./query_encoder")
        (False, False)
    """
    if spec is None or _NOTHING_TO_COPY.fullmatch(spec):
        return True
    name = _KIND.sub("", spec).partition("|")[0]
    on_hub = _HUB_ID.fullmatch(name) and not spec.startswith("laion:")
    return name in _SHIPPED or bool(on_hub) and not Path(name).exists()


def locate(spec: str, folder: Path | None) -> str:
    """Names an encoder by its full path when it is a copy beside the model.

    Args:
        spec: what `load_query_encoder` is to load.
        folder: where the model was found; None when it came without one.

    Raises:
        ValueError: when there is no copy.

    Examples:
        >>> locate("mini", None)
        'mini'
    """
    match = _BUNDLED.fullmatch(spec)
    if match is None:
        return spec
    copy = None if folder is None else folder / FOLDER
    if copy is None or not ((copy / "config.json").is_file() and any(copy.glob("*.safetensors"))):
        where = "it was loaded without its folder" if copy is None else f"there is none at {copy}"
        raise ValueError(
            f"Expected this model's query encoder in {FOLDER}/ beside it: {where}. Load the whole "
            "folder or repository with asteroid_bimodal's from_pretrained, or pass "
            "query_encoder='mini', the folder of a CLAP, …"
        )
    return f"{match['kind']}:{copy.resolve()}{match['rest'] or ''}"


def write_bundle(encoder: QueryEncoder, folder: str | Path) -> str:
    """Writes a copy of an encoder to `<folder>/query_encoder`, whole or not at all.

    Args:
        encoder: what reads a model's queries; of labels or outputs there is nothing to write.
        folder: where the model is saved.

    Returns:
        What the model's arguments are to call it.

    Raises:
        ValueError: for an encoder that is not one of this package's.
    """
    name = getattr(encoder, "name", None)
    if isinstance(name, str) and _NOTHING_TO_COPY.fullmatch(name):
        return name
    spec, parts = _contents(encoder)
    with atomic_folder(Path(folder) / FOLDER) as scratch:
        for part in parts:
            part.save_pretrained(scratch)
        for path in scratch.iterdir():
            path.chmod(0o644)  # safetensors makes files that only their owner can read
    return spec


def _contents(encoder: QueryEncoder) -> tuple[str, list[Any]]:
    """Returns the name of a copy and what has to be saved for it."""
    # These take seconds to import.
    from ..queries.audio import ClapAudioEncoder
    from ..queries.image import ClipImageEncoder, ResNetFrameEncoder
    from ..queries.labels import join_list
    from ..queries.text import BertEncoder, ClapTextEncoder, ClipTextEncoder
    from ..utils.clap import load_clap
    from ..utils.pretrained import load_tokenizer

    if isinstance(encoder, (ClapTextEncoder, ClapAudioEncoder)):
        clap = load_clap(encoder.name.removeprefix("clap-audio:").partition("|")[0])
        parts = [clap.model, clap.tokenizer, clap.feature_extractor]
        if isinstance(encoder, ClapTextEncoder):
            return f"clap:{_COPY}", parts
        return f"clap-audio:{_COPY}|{join_list(encoder.labels)}", parts
    if isinstance(encoder, ClipImageEncoder):
        return f"clip-image:{_COPY}", [encoder.network]
    if isinstance(encoder, ResNetFrameEncoder):
        return f"resnet:{_COPY}|{encoder.image_size}", [encoder.network]
    if isinstance(encoder, (ClipTextEncoder, BertEncoder)):
        parts = [encoder.network, load_tokenizer(encoder.network.name_or_path)]
        if isinstance(encoder, ClipTextEncoder):
            return f"clip:{_COPY}", parts
        return f"bert:{_COPY}|{encoder.pooling}", parts
    raise ValueError(
        f"Expected a query encoder of this package to copy, received a {type(encoder).__name__}. "
        "Save the model without it, and pass it when the model is loaded."
    )
