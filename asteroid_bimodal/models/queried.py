"""The separator: waveforms and queries in, one waveform for each query out.

Legend: B mixtures, C channels, Q queries of a mixture, F frequencies, T frames or samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from asteroid.models.base_models import BaseEncoderMaskerDecoder
from torch import Tensor, nn

from ..dsp.spectral import (
    apply_mask,
    at_level,
    log_magnitude,
    magnitude,
    pad_for_stft,
    stft_pair,
    with_phase_of,
)
from ..queries.spec import EncoderSpec
from .pretrained import PretrainedMixin
from .separation import check_wav, separate
from .spectra import Separation

if TYPE_CHECKING:
    from ..queries.base import QueryEmbedding, QueryEncoder

    Queries = Sequence[str] | Sequence[Sequence[str]] | QueryEmbedding


class QueriedSeparator(PretrainedMixin, BaseEncoderMaskerDecoder):
    """Separates what queries name: STFT, masks, inverse STFT with the phase kept.

    A kind of separator names its `masker_class`, whose `forward(log_mag, query)` takes
    (B, 1, F, T) and a `QueryEmbedding` and gives masks (B, Q, F, T), and whose `get_config()` gives
    the arguments that build it again.

    Args:
        sample_rate: rate in hertz that the model works at.
        n_fft: samples of an STFT frame.
        hop_length: samples between frames.
        query_encoder: name (see `load_query_encoder`), instance or None. A name is loaded when it
            is first needed; without an encoder, the model takes a `QueryEmbedding` each time. The
            encoder is frozen and no part of the checkpoints.
        input_level: root mean square that the magnitudes of each mixture are brought to before the
            masker looks at them, so that a quiet recording gets the masks of a loud one. None, as
            in the paper's release, lets it look at them as they are.
        **masker_args: arguments of the masker.

    Shape:
        - wav: (B, T), (B, C, T) or (T,), of any length; the masks of a signal of several channels
          are those of their mean
        - queries: texts for all mixtures, or a list of texts for each, or a `QueryEmbedding`
        - returns: (B, Q, T), (B, Q, C, T) where C > 1, or (Q, T)

    Raises:
        ValueError: for samples that are no numbers, for queries that are empty or not text, and
            where their number does not fit that of the mixtures.
    """

    masker_class: type[nn.Module]

    @classmethod
    def query_args(cls, encoder: QueryEncoder) -> dict[str, int]:
        """Returns the masker's arguments that depend on the query encoder."""
        return {"pooled_dim": encoder.pooled_dim}

    def accepts(self, encoder: QueryEncoder) -> bool:
        """Whether the masker takes an encoder's embeddings, going by their sizes."""
        sizes = self.masker.get_config()
        return all(sizes[key] == value for key, value in self.query_args(encoder).items())

    def __init__(
        self,
        sample_rate: float = 16000,
        n_fft: int = 1022,
        hop_length: int = 256,
        query_encoder: str | QueryEncoder | None = "mini",
        *,
        input_level: float | None = None,
        **masker_args: Any,
    ) -> None:
        if input_level is not None and not 0 < input_level < math.inf:
            raise ValueError(f"Expected an input_level above 0 or None, received {input_level}.")
        encoder, decoder = stft_pair(n_fft, hop_length, sample_rate)
        super().__init__(encoder, self.masker_class(**masker_args), decoder)
        self.in_channels = None
        self.n_fft, self.hop_length, self.input_level = n_fft, hop_length, input_level
        named = query_encoder is None or isinstance(query_encoder, str)
        spec = None if named else query_encoder.spec
        self._encoder_name = query_encoder if named else spec and str(spec)
        self._query_encoder = None if named else query_encoder

    @property
    def query_encoder(self) -> QueryEncoder:
        """The query encoder, loaded when it is first needed."""
        if self._query_encoder is None:
            if self._encoder_name is None:
                raise ValueError(
                    "This model has no query encoder: pass a QueryEmbedding, or build it with "
                    "query_encoder='mini', the folder of a CLAP or a hub id."
                )
            spec = EncoderSpec.parse(self._encoder_name).located(self.loaded_from)
            self._query_encoder = self._load_encoder(spec).to(self.device)
        return self._query_encoder

    def _load_encoder(self, spec: EncoderSpec) -> QueryEncoder:
        return spec.load()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.masker.parameters()).device

    def forward(self, wav: Tensor, queries: Queries) -> Tensor:
        """Separates; see the class for shapes."""
        channels = _as_channels(check_wav(wav))  # (B, C, T)
        query = self.encode_queries(queries, len(channels))
        tf_rep = self.forward_encoder(channels)  # (B, C, 2·F, T)
        masks = self.forward_masker(tf_rep.mean(dim=1), query)  # (B, Q, F, T)
        masked = self.apply_masks(tf_rep, masks)  # (B, Q, C, 2·F, T)
        decoded = self.forward_decoder(masked, wav.shape[-1])  # (B, Q, C, T)
        decoded = decoded.squeeze(2).to(wav.dtype)
        return decoded.squeeze(0) if wav.ndim == 1 else decoded

    def encode_queries(self, queries: Queries, batch_size: int) -> QueryEmbedding:
        """Encodes the queries of a batch of mixtures, and puts them where the weights are.

        Args:
            queries: texts for all mixtures, a list of texts for each, or what they encode to.
            batch_size: number of mixtures.

        Raises:
            ValueError: as the class says.
        """
        if isinstance(queries, (list, tuple)):
            same_for_all = not any(isinstance(query, (list, tuple)) for query in queries)
            rows = [queries] * batch_size if same_for_all else queries
            if len(rows) != batch_size:
                raise ValueError(
                    f"Expected a list of queries for each of {batch_size} mixtures, received "
                    f"{len(rows)}. Give one list of texts to ask the same of all."
                )
            return self.query_encoder(rows).to(self.device)
        if not hasattr(queries, "pooled"):
            raise ValueError(
                "Expected a list of texts, a list of texts for each mixture or a QueryEmbedding, "
                f"received {queries!r}. Write ['violin'] for one query."
            )
        return queries.to(self.device)

    def forward_encoder(self, wav: Tensor) -> Tensor:
        """Transforms waveforms, in full precision: (B, C, T) to (B, C, 2·F, T)."""
        padded = pad_for_stft(wav, self.n_fft, self.hop_length)
        return self.encoder(padded.flatten(0, 1).unsqueeze(1)).unflatten(0, wav.shape[:2])

    def forward_masker(self, tf_rep: Tensor, query: QueryEmbedding) -> Tensor:
        """Finds the masks of all queries: (B, 2·F, T) to (B, Q, F, T)."""
        return self.masker(self.masker_input(tf_rep), query).to(tf_rep.dtype)

    def masker_input(self, tf_rep: Tensor) -> Tensor:
        """Returns what the masker looks at: (B, 2·F, T) to (B, 1, F, T)."""
        magnitudes = magnitude(tf_rep)
        if self.input_level is not None:
            magnitudes = at_level(magnitudes, self.input_level)
        return log_magnitude(magnitudes).unsqueeze(1)

    def apply_masks(self, tf_rep: Tensor, est_masks: Tensor) -> Tensor:
        """Masks every channel: (B, C, 2·F, T) and (B, Q, F, T) to (B, Q, C, 2·F, T)."""
        return apply_mask(tf_rep.unsqueeze(1), est_masks.unsqueeze(2))

    def forward_decoder(self, masked_tf_rep: Tensor, length: int) -> Tensor:
        """Goes back to waveforms, in full precision: (..., 2·F, T) to (..., length)."""
        return self.decoder(masked_tf_rep, length=length)

    def magnitude(self, wav: Tensor) -> Tensor:
        """Returns the magnitudes of waveforms: (..., T) to (..., F, T)."""
        flat = wav.reshape(-1, 1, wav.shape[-1])
        return magnitude(self.forward_encoder(flat)).reshape(
            *wav.shape[:-1], self.n_fft // 2 + 1, -1
        )

    def separate_spectra(self, wav: Tensor, query: QueryEmbedding) -> Separation:
        """Masks the magnitudes of mixtures, for losses on magnitudes.

        Args:
            wav: mixtures, (B, T).
            query: their queries.
        """
        spectrum = self.forward_encoder(wav.unsqueeze(1)).squeeze(1)  # (B, 2·F, T)
        return Separation.of(spectrum, self.forward_masker(spectrum, query), wav.shape[-1])

    def to_wav(self, estimates: Tensor, separation: Separation) -> Tensor:
        """Gives magnitudes the phase of their mixtures and returns waveforms.

        Args:
            estimates: (B, Q, F, T).
            separation: of the mixtures.

        Returns:
            (B, Q, T).
        """
        spectrum = with_phase_of(estimates, separation.spectrum.unsqueeze(1))
        return self.forward_decoder(spectrum, separation.length)

    def separate(
        self,
        wav: Tensor | np.ndarray | str | PathLike,
        queries: Queries,
        *,
        sample_rate: float | None = None,
    ) -> Tensor | np.ndarray:
        """Separates tensors, arrays and files, without gradients and in eval mode.

        Unlike Asteroid's `separate`, this never changes the level of an estimate.

        Args:
            wav: samples, shaped as for `forward`, or an audio file.
            queries: as for `forward`.
            sample_rate: of samples, when it is not the model's.

        Returns:
            What `forward` returns: an array for an array, a tensor otherwise, at the rate of `wav`
            and as long. For a file, (Q, T), or (Q, C, T) if it has several channels.

        Raises:
            ValueError: as `forward`, and for a file that cannot be read.
        """
        return separate(self, wav, queries, sample_rate=sample_rate)

    torch_separate = numpy_separate = file_separate = separate

    def get_model_args(self) -> dict[str, Any]:
        """Returns the arguments that build this model again, all of them plain values."""
        return {
            "sample_rate": self.sample_rate,
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "query_encoder": self._encoder_name,
            "input_level": self.input_level,
            **self.masker.get_config(),
        }


def _as_channels(wav: Tensor) -> Tensor:
    if wav.ndim == 3:
        return wav
    return wav.reshape(-1, 1, wav.shape[-1])
