"""CLIPSep's checkpoints: the numbers of the authors' code, and files that are not theirs."""

from __future__ import annotations

import pytest
import torch
from published_weights import query_of, read_peer

from asteroid_bimodal.models import CLIPSep, load_separator


@pytest.fixture(scope="module")
def peer():
    return read_peer("clipsep_full")


@pytest.fixture(scope="module")
def path(peer, tmp_path_factory):
    path = tmp_path_factory.mktemp("clipsep") / "best_model.pt"
    torch.save(peer.state, path)
    return path


@pytest.fixture(scope="module")
def model(path):
    return CLIPSep.from_clipsep(path, query_encoder=None)


def test_the_numbers_of_the_authors_code(peer, model):
    expected, query = peer.outputs, query_of(peer.outputs["embedding"][:1, None])
    with torch.no_grad():
        spectra = model.separate_spectra(expected["mixture"][None], query, noise=True)
        wav = model.decode(spectra)[0, 0, 0]
    found = {
        "mask0_f4t4": spectra.masks[0, 0, ::4, ::4],
        "noise0a_f8t8": spectra.noise_masks[0, 0, ::8, ::8],
        "noise0b_f8t8": spectra.noise_masks[0, 1, ::8, ::8],
    }
    for name, mask in found.items():
        error = (mask - expected[name]).abs()
        assert error.max() < 1e-3 and error.mean() < 1e-5, name
    reference = expected["waveform0_soft"]
    assert (wav - reference).abs().max() < 5e-4 * reference.abs().max()


def test_binary_masks_let_places_through_whole_or_not(path, peer):
    model = CLIPSep.from_clipsep(path, query_encoder=None, binary_masks=True)
    query = query_of(peer.outputs["embedding"][None])
    with torch.no_grad():
        soft = model.train(False).masker(
            model.masker_input(model.forward_encoder(peer.outputs["mixture"][None, None])[:, 0]),
            query,
        )
        binary = model.separate_spectra(peer.outputs["mixture"][None], query).masks
    assert torch.equal(binary, (soft > 0.5).float())


def test_it_is_saved_and_loaded(model, peer, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = load_separator(tmp_path)
    assert loaded.vocabulary.kinds == {}  # any word
    assert type(loaded) is CLIPSep and loaded.get_model_args() == model.get_model_args()
    assert torch.equal(loaded.masker.levels[0].down_conv.weight, peer.state[OUTERMOST])


OUTERMOST = "module.sound_net.unet_block.model.0.weight"
CHANGES = {
    "Expected a checkpoint of CLIPSep": lambda s: s.pop("module.frame_net.weight"),
    "synth is unexpected": lambda s: s.update(synth=torch.ones(1)),
    "head.scale is missing": lambda s: s.pop("module.synth_net.scale"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_fit_is_named(message, peer, tmp_path):
    state = {
        key: torch.zeros([size // 16 if size >= 64 else size for size in value.shape])
        for key, value in peer.state.items()
    }
    CHANGES[message](state)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        CLIPSep.from_clipsep(tmp_path / "a.pt")
