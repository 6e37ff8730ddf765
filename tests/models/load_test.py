"""Separators of every kind: saved, loaded as what they are, refused when they are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from miniatures.events import render_event

from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import (
    AudioSep,
    BiModalUNet,
    CLIPSep,
    LASSNet,
    LightBiModalUNet,
    load_separator,
)
from asteroid_bimodal.queries import QueryEmbedding

ARGS = {"sample_rate": 8000, "n_fft": 64, "hop_length": 16, "query_encoder": None}
SMALL = {
    BiModalUNet: {"cond_dim": 6, "pooled_dim": 4, "num_downs": 5, "ngf": 2, "num_heads": 2},
    CLIPSep: {"pooled_dim": 4, "num_downs": 3, "ngf": 2, "out_dim": 3, "log_freq_bins": 16},
    AudioSep: {"pooled_dim": 4, "num_downs": 2, "ngf": 2},
    LightBiModalUNet: {"cond_dim": 6, "pooled_dim": 4, "num_downs": 5, "ngf": 2, "num_heads": 2},
    LASSNet: {"pooled_dim": 4, "num_downs": 2, "ngf": 2, "film_dim": 4},
}


def build(kind):
    torch.manual_seed(0)
    return kind(**ARGS, **SMALL[kind]).eval()


def query(count=3):
    torch.manual_seed(1)
    mask = torch.ones(1, count, 5, dtype=torch.bool)
    return QueryEmbedding(torch.randn(1, count, 5, 6), mask, torch.randn(1, count, 4))


@pytest.mark.parametrize("kind", SMALL)
def test_a_separator_is_loaded_as_what_it_is(kind, tmp_path):
    model, wav = build(kind), torch.randn(1000)
    model.save_pretrained(tmp_path)
    loaded = load_separator(tmp_path)
    assert type(loaded) is kind and not loaded.training
    with torch.no_grad():
        torch.testing.assert_close(loaded(wav, query()), model(wav, query()))


@pytest.mark.parametrize("kind", SMALL)
def test_masks_lie_between_nothing_and_all(kind):
    with torch.no_grad():
        spectra = build(kind).separate_spectra(torch.randn(1, 1000), query())
    assert spectra.masks.shape == spectra.estimates.shape
    assert (spectra.gains >= 0).all() and (spectra.gains <= 1).all()


@pytest.mark.parametrize("name", ["ConvTasNet", "nonsense", 3])
def test_what_is_no_separator_of_ours_is_refused(name, tmp_path):
    build(CLIPSep).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_name": name}))
    with pytest.raises(ValueError, match="Expected a separator of AudioSep, BiModalUNet, CLIPSep"):
        load_separator(tmp_path)


@pytest.mark.parametrize("name", ["mini", "mini-events"])
def test_the_shipped_models_are_finite(name):
    """Half precision once made variances of norms infinite: those channels were constant."""
    values = load_separator(name).state_dict().values()
    assert all(torch.isfinite(value).all() for value in values if value.is_floating_point())


@pytest.mark.parametrize(
    "queries", [["church bell ringing", "people clapping"], ["bells", "a crowd claps"]]
)
def test_the_shipped_events_model_separates_what_it_has_not_heard(queries):
    rng, labels = np.random.default_rng(1), ["church bell ringing", "people clapping"]
    takes = [torch.from_numpy(render_event(label, 4.0, 8000, rng)).float() for label in labels]
    references = torch.stack([take / take.square().mean().sqrt() for take in takes])
    mixture = references.sum(0)
    estimates = load_separator("mini-events").separate(mixture, queries, sample_rate=8000).estimates
    before = bss_eval(mixture.expand_as(references), references)["sdr"]
    assert (bss_eval(estimates, references)["sdr"] - before > 3.0).all()
