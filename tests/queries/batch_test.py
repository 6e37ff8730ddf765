"""Queries of a training batch, in words and in pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import nn

from asteroid_bimodal.data.batches import Example, collate
from asteroid_bimodal.queries import LabelEncoder, UnconditionedEncoder
from asteroid_bimodal.queries.image import ImageEncoder

SHADES = {"violin": 250, "flute": 150, "tuba": 80, "cello": 10}


class Brightness(ImageEncoder):
    """Says how bright a picture is, once for each of two places."""

    token_dim = pooled_dim = 1

    def __init__(self):
        super().__init__(nn.Linear(1, 1), 4, 1.0, (0.0,) * 3, (1.0,) * 3)

    def run(self, pixels):
        mean = pixels.mean((1, 2, 3))[:, None]
        return mean[:, None].expand(-1, 2, -1), mean


@pytest.fixture
def batch(tmp_path):
    """Two examples of two mixtures of two sources, with a picture of each."""
    for label, shade in SHADES.items():
        Image.new("RGB", (4, 4), (shade,) * 3).save(tmp_path / f"{label}.png")

    def example(*groups):
        return Example(
            mixtures=torch.zeros(2, 8),
            captions=["violin", "flute"],
            phrases=[list(group) for group in groups],
            phrase_weights=torch.ones(2, 2),
            frames=[[str(tmp_path / f"{label}.png") for label in group] for group in groups],
        )

    return collate(
        [
            example(("violin", "flute"), ("tuba", "cello")),
            example(("cello", "violin"), ("flute", "tuba")),
        ]
    )


def test_a_phrase_is_a_frame_and_a_caption_all_frames_of_a_mixture(batch):
    asked = Brightness().encode_batch(batch, {"captions", "phrases", "labels"})
    assert list(asked) == ["captions", "phrases"]
    shades = torch.tensor([[250, 150, 80, 10], [10, 250, 150, 80]]) / 255
    torch.testing.assert_close(asked["phrases"].pooled[..., 0], shades)
    means = shades.unflatten(1, (2, 2)).mean(2)
    torch.testing.assert_close(asked["captions"].pooled[..., 0], means)
    tokens = shades.unflatten(1, (2, 2)).repeat_interleave(2, dim=2)  # (B, N, 4)
    torch.testing.assert_close(asked["captions"].tokens[..., 0], tokens)


def test_words(batch):
    asked = LabelEncoder(list(SHADES)).encode_batch(batch, {"captions", "phrases"})
    assert asked["captions"].pooled.argmax(-1).tolist() == [[0, 1], [0, 1]]
    assert asked["phrases"].pooled.argmax(-1).tolist() == [[0, 1, 2, 3], [3, 0, 1, 2]]


def test_captions_as_means_of_their_phrases(batch):
    asked = LabelEncoder(list(SHADES)).encode_batch(
        batch, {"captions", "phrases"}, mean_captions=True
    )
    both = [[[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0, 0, 1], [0, 1, 1, 0]]]
    torch.testing.assert_close(asked["captions"].pooled, torch.tensor(both) / math.sqrt(2))
    assert asked["captions"].tokens.argmax(-1).tolist() == [[[0, 1], [2, 3]], [[3, 0], [1, 2]]]
    assert asked["phrases"].pooled.argmax(-1).tolist() == [[0, 1, 2, 3], [3, 0, 1, 2]]


def test_outputs(batch):
    asked = UnconditionedEncoder(3).encode_batch(batch, {"outputs"})
    assert asked["outputs"].pooled.argmax(-1).tolist() == [[0, 1, 2]] * 2


def test_no_pictures(batch):
    with pytest.raises(ValueError, match="a frame for each phrase, received none. Set data.frames"):
        Brightness().encode_batch(replace(batch, frames=[[], []]), {"captions"})


@pytest.mark.parametrize("kind", ["absent", "outputs"])
def test_what_no_picture_can_ask_for(batch, kind):
    with pytest.raises(ValueError, match="queries are pictures.*Leave it out of the loss"):
        Brightness().encode_batch(batch, {kind})
