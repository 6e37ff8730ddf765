"""The paper's network has the release's weights: the same names, shapes and number."""

from __future__ import annotations

import math

import pytest
import torch
from release import facts

from asteroid_bimodal.masknn import CondUNet
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.models.official import read_config, rename, split_attention

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def layout():
    """The release's weights of the paper's size, without memory."""
    shapes = facts("key_layout")["official_size_non_clap_keys"]
    return {
        name.removeprefix("module."): torch.empty(shape, device="meta")
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def masker():
    with torch.device("meta"):
        return CondUNet()


def test_default_network_is_the_papers(layout):
    config = read_config(rename(layout))
    config["head_scale"] = 1.0  # weights say nothing of what they started from
    assert config == {**CondUNet(**config).get_config()}
    with torch.device("meta"):
        assert {**CondUNet().get_config(), "mask_padding": False} == config
        args = BiModalUNet(query_encoder=None).get_model_args()
    assert (args["sample_rate"], args["n_fft"], args["hop_length"]) == (16000, 1022, 256)


def test_names_and_shapes(layout, masker):
    theirs = {name: value.shape for name, value in split_attention(rename(layout)).items()}
    assert {name: value.shape for name, value in masker.state_dict().items()} == theirs


def test_number_of_parameters(layout, masker):
    theirs = sum(
        math.prod(value.shape)
        for name, value in layout.items()
        if not name.endswith(STATISTICS) and not name.startswith(("stft.", "istft."))
    )
    unused = 3 * 2 * 512  # LayerNorms that the release builds and never runs
    assert sum(p.numel() for p in masker.parameters()) == theirs - unused


def test_paper_clip_is_a_square_spectrogram():
    model = BiModalUNet(query_encoder=None, ngf=1)
    assert model.magnitude(torch.zeros(1, 131070)).shape == (1, 512, 512)
