"""Queries that are audio examples, for models that were trained with texts.

CLAP puts audio and texts into one space, but audio embeddings lie beside those of texts (the
modality gap), and there are no token states for them. So an example is expressed in texts: of a
list of phrases, CLAP tells how likely each one describes the example; the pooled query is the mean
of their embeddings, weighted by these probabilities, and the tokens are those of the likeliest
phrase. Nothing is trained for it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..dsp.resample import resample
from ..dsp.samples import fault_of
from ..utils.audio_file import read_segment, to_mono
from ..utils.clap import known_labels, load_clap
from ..utils.frozen import FrozenModule
from .base import QueryEncoder
from .captions import phrase_prompt
from .embedding import EncodedQuery
from .files import file_key, is_file
from .labels import join_list, split_list
from .spec import EncoderSpec
from .text import ClapTextEncoder

_BATCH = 32  # examples at a time
SHORTEST_EXAMPLE = 0.1  # seconds
SILENT_EXAMPLE = -80  # dB of full scale, root mean square
COMMON_LABELS = (
    *("accordion", "acoustic guitar", "cello", "clarinet", "erhu", "flute", "saxophone"),
    *("trumpet", "tuba", "violin", "xylophone"),
    *("bagpipe", "banjo", "bassoon", "bells", "congas", "double bass", "drums", "electric bass"),
    *("electric guitar", "guzheng", "harmonica", "harp", "marimba", "oboe", "organ", "piano"),
    *("pipa", "singing", "synthesizer", "trombone", "ukulele", "applause", "baby crying"),
    *("bird song", "car engine", "cat meowing", "clock ticking", "coughing", "cow mooing"),
    *("crowd", "dog barking", "door", "fireworks", "footsteps", "glass breaking", "gunshot"),
    *("hammer", "helicopter", "horse", "insects", "keyboard typing", "laughter", "man speaking"),
    *("motorcycle", "plane", "rain", "rooster", "saw", "siren", "sneezing", "telephone ringing"),
    *("thunder", "train", "vacuum cleaner", "water", "whistling", "wind", "woman speaking"),
)


@dataclass(frozen=True, eq=False)
class AudioExample:
    """A sound to look for; examples of the same samples and rate are equal.

    Attributes:
        wav: (T,) or (C, T) float samples.
        sample_rate: their rate in hertz.

    Raises:
        ValueError: for samples of another shape or kind, none at all, non-finite ones and ones far
            beyond full scale.

    Examples:
        >>> AudioExample(torch.zeros(8), 8000) == AudioExample(torch.zeros(8), 8000)
        True
    """

    wav: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        wav = self.wav
        if not isinstance(wav, Tensor) or wav.ndim not in (1, 2) or not wav.is_floating_point():
            raise ValueError(
                f"Expected float samples of shape (T,) or (channels, T), received {wav!r:.80}."
            )
        if wav.numel() == 0 or self.sample_rate <= 0:
            raise ValueError(
                f"Expected samples, at least one, at a positive rate; received shape "
                f"{tuple(wav.shape)} at {self.sample_rate} Hz. Check where they come from."
            )
        if fault := fault_of(wav):
            raise ValueError(f"Expected samples of audio, received {fault}.")

    @cached_property
    def digest(self) -> str:
        """Tells the example from every other one."""
        content = self.wav.detach().cpu().float().contiguous().numpy().tobytes()
        about = f"{tuple(self.wav.shape)} {self.sample_rate}".encode()
        return hashlib.sha256(about + content).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AudioExample) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class ClapAudioEncoder(FrozenModule, QueryEncoder):
    """Audio examples as queries for models trained with the texts of the same CLAP.

    Of an example longer than CLAP's input, the middle is encoded. Files may be of any format that
    `utils.audio_file` reads.

    Args:
        name: a CLAP, as for `ClapTextEncoder`.
        labels: what an example can be, in words; by default those that the CLAP's configuration
            names as `known_labels`, as `"mini"` does, or else common instruments and sounds. Those
            that a model was trained with serve it best.

    Shape:
        - queries: B lists of Q paths of audio files or `AudioExample`s
        - output: tokens (B, Q, L, D), pooled (B, Q, E), L2-normalised

    Raises:
        ValueError: when there is no such model, for labels that are empty, and for a query that is
            no audio, shorter than 100 ms, or silent: of a level below -80 dB.

    References:
        Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
        keyword-to-caption augmentation", ICASSP 2023. The step from one modality to the other by
        a memory of texts: Li et al., "DeCap: decoding CLIP latents for zero-shot captioning via
        text-only training", ICLR 2023.

    Examples:
        >>> encoder = ClapAudioEncoder("mini")
        >>> query = encoder([[AudioExample(torch.randn(8000), 8000)]])
        >>> query.pooled.shape == (1, 1, encoder.pooled_dim)
        True
    """

    modality, kind, siblings, has_weights = "audio", "clap-audio", {"text": "clap"}, True

    def __init__(self, name: str | Path = "mini", labels: Sequence[str] | None = None) -> None:
        self._clap = load_clap(name)
        super().__init__(self._clap.model)
        default = tuple(known_labels(self._clap)) or COMMON_LABELS
        self.labels = default if labels is None else tuple(labels)
        if isinstance(labels, str) or not self.labels:
            raise ValueError(f"Expected a list of labels, received {labels!r}.")
        self._text = ClapTextEncoder(name)
        self._prompts = [phrase_prompt(label) for label in self.labels]
        self.spec = EncoderSpec(
            self.kind, str(name), None if self.labels == default else self._options()
        )
        self.token_dim, self.pooled_dim = self._text.token_dim, self._text.pooled_dim

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> ClapAudioEncoder:
        """Builds the encoder of `clap-audio:NAME` or `clap-audio:NAME|LABELS`."""
        return cls(spec.name, None if spec.options is None else split_list(spec.options))

    def _options(self) -> str:
        return join_list(self.labels)

    def _weights(self) -> list[Any]:
        return self._text._weights()

    def _identity(self) -> tuple[Any, ...]:
        return f"clap-audio {self._options()}", self.network

    def check(self, query: str | os.PathLike | AudioExample) -> None:
        """Raises a ValueError for what is no audio."""
        if isinstance(query, AudioExample) or is_file(query):
            return
        if isinstance(query, str | os.PathLike) and os.path.splitext(query)[1]:
            raise ValueError(f"{query} does not exist.")
        raise ValueError(
            f"Expected the path of an audio file or an AudioExample, received {query!r}. "
            "Check the path, or use words with a model for texts."
        )

    def key(self, query: str | os.PathLike | AudioExample) -> str:
        """Returns what is the same for equal sounds."""
        return f"audio {query.digest}" if isinstance(query, AudioExample) else file_key(query)

    @torch.inference_mode(False)  # cached embeddings must serve training, too
    @torch.no_grad()
    def encode(self, queries: list[str | os.PathLike | AudioExample]) -> list[EncodedQuery]:
        """Encodes distinct sounds."""
        known = self._text([self._prompts]).to("cpu")  # each copy waits for the device
        encoded = []
        for chances in self.probabilities(queries).cpu():
            likeliest = int(chances.argmax())
            real = known.mask[0, likeliest]
            pooled = normalize(chances @ known.pooled[0], dim=-1)
            encoded.append(EncodedQuery(known.tokens[0, likeliest][real], real[real], pooled))
        return encoded

    @torch.no_grad()
    def probabilities(self, queries: Sequence[str | os.PathLike | AudioExample]) -> Tensor:
        """Tells how likely each label describes each sound: (n, number of labels)."""
        sharpness = self.network.logit_scale_a.exp()
        texts = self._text([self._prompts]).pooled[0]
        return torch.softmax(sharpness * self.embed(queries) @ texts.T, dim=-1)

    @torch.no_grad()
    def embed(self, queries: Sequence[str | os.PathLike | AudioExample]) -> Tensor:
        """Embeds n sounds by CLAP's audio tower: (n, E), L2-normalised."""
        rows = []
        for start in range(0, len(queries), _BATCH):
            wavs = [self._read(query) for query in queries[start : start + _BATCH]]
            extractor = self._clap.feature_extractor
            features = extractor(
                [wav.numpy() for wav in wavs],
                sampling_rate=extractor.sampling_rate,
                return_tensors="pt",
            )["input_features"].to(self.device)
            is_longer = torch.zeros(len(wavs), 1, dtype=torch.bool, device=self.device)
            with torch.autocast(self.device.type, enabled=False):
                output = self.network.get_audio_features(features.float(), is_longer=is_longer)
            rows.append(normalize(output.pooler_output.float(), dim=-1))
        return torch.cat(rows)

    def _read(self, query: str | os.PathLike | AudioExample) -> Tensor:
        """Reads a sound in mono at CLAP's rate, of a long one the middle."""
        extractor = self._clap.feature_extractor
        longest, rate = int(extractor.nb_max_samples), extractor.sampling_rate
        if not isinstance(query, AudioExample):
            name = str(query)
            query = AudioExample(*read_segment(query, None, Fraction(longest, rate)))
        else:
            name = "The example"
        wav = query.wav.detach().cpu().float()
        wav = wav if wav.ndim == 1 else to_mono(wav)
        seconds = len(wav) / query.sample_rate
        if seconds < SHORTEST_EXAMPLE:
            raise ValueError(
                f"{name} is too short: {1000 * seconds:.1f} ms; give at least "
                f"{1000 * SHORTEST_EXAMPLE:.0f} ms of the sound."
            )
        if wav.square().mean().sqrt() < 10 ** (SILENT_EXAMPLE / 20):
            raise ValueError(
                f"{name} is silent, below {SILENT_EXAMPLE} dB: give an example with the sound in "
                "its middle."
            )
        wav = resample(wav, query.sample_rate, rate)
        start = max(0, (len(wav) - longest) // 2)
        return wav[start : start + longest]
