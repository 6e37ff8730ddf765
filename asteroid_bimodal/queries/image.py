"""Queries that are pictures: CLIP's image tower, and ResNet features of video frames.

Legend: B mixtures, Q queries of each, L positions, D token size, E pooled size, n images.
"""

from __future__ import annotations

import copy
import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..utils.checkpoints import first_line
from ..utils.frozen import FrozenModule, freeze_norms
from ..utils.pretrained import SHIPPED, explained, find_model, load_network
from .base import QueryBatch, QueryEncoder, QueryItem
from .embedding import EmbeddingCache, EncodedQuery, QueryEmbedding
from .files import file_key, is_file
from .spec import EncoderSpec, whole_number

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageQuery = str | os.PathLike | bytes | Image

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_MOST_PIXELS = 64_000_000  # 256 MB
_BATCH = 64  # images at a time
_KEPT = 2_000  # embeddings in memory; an image has as many numbers as a hundred texts
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_IMAGENET_CROP = 224 / 256


class ImageEncoder(FrozenModule, QueryEncoder):
    """Base of the frozen image towers; a kind of them defines `run`.

    A query is the path of an image, the content of such a file or a `PIL.Image.Image`. The network
    sees a square of side `image_size`, which covers the share `crop` of the image's shorter side.
    """

    modality, has_weights = "image", True

    def __init__(
        self,
        network: nn.Module,
        image_size: int,
        crop: float,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__(network)
        _import_pillow()
        self.cache = EmbeddingCache(_KEPT)
        self.image_size, self._crop = image_size, crop
        self._mean, self._std = torch.tensor(mean), torch.tensor(std)

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the network: (n, 3, image_size, image_size) to tokens (n, L, D), pooled (n, E)."""
        raise NotImplementedError(f"{type(self).__name__} has to define `run`.")

    def _weights(self) -> list[Any]:
        return [self.network]

    def encode_need(self, batch: QueryBatch, need: str) -> QueryEmbedding:
        """Takes a source's frame for its phrase, the mean of a mixture's for its caption."""
        if not any(batch.frames):
            raise ValueError(
                "Expected a frame for each phrase, received none. Set data.frames for a system "
                "whose queries are pictures."
            )
        if need == "phrases":
            return self(batch.flat_frames)
        if need != "captions":
            raise ValueError(
                "Expected loss terms of captions and phrases for a system whose queries are "
                "pictures, received one of absent sounds or outputs. Leave it out of the loss."
            )
        return self.encode_means(batch)

    def item_queries(self, item: QueryItem) -> list[str]:
        """Returns the frame of each source."""
        return item.frames

    def check(self, query: ImageQuery) -> None:
        """Raises a ValueError for what is no picture."""
        if isinstance(query, (bytes, _import_pillow().Image)):
            return
        if not is_file(query):
            raise ValueError(
                f"Expected the path of an image or a PIL.Image.Image, received {query!r}. The "
                f"queries of this model are pictures: check the path, or load a model for texts."
            )

    def key(self, query: ImageQuery) -> str:
        """Returns what is the same for equal pictures."""
        if isinstance(query, bytes):
            return f"image file {hashlib.sha256(query).hexdigest()}"
        if not isinstance(query, (str, os.PathLike)):
            pixels = query.convert("RGB")
            content = f"{pixels.size}".encode() + pixels.tobytes()
            return f"image {hashlib.sha256(content).hexdigest()}"
        return file_key(query)

    @torch.inference_mode(False)  # cached embeddings must serve training, too
    @torch.no_grad()
    def encode(self, queries: list[ImageQuery]) -> list[EncodedQuery]:
        """Encodes distinct pictures."""
        encoded = []
        for start in range(0, len(queries), _BATCH):
            pixels = torch.stack([self.pixels(query) for query in queries[start : start + _BATCH]])
            with torch.autocast(self.device.type, enabled=False):
                # To main memory as a batch: each copy waits for the device.
                tokens, pooled = (part.cpu() for part in self.run(pixels.to(self.device)))
            mask = torch.ones(tokens.shape[1], dtype=torch.bool)
            encoded += [
                EncodedQuery(token.clone(), mask, vector.clone())
                for token, vector in zip(tokens, pooled, strict=True)
            ]
        return encoded

    def pixels(self, query: ImageQuery) -> Tensor:
        """Reads, resizes (bicubic) and centre-crops a picture: (3, image_size, image_size)."""
        pillow = _import_pillow()
        shorter, size = int(self.image_size / self._crop), self.image_size
        if isinstance(query, (str, os.PathLike, bytes)):
            source = io.BytesIO(query) if isinstance(query, bytes) else query
            try:
                # Of others, such as EPS, Pillow starts programs.
                with pillow.open(source, formats=_FORMATS) as file:
                    _check_pixels(file, shorter)
                    image = file.convert("RGB")
            except Exception as error:  # Pillow raises anything for files that nobody would write
                raise ValueError(
                    f"Expected an image at {_name(query)}, got: {first_line(error)}. Convert it to "
                    "PNG or JPEG of a usual size."
                ) from error
        else:
            image = query.convert("RGB")
        width, height = (int(side * shorter / min(image.size)) for side in image.size)
        image = image.resize((width, height), pillow.Resampling.BICUBIC)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
        values = torch.from_numpy(np.array(image, dtype=np.float32) / 255)  # (H, W, 3)
        return ((values - self._mean) / self._std).permute(2, 0, 1)


def _name(query: Any) -> str:
    return f"{len(query)} bytes of a shard" if isinstance(query, bytes) else str(query)


def _check_pixels(image: Image, shorter: int) -> None:
    """Raises ValueError for a picture that would fill the memory; nothing is decoded yet."""
    if image.width * image.height > _MOST_PIXELS:
        image.draft("RGB", (2 * shorter, 2 * shorter))  # JPEG can be decoded at a part of its size
    if image.width * image.height > _MOST_PIXELS or max(image.size) > 100 * min(image.size):
        raise ValueError(f"it has {image.width} × {image.height} pixels")


class ClipImageEncoder(ImageEncoder):
    """CLIP's frozen image encoder: patch states, and the embedding that CLIP compares with texts.

    The network is shared with a `ClipTextEncoder` of the same name.

    Args:
        name: `"mini"` (shipped with the package, for the miniature's frames), a folder, or a model
            of the Hugging Face hub.

    Shape:
        - queries: B lists of Q pictures
        - output: tokens (B, Q, L, D) of the picture and its patches; pooled (B, Q, E), projected
          and L2-normalised

    Raises:
        ValueError: when there is no such model, or Pillow is not installed.

    References:
        Radford et al., "Learning transferable visual models from natural language supervision",
        ICML 2021.
    """

    kind, siblings = "clip-image", {"text": "clip"}

    def __init__(self, name: str | Path = "openai/clip-vit-base-patch32") -> None:
        source = find_model(name, "openai/clip-vit-base-patch32", "mini_clip")
        with explained(source, "a CLIP", SHIPPED):
            network = load_network("CLIPModel", source, ("clip",))
        vision = network.config.vision_config
        super().__init__(network, vision.image_size, 1.0, _CLIP_MEAN, _CLIP_STD)
        self.spec = EncoderSpec(self.kind, str(name))
        self.token_dim = vision.hidden_size
        self.pooled_dim = network.config.projection_dim

    def _identity(self) -> tuple[Any, ...]:
        return "clip-image", self.network.vision_model, self.network.visual_projection

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Runs CLIP's image tower."""
        output = self.network.get_image_features(pixel_values=pixels)
        return output.last_hidden_state, normalize(output.pooler_output, dim=-1)


class ResNetFrameEncoder(ImageEncoder):
    """Features of a frame by a frozen ResNet whose last stage is dilated, as in Sound of Pixels.

    The last stage keeps the resolution of the one before; its filters reach twice as far instead.

    Args:
        name: `"mini"` (shipped with the package, for the miniature's frames), a folder, or a model
            of the Hugging Face hub.
        image_size: side of the square that the network sees; 56 suits `"mini"`.

    Shape:
        - queries: B lists of Q frames
        - output: tokens (B, Q, L, D), one for each position of the last maps, of which each step is
          16 pixels; pooled (B, Q, D), the greatest value over the positions, centred over the
          features, which all are positive, and L2-normalised

    Raises:
        ValueError: when there is no such model, or Pillow is not installed.

    References:
        Zhao et al., "The sound of pixels", ECCV 2018.
    """

    kind = "resnet"

    def __init__(self, name: str | Path = "microsoft/resnet-18", *, image_size: int = 224) -> None:
        if not 32 <= image_size <= 1024:
            raise ValueError(f"Expected an image_size from 32 to 1024, received {image_size}.")
        source = find_model(name, "microsoft/resnet-18", "mini_resnet")
        with explained(source, "a ResNet", SHIPPED):
            network = _dilated(load_network("ResNetModel", source, ("resnet",)))
        super().__init__(network, image_size, _IMAGENET_CROP, _IMAGENET_MEAN, _IMAGENET_STD)
        self.spec = EncoderSpec(
            self.kind, str(name), None if image_size == 224 else str(image_size)
        )
        self.token_dim = self.pooled_dim = network.config.hidden_sizes[-1]

    @classmethod
    def from_spec(cls, spec: EncoderSpec) -> ResNetFrameEncoder:
        """Builds the encoder of `resnet:NAME` or `resnet:NAME|SIZE`."""
        if spec.options is None:
            return cls(spec.name)
        return cls(spec.name, image_size=whole_number(spec.options, "size in pixels"))

    def _options(self) -> str:
        return str(self.image_size)

    def _identity(self) -> tuple[Any, ...]:
        return f"resnet centred {self.image_size}", self.network

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the ResNet."""
        maps = self.network(pixel_values=pixels).last_hidden_state  # (n, D, H, W)
        greatest = maps.amax(dim=(2, 3))  # (n, D)
        centred = greatest - greatest.mean(-1, keepdim=True)
        return maps.flatten(2).transpose(1, 2), normalize(centred, dim=-1)


def _dilated(network: Any) -> Any:
    """Copies a ResNet; in the copy the last stage has dilation 2 in place of stride 2."""
    network = copy.deepcopy(network)
    for layer in network.encoder.stages[-1].modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        strided, wide = layer.stride == (2, 2), layer.kernel_size == (3, 3)
        layer.stride = (1, 1)
        if wide and not strided:
            layer.dilation = layer.padding = (2, 2)
    freeze_norms(network)
    return network


def _import_pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise ValueError(
            "Expected Pillow, which reads pictures, found it not installed. Run `pip install "
            "'asteroid-bimodal[image]'` or `pip install pillow`, without a network from a copy of "
            "its wheel, or ask with texts."
        ) from error
    return PIL.Image
