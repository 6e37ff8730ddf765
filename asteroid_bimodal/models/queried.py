"""The separator: waveforms and queries in, one waveform for each query out.

Legend: B mixtures, C channels, Q queries of a mixture, F frequencies, T frames or samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
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
from ..masknn.tagger import Tagger
from ..queries import EncoderSpec, QueryEmbedding
from ..queries.vocabulary import Vocabulary
from .inference import same_for_all, separate
from .likelihood import PASSAGE, Calibration
from .masked_spectra import MaskedSpectra, mono_spectrum
from .pretrained import NEEDS, PretrainedMixin
from .result import SeparationResult
from .streaming import SeparationStream, check_wav

if TYPE_CHECKING:
    from ..queries import Query, QueryEncoder

    Queries = Sequence[str | Query] | Sequence[Sequence[str]] | QueryEmbedding


_NO_QUERIES = (
    "This separator is asked in words: model(wav, ['violin']). In place of asteroid-infer use "
    "`asteroid-bimodal separate`, in place of LambdaOverlapAdd use QueryOverlapAdd."
)


class QueriedSeparator(PretrainedMixin, BaseEncoderMaskerDecoder):
    """Separates what queries name: STFT, masks, inverse STFT with the phase kept.

    A kind of separator names its `masker_class`, whose `forward(log_mag, query)` takes
    (B, 1, F, T), magnitudes where the masker says `on_magnitudes`, and a `QueryEmbedding` and gives
    masks (B, Q, F, T), real or complex, and whose `get_config()` gives the arguments that build it
    again.

    A new model is in training mode, one that was loaded in eval mode.

    Attributes:
        window_hop: seconds from window to window of `separate`, about.
        window_overlap: seconds that windows overlap.
        vocabulary: the sounds that it knows, a `Vocabulary`; None where nobody said.
        calibration: what says how likely a sound is there, a `Calibration`; None of a model
            without.
        tagger: what hears whether a sound is there, a `Tagger`; None of a model without.

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
        likelihood: coefficients of the `Calibration`, by name; None for none.
        tagger: arguments of the `Tagger` that the calibration listens to, beside the model's
            own; None for none.
        **masker_args: arguments of the masker.

    Shape:
        - wav: (B, T), (B, C, T) or (T,), of any length; the masks of a signal of several channels
          are those of their mean, or of the loudest one where they cancel each other
        - queries: texts for all mixtures, or a list of texts for each, or a `QueryEmbedding`
        - returns: (B, Q, T), (B, Q, C, T) where C > 1, or (Q, T)

    Raises:
        ValueError: for non-finite samples, for queries that are empty or not text, where their
            number does not fit that of the mixtures, and for weights in half precision.
    """

    masker_class: type[nn.Module]
    window_hop: float = 16
    window_overlap: float = 8
    _mode_was_set = False

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
        vocabulary: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        likelihood: Mapping[str, float] | None = None,
        tagger: Mapping[str, Any] | None = None,
        **masker_args: Any,
    ) -> None:
        if input_level is not None and not 0 < input_level < math.inf:
            raise ValueError(f"Expected an input_level above 0 or None, received {input_level}.")
        masker_args.pop(NEEDS, None)
        encoder, decoder = stft_pair(n_fft, hop_length, sample_rate)
        super().__init__(encoder, self.masker_class(**masker_args), decoder)
        self.in_channels = None
        self.n_fft, self.hop_length, self.input_level = n_fft, hop_length, input_level
        self.vocabulary = None if vocabulary is None else Vocabulary(vocabulary)
        self.calibration = None if likelihood is None else Calibration.read(likelihood)
        num_freqs = n_fft // 2 + 1
        self.tagger = None if tagger is None else Tagger(num_freqs, sample_rate, **tagger)
        self._query_encoder: QueryEncoder | None = None
        if query_encoder is None or isinstance(query_encoder, str):
            self._encoder_name = query_encoder
        else:
            self._query_encoder, spec = query_encoder, query_encoder.spec
            self._encoder_name = None if spec is None else str(spec)

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

    def forward(
        self, wav: Tensor, queries: Queries | None = None, *, share: bool = False
    ) -> Tensor:
        """Separates; see the class for shapes, and `separate` for `share`."""
        if queries is None:
            raise ValueError(_NO_QUERIES)
        check_wav(wav)
        channels = wav if wav.ndim == 3 else wav.reshape(-1, 1, wav.shape[-1])  # (B, C, T)
        query = self.encode_queries(queries, channels.shape[0])
        spectra = self.separate_spectra(channels, query)  # encode, mask
        if share:
            spectra = spectra.shared()
        decoded = self.decode(spectra)  # apply, decode: (B, Q, C, T)
        decoded = decoded.squeeze(2).to(wav.dtype)
        return decoded.squeeze(0) if wav.ndim == 1 else decoded

    def separate_spectra(
        self, wav: Tensor, query: QueryEmbedding, *, noise: bool = False
    ) -> MaskedSpectra:
        """Encodes mixtures (B, T) or (B, C, T) and finds the masks of all queries.

        Losses on magnitudes start here. With `noise`, also those of the masker's noise heads.
        """
        dtype = next(self.masker.parameters()).dtype
        if dtype in (torch.float16, torch.bfloat16):
            raise ValueError(
                f"The model's weights are in {dtype}, too coarse for spectra and norms: call "
                "model.float(), and use torch.autocast for speed."
            )
        channels = wav if wav.ndim == 3 else wav.unsqueeze(1)  # (B, C, T)
        spectrum = self.forward_encoder(channels)  # (B, C, 2·F, T)
        mono = mono_spectrum(spectrum)  # (B, 2·F, T)
        if not noise:
            return MaskedSpectra(spectrum, self.forward_masker(mono, query), wav.shape[-1])
        if not hasattr(self.masker, "forward_with_noise"):
            raise ValueError(f"A {type(self.masker).__name__} has no noise heads.")
        found = self.masker.forward_with_noise(self.masker_input(mono), query)
        return MaskedSpectra(spectrum, found.masks, wav.shape[-1], found.noise)

    def likelihoods(
        self,
        spectra: MaskedSpectra,
        query: QueryEmbedding,
        seconds: float = PASSAGE,
        *,
        prior: float = 0.5,
    ) -> Tensor | None:
        """Judges how likely what queries name is in passages of mixtures.

        Args:
            spectra: of B mixtures and their Q queries, from `separate_spectra`.
            query: these queries; further ones are left out.
            seconds: length of a passage, about.
            prior: part of all that is asked for that is there.

        Returns:
            (B, Q, P), see `Calibration`, also of silent passages, see `likelihood.heard`; None of a
            model without one.
        """
        if self.calibration is None:
            return None
        tagger = None
        if self.tagger is not None:
            tagger = partial(self.tagger, pooled=query.pooled[:, : spectra.masks.shape[1]])
        frames = round(seconds * self.sample_rate / self.hop_length)
        return self.calibration.with_prior(prior).likelihoods(spectra, frames, tagger)

    def decode(self, spectra: MaskedSpectra) -> Tensor:
        """Applies the masks and goes back to waveforms (B, Q, C, T)."""
        masked = self.apply_masks(spectra.spectrum, spectra.masks)  # (B, Q, C, 2·F, T)
        return self.forward_decoder(masked, spectra.length)

    def encode_queries(self, queries: Queries, batch_size: int) -> QueryEmbedding:
        """Encodes the queries of a batch of mixtures, and puts them where the weights are."""
        if isinstance(queries, (list, tuple)):
            rows = [queries] * batch_size if same_for_all(queries) else queries
            if len(rows) != batch_size:
                raise ValueError(
                    f"Expected a list of queries for each of {batch_size} mixtures, received "
                    f"{len(rows)}. Give one list of texts to ask the same of all."
                )
            return self.query_encoder.ask(rows, self.vocabulary).to(self.device)
        if not isinstance(queries, QueryEmbedding):
            raise ValueError(
                "Expected a list of texts, a list of texts for each mixture or a QueryEmbedding, "
                f"received {queries!r:.80}. Write ['violin'] for one query."
            )
        return queries.to(self.device)

    def forward_encoder(self, wav: Tensor) -> Tensor:
        """Transforms waveforms, in full precision: (B, C, T) to (B, C, 2·F, T)."""
        padded = pad_for_stft(wav, self.n_fft, self.hop_length)
        return self.encoder(padded.flatten(0, 1).unsqueeze(1)).unflatten(0, wav.shape[:2])

    def forward_masker(self, tf_rep: Tensor, query: QueryEmbedding) -> Tensor:
        """Finds the masks of all queries: (B, 2·F, T) to (B, Q, F, T)."""
        masks = self.masker(self.masker_input(tf_rep), query)
        return masks if masks.is_complex() else masks.to(tf_rep.dtype)

    def masker_input(self, tf_rep: Tensor) -> Tensor:
        """Returns what the masker is given: (B, 2·F, T) to (B, 1, F, T)."""
        magnitudes = magnitude(tf_rep)
        if self.input_level is not None:
            magnitudes = at_level(magnitudes, self.input_level)
        if not getattr(self.masker, "on_magnitudes", False):
            magnitudes = log_magnitude(magnitudes)
        return magnitudes.unsqueeze(1)

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

    def to_wav(self, estimates: Tensor, spectra: MaskedSpectra) -> Tensor:
        """Gives magnitudes (B, Q, F, T) the phase of their mixtures, and returns (B, Q, T)."""
        spectrum = with_phase_of(estimates, spectra.mono.unsqueeze(1))
        return self.forward_decoder(spectrum, spectra.length)

    def separate(
        self,
        wav: Tensor | np.ndarray | str | PathLike | Mapping[str, Any],
        queries: Queries,
        *,
        sample_rate: float | None = None,
        without: Sequence[str | Query] = (),
        residual: bool = False,
        share: bool = False,
        extend: bool = True,
        gate: bool = True,
        batch_size: int = 1,
        progress: bool = False,
        **others: Any,
    ) -> SeparationResult:
        """Separates files, arrays and tensors window by window, as the command does.

        Unlike Asteroid's `separate`, this brings no estimate to the level of the input. Of a file
        no more than a few windows and the result are in memory. A signal of more than one window
        (about 24 seconds) is not separated as in one pass of `forward`, see the pages on long
        files, and `forward` has no gate.

        Args:
            wav: an audio file; a tensor or an array, time last, shaped as for `forward`; or what
                Hugging Face's `datasets` give for one recording, `{"array": …, "sampling_rate":
                …}` with an array (T,) or (C, T).
            queries: texts and `Query`s for all mixtures, a list of texts for each, or a
                `QueryEmbedding`, whose queries are called "1", "2", ….
            sample_rate: of a tensor or an array, in hertz. Without it they are taken as being at
                the model's rate, as by `forward`, with a warning: an array does not tell its rate,
                and at a wrong one nothing is separated well.
            without: negative queries: each estimate loses what these take of it. Without queries,
                the one estimate is the input less what they take.
            residual: also give what is in no estimate; with it the estimates add up to the input.
            share: the queries name all that sounds: each place of the spectrogram is shared out
                among them, and nothing of the model's band is left over.
            extend: of a signal above the model's rate, share out what is above the model's band,
                too: each estimate gets as much of it as of the upper half of the band at that time.
                Otherwise it is in no estimate.
            gate: lower the estimates of sounds that are very unlikely there, in proportion to a
                likelihood below 0.25; not with `share`, nor of a model without a calibration.
            batch_size: windows in one pass of the model; on a GPU, several are faster.
            progress: show a bar for a file, on standard error.

            **others: none; Asteroid's own are answered with what to use.

        Returns:
            The estimates with names and scores. Its `estimates` are an array for
            an array, a tensor otherwise, at the rate of `wav` and as long: (Q, T) for (T,), (B, Q,
            T) for (B, T), (B, Q, C, T) for (B, C, T) with C > 1; of a file or a dictionary (Q, T),
            or (Q, C, T) if it has several channels.

        Raises:
            ValueError: as `forward`, for a file that is unreadable, for less than one frame of the
                model, and for shapes that would be misunderstood: with time first, as soundfile
                gives them, and of two axes, where 2 to 8 rows with one list of queries may be the
                channels of one recording, as torchaudio gives them (pass a dictionary), or as many
                mixtures (pass `wav[:, None]`).

        Examples:
            >>> from asteroid_bimodal.models import BiModalUNet
            >>> model = BiModalUNet.from_pretrained("mini")
            >>> result = model.separate(torch.randn(8000), ["violin", "flute"], sample_rate=8000)
            >>> violin, flute = result
            >>> torch.equal(result["flute"], flute)
            True
        """
        if others:
            raise TypeError(
                f"separate() takes no {', '.join(others)}. It resamples by itself and writes no "
                "file: for files, separate(...).save(folder, overwrite=True)."
            )
        options: dict[str, Any] = {"residual": residual, "share": share, "extend": extend}
        options |= {"gate": gate, "without": without, "batch_size": batch_size}
        options |= {"progress": progress}
        return separate(self, wav, queries, sample_rate=sample_rate, **options)

    def torch_separate(
        self, wav: Any, queries: Queries, *, sample_rate: float | None = None, **options: Any
    ) -> Tensor | np.ndarray:
        """Returns the estimates of `separate` alone; by default samples are at the model's rate."""
        rate = self.sample_rate if sample_rate is None else sample_rate
        return self.separate(wav, queries, sample_rate=rate, **options).estimates

    numpy_separate = torch_separate

    def file_separate(self, wav: Any, queries: Queries, **options: Any) -> Tensor | np.ndarray:
        """Returns the estimates of `separate` alone."""
        return self.separate(wav, queries, **options).estimates

    def separate_stream(
        self, blocks: Iterable[Tensor], queries: Queries, sample_rate: int, **options: Any
    ) -> SeparationStream:
        """Separates a signal that comes in pieces (C, T); see `SeparationStream` for options."""
        return SeparationStream(self, blocks, queries, sample_rate, **options)

    def train(self, mode: bool = True) -> QueriedSeparator:
        """Puts the model into training mode, or into eval mode."""
        self._mode_was_set = True
        return super().train(mode)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Loads weights; a new model goes into eval mode, unless `train` was called before.

        Asteroid's own `from_pretrained` builds a model and loads its weights, no more. In training
        mode it would separate wrongly, and BatchNorm would overwrite its statistics.
        """
        keys = super().load_state_dict(state_dict, *args, **kwargs)
        if not self._mode_was_set:
            self.eval()
        return keys

    def get_model_args(self) -> dict[str, Any]:
        """Returns the arguments that build this model again, all of them plain values."""
        return {
            "sample_rate": self.sample_rate,
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "query_encoder": self._encoder_name,
            "input_level": self.input_level,
            "vocabulary": self.vocabulary and self.vocabulary.to_dict(),
            "likelihood": self.calibration and self.calibration.to_dict(),
            "tagger": self.tagger and self.tagger.get_config(),
            **self.masker.get_config(),
        }
