"""Formats of outputs."""

from __future__ import annotations

from dataclasses import dataclass

# The subtype of libsndfile by the bits of a sample, the default first; nothing where a format has
# none. Floats hold what passes ±1, and sums stay exact.
SUBTYPES: dict[str, dict[int | None, str]] = {
    "wav": {32: "FLOAT", 24: "PCM_24", 16: "PCM_16"},
    "flac": {24: "PCM_24", 16: "PCM_16"},
    "mp3": {None: "MPEG_LAYER_III"},
    "ogg": {None: "VORBIS"},
}


@dataclass(frozen=True)
class OutputFormat:
    """How estimates are written.

    Attributes:
        name: "wav", "flac", "mp3" or "ogg"; also the suffix of files.
        bits: of a sample; by default 32 (floating point) of wav and 24 of flac.

    Raises:
        ValueError: for a format that is not known, and for bits that it does not have.

    Examples:
        >>> OutputFormat("flac").subtype, OutputFormat("wav", 16).subtype
        ('PCM_24', 'PCM_16')
        >>> OutputFormat("mp3", 16)
        Traceback (most recent call last):
        ...
        ValueError: mp3 has no bits to choose: leave them out.
    """

    name: str = "wav"
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.name not in SUBTYPES:
            raise ValueError(f"Expected wav, flac, mp3 or ogg, received the format {self.name!r}.")
        known = SUBTYPES[self.name]
        if self.bits is not None and None in known:
            raise ValueError(f"{self.name} has no bits to choose: leave them out.")
        if self.bits is not None and self.bits not in known:
            choices = " or ".join(map(str, sorted(filter(None, known))))
            raise ValueError(f"{self.name} has {choices} bits, not {self.bits}.")

    @property
    def subtype(self) -> str:
        """What libsndfile calls it."""
        known = SUBTYPES[self.name]
        return next(iter(known.values())) if self.bits is None else known[self.bits]

    @property
    def is_exact(self) -> bool:
        """Whether samples beyond ±1 are kept."""
        return self.subtype == "FLOAT"
