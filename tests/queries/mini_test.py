"""The small CLIP and ResNet of the package know the pictures of the miniature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from miniatures.frames import draw_frames
from miniatures.music import LABELS

from asteroid_bimodal.queries import load_query_encoder, phrase_prompt

TAKES = 6


@pytest.fixture(scope="module")
def pictures():
    """New pictures, take by take of all instruments."""
    return [
        draw_frames([label], 1, np.random.default_rng((take, index, 77)))[0]
        for take in range(TAKES)
        for index, label in enumerate(LABELS)
    ]


def test_words_find_their_pictures(pictures):
    text, image = load_query_encoder("clip:mini"), load_query_encoder("clip-image:mini")
    assert (str(text.spec), str(image.spec)) == ("clip:mini", "clip-image:mini")
    words = text([[phrase_prompt(label) for label in LABELS]]).pooled[0]
    heard = (image([pictures]).pooled[0] @ words.T).argmax(1)
    right = heard == torch.arange(len(LABELS)).repeat(TAKES)
    assert right.float().mean() > 0.7


def test_features_of_an_instrument_are_near_each_other(pictures):
    encoder = load_query_encoder("resnet:mini|56")
    assert str(encoder.spec) == "resnet:mini|56"
    features = torch.nn.functional.normalize(encoder([pictures]).pooled[0], dim=-1)
    known, new = features[: 3 * len(LABELS)], features[3 * len(LABELS) :]
    means = known.view(3, len(LABELS), -1).mean(0)
    right = (new @ means.T).argmax(1) == torch.arange(len(LABELS)).repeat(TAKES - 3)
    assert right.float().mean() > 0.5
