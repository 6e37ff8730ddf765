"""Which encoder reads a query: the model's own, or another of the same space."""

from __future__ import annotations

from typing import Any

import soundfile
import torch

from ..models import QueriedSeparator
from ..queries import (
    AudioExample,
    ClapAudioEncoder,
    ClapTextEncoder,
    ClipImageEncoder,
    ClipTextEncoder,
    QueryEmbedding,
    QueryEncoder,
    load_query_encoder,
)
from ..queries.files import is_file
from ..queries.image import ImageEncoder
from ..utils.audio_file import open_audio

_EXAMPLE_SECONDS = 60  # more than any encoder hears at once
_CALLED = {"text": "texts", "sound": "audio examples", "picture": "pictures"}
_TRAINED = {
    "text": "ask with another model",
    "sound": "load one whose queries CLAP reads, such as 'mini'",
    "picture": "load one that was trained with pictures, such as of the system clipsep_img",
}


def encode_part(
    model: QueriedSeparator, kind: str, content: Any, encoders: dict[str, QueryEncoder]
) -> QueryEmbedding:
    """Encodes one query of one kind.

    Args:
        model: the separator that will be asked.
        kind: "text", "sound" or "picture".
        content: the query.
        encoders: of each kind, those that were built for earlier queries; gets what is missing.

    Shape:
        - returns: tokens (1, 1, L, D), pooled (1, 1, E)

    Raises:
        ValueError: for a kind that the model cannot be asked with, and for what its encoder
            refuses.
    """
    if kind not in encoders:
        encoders[kind] = _find_encoder(model, kind, content)
    encoder = encoders[kind]
    if kind == "sound":
        content = _readable(content)
    query = encoder([[content]]).to(model.device)
    if "cond_dim" in model.query_args(encoder):
        return query
    # Not looked at, and of another size for each encoder of the space.
    return QueryEmbedding(query.tokens[..., :0], query.mask, query.pooled)


def _find_encoder(model: QueriedSeparator, kind: str, content: Any) -> QueryEncoder:
    own = model.query_encoder
    if kind == _kind_of(own):
        return own
    name = _name_in_same_space(own, kind)
    if name and getattr(model.masker, "mask_padding", True):
        encoder = load_query_encoder(name).to(model.device)
        sizes = model.masker.get_config()
        if all(sizes[key] == value for key, value in model.query_args(encoder).items()):
            return encoder
    trained = _CALLED[_kind_of(own)]
    raise ValueError(
        f"Expected {trained} for this model, which was trained with them, received one of "
        f"{_CALLED[kind]}, {content!r:.80}. Ask it with {trained}, or {_TRAINED[kind]}."
    )


def _kind_of(encoder: QueryEncoder) -> str:
    if isinstance(encoder, ImageEncoder):
        return "picture"
    return "sound" if isinstance(encoder, ClapAudioEncoder) else "text"


def _name_in_same_space(encoder: QueryEncoder, kind: str) -> str | None:
    """Names an encoder of queries of a kind that are comparable with those of `encoder`."""
    name = getattr(encoder, "name", None)
    if isinstance(encoder, ClapTextEncoder) and kind == "sound":
        return f"clap-audio:{name}"
    if isinstance(encoder, ClapAudioEncoder) and kind == "text":
        return f"clap:{name.removeprefix('clap-audio:').partition('|')[0]}"
    if isinstance(encoder, ClipTextEncoder) and kind == "picture":
        return f"clip-image:{name.removeprefix('clip:')}"
    if isinstance(encoder, ClipImageEncoder) and kind == "text":
        return f"clip:{name.removeprefix('clip-image:')}"
    return None


def _readable(sound: Any) -> Any:
    """Reads what the encoder cannot read by itself, the middle of it if it is long."""
    if not is_file(sound):
        return sound
    try:
        soundfile.info(str(sound))
        return sound
    except soundfile.LibsndfileError:
        pass
    with open_audio(sound) as audio:
        length = sum(block.shape[-1] for block in audio.blocks)
    pieces, place = [], 0
    with open_audio(sound) as audio:
        start = max(0, (length - _EXAMPLE_SECONDS * audio.sample_rate) // 2)
        end = start + _EXAMPLE_SECONDS * audio.sample_rate
        for block in audio.blocks:
            pieces.append(block[:, max(0, start - place) : max(0, end - place)])
            place += block.shape[-1]
        return AudioExample(torch.cat(pieces, dim=-1), audio.sample_rate)
