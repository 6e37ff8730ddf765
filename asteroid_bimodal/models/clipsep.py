"""CLIPSep's separator, which is also that of The Sound of Pixels."""

from __future__ import annotations

from os import PathLike
from typing import Any

from torch import Tensor

from ..masknn.sound_unet import SoundUNet
from .official_clipsep import load_clipsep
from .queried import QueriedSeparator


class CLIPSep(QueriedSeparator):
    """Separates what queries name, with masks of a `SoundUNet`; see `QueriedSeparator` for its use.

    CLIPSep's queries are CLIP embeddings of frames or texts, those of The Sound of Pixels features
    of frames.

    Args:
        binary_masks: let each place through whole where its mask is above one half, in eval mode,
            as the authors' scripts do; else masks are as they are.

    References:
        Dong et al., "CLIPSep: learning text-queried sound separation with noisy unlabeled videos",
        ICLR 2023. Zhao et al., "The sound of pixels", ECCV 2018.
    """

    masker_class = SoundUNet

    def __init__(self, *args: Any, binary_masks: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.binary_masks = binary_masks

    @classmethod
    def from_clipsep(cls, path: str | PathLike, **kwargs: Any) -> CLIPSep:
        """Loads a checkpoint of CLIPSep's authors, in eval mode; nothing in it is run.

        Args:
            path: their `best_model.pt`.
            **kwargs: arguments of the class that replace the authors': query_encoder (by default
                their CLIP, `clip:openai/clip-vit-base-patch32|raw`), sample_rate, binary_masks, ….

        Raises:
            ValueError: for another file, naming what does not fit.
        """
        official = load_clipsep(path)
        model = cls(**{"vocabulary": {}, **official.model_args, **kwargs})
        model.masker.load_state_dict(official.state_dict)
        return model.eval()

    def forward_masker(self, tf_rep: Tensor, query: Any) -> Tensor:
        """Finds the masks of all queries: (B, 2·F, T) to (B, Q, F, T)."""
        masks = super().forward_masker(tf_rep, query)
        if self.binary_masks and not self.training:
            return (masks > 0.5).to(masks.dtype)
        return masks

    def get_model_args(self) -> dict[str, Any]:
        """Returns the arguments that build this model again, all of them plain values."""
        return {**super().get_model_args(), "binary_masks": self.binary_masks}
