"""AudioSep's checkpoints: the numbers of the authors' code, and files that are not theirs."""

from __future__ import annotations

import pytest
import torch
from published_weights import query_of, read_peer, small_audiosep

from asteroid_bimodal.models import AudioSep, BiModalUNet, load_separator


@pytest.fixture
def checkpoint(tmp_path):
    """Writes a small checkpoint, changed: in Lightning's layout, or bare."""

    def write(change=lambda state: None, bare=False):
        state = small_audiosep()
        change(state)
        content = state if bare else {"state_dict": state, "epoch": 3, "optimizer_states": []}
        torch.save(content, tmp_path / "small.ckpt")
        return tmp_path / "small.ckpt"

    return write


@pytest.mark.parametrize(
    ("name", "rate", "hop"), [("audiosep_full", 32000, 320), ("audiosep_dcase16k", 16000, 160)]
)
def test_the_numbers_of_the_authors_code(name, rate, hop, tmp_path):
    peer = read_peer(name)
    torch.save({"state_dict": peer.state}, tmp_path / "a.ckpt")
    model = AudioSep.from_audiosep(tmp_path / "a.ckpt")
    assert (model.sample_rate, model.hop_length) == (rate, hop)
    expected = peer.outputs["waveform"]
    query = query_of(peer.outputs["condition"].unsqueeze(1))
    with torch.no_grad():
        estimates = model(peer.outputs["mixture"], query).squeeze(1)
    assert (estimates - expected).abs().max() < 2e-5 * expected.abs().max()
    # Each of these mistakes is far beyond.
    with torch.no_grad():
        swapped = model(peer.outputs["mixture"], query_of(query.pooled.flip(0))).squeeze(1)
    assert (swapped - expected).abs().max() > 0.1 * expected.abs().max()


@pytest.mark.parametrize("bare", [False, True])
def test_both_layouts_give_a_model_that_is_saved_and_loaded(bare, checkpoint, tmp_path):
    model = AudioSep.from_audiosep(checkpoint(bare=bare), sample_rate=8000, hop_length=40)
    model.save_pretrained(tmp_path / "out")
    loaded, wav = load_separator(tmp_path / "out"), torch.randn(2, 500)
    query = query_of(torch.randn(2, 3, 4))
    assert loaded.vocabulary.kinds == {}  # any word
    assert type(loaded) is AudioSep and loaded.get_model_args() == model.get_model_args()
    with torch.no_grad():
        torch.testing.assert_close(loaded(wav, query), model(wav, query))


CHANGES = {
    "head.weight is missing": lambda s: s.pop("ss_model.base.after_conv.weight"),
    "surplus is unexpected": lambda s: s.update({"ss_model.base.surplus": torch.ones(2)}),
    r"stem.bias has shape \(3,\) instead of \(2,\)": lambda s: s.update(
        {"ss_model.base.pre_conv.bias": torch.ones(3)}
    ),
    "Expected a checkpoint of AudioSep": lambda s: s.pop("ss_model.base.bn0.weight"),
    "no usable 'middle.shift1.weight'": lambda s: s.pop(
        "ss_model.film.conv_block7a->conv_block1->beta1.weight"
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_fit_is_named(message, checkpoint):
    with pytest.raises(ValueError, match=message):
        AudioSep.from_audiosep(checkpoint(CHANGES[message]), 8000, 40)


def test_an_unknown_rate_is_asked_for(checkpoint):
    with pytest.raises(ValueError, match="n_fft of 128, .* give its sample_rate and hop_length"):
        AudioSep.from_audiosep(checkpoint())
    with pytest.raises(ValueError, match="hop_length"):
        AudioSep.from_audiosep(checkpoint(), sample_rate=8000)


def test_the_paper_s_reader_and_a_saved_model_are_told_what_it_is(checkpoint):
    path = checkpoint()
    with pytest.raises(ValueError, match=f"checkpoint of AudioSep.*import {path} FOLDER"):
        load_separator(path)
    with pytest.raises(ValueError, match="net_|release"):
        BiModalUNet.from_official(path)


def test_phases_are_turned_in_eval_mode_alone(checkpoint):
    model = AudioSep.from_audiosep(checkpoint(), 8000, 40)
    wav, query = torch.randn(1, 500), query_of(torch.randn(1, 2, 4))
    separated = model.separate_spectra(wav, query).masks
    trained = model.train().separate_spectra(wav, query).masks
    assert separated.is_complex() and not trained.is_complex()
    assert (trained[:, :, -1] == 0).all() and (separated[:, :, -1] == 0).all()
