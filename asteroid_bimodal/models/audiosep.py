"""AudioSep's separator."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch
from torch import Tensor

from ..masknn.checks import check_input
from ..masknn.res_unet30 import ResUNet30
from ..queries import QueryEmbedding
from .official_audiosep import load_audiosep
from .queried import QueriedSeparator


class AudioSep(QueriedSeparator):
    """Separates what words name, with masks of a `ResUNet30`; see `QueriedSeparator` for its use.

    In training the masks are of magnitudes, as losses on magnitudes want them; in eval mode they
    turn phases, too.

    Args:
        sample_rate: rate in hertz that the model works at.
        n_fft: samples of an STFT frame.
        hop_length: samples between frames.
        query_encoder: as for `QueriedSeparator`.
        **args: input_level, vocabulary, and arguments of `ResUNet30`.

    References:
        Liu et al., "Separate anything you describe", IEEE/ACM TASLP 2024.

    Examples:
        >>> import torch
        >>> model = AudioSep(8000, 64, 16, None, pooled_dim=4, num_downs=3, ngf=2)
        >>> query = QueryEmbedding(
        ...     tokens=torch.zeros(1, 3, 1, 1),
        ...     mask=torch.ones(1, 3, 1, dtype=torch.bool),
        ...     pooled=torch.randn(1, 3, 4),
        ... )
        >>> model(torch.randn(1000), query).shape
        torch.Size([3, 1000])
    """

    masker_class = ResUNet30
    # It holds large maps of each frame, and was trained with excerpts of a few seconds.
    window_hop, window_overlap = 6, 4

    def __init__(
        self,
        sample_rate: float = 32000,
        n_fft: int = 2048,
        hop_length: int = 320,
        query_encoder: Any = "mini",
        **args: Any,
    ) -> None:
        args.setdefault("num_freqs", n_fft // 2 + 1)
        super().__init__(sample_rate, n_fft, hop_length, query_encoder, **args)

    @classmethod
    def from_audiosep(
        cls,
        path: str | PathLike,
        sample_rate: float | None = None,
        hop_length: int | None = None,
        **kwargs: Any,
    ) -> AudioSep:
        """Loads a published checkpoint, in eval mode; nothing in it is run.

        Args:
            path: Lightning's checkpoint or a bare state_dict, of AudioSep, its retrainings or the
                baseline of DCASE 2024's task 9.
            sample_rate: in hertz; by default 32 000 with an n_fft of 2048, 16 000 with 1024.
            hop_length: in samples; by default 320 and 160.
            **kwargs: arguments of the class, such as query_encoder (by default none).

        Raises:
            ValueError: for another file, naming what does not fit, and for an n_fft that is of no
                published model, without sample_rate and hop_length.
        """
        official = load_audiosep(path, sample_rate, hop_length)
        model = cls(**{"query_encoder": None, "vocabulary": {}, **official.model_args, **kwargs})
        model.masker.load_state_dict(official.state_dict)
        return model.eval()

    def forward_masker(self, tf_rep: Tensor, query: QueryEmbedding) -> Tensor:
        """Finds the masks of all queries: (B, 2·F, T) to (B, Q, F, T)."""
        if self.training:
            return super().forward_masker(tf_rep, query)
        mag = self.masker_input(tf_rep)
        check_input(mag, query, query.pooled.shape[-1])
        # One after the other: they would share nothing but the memory.
        mags = mag.repeat_interleave(query.num_queries, dim=0).split(1)
        pairs = zip(mags, query.split(), strict=True)
        masks = torch.cat([self.masker.forward_complex(mag, one) for mag, one in pairs])
        return masks.view(*query.pooled.shape[:2], *masks.shape[2:])
