"""URL, CRL, CNT, total and gradients equal those of the paper's official code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asteroid_bimodal.losses import (
    ClapSimilarityLoss,
    HierarchicalReconstructionLoss,
    bimodal_contrastive,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "losses"


class LookUp:
    """A scorer whose waveforms are the embeddings themselves."""

    sample_rate = 8000

    def __init__(self, logit_scale, texts):
        self.logit_scale = logit_scale
        self.texts = texts

    def embed_audio(self, wav, sample_rate):
        return wav

    def embed_text(self, texts):
        return torch.stack([self.texts[int(text.split()[0])] for text in texts])


@pytest.fixture(scope="module")
def release():
    expected = json.loads((FIXTURES / "release.json").read_text())
    return load_file(FIXTURES / "release.safetensors"), expected


def reconstruction(data):
    captions = data["pred_mix_mags"].requires_grad_()
    phrases = data["pred_src_mags"].requires_grad_()
    args = (captions, phrases, data["raw_mags"], data["mag_mix"][:, 0], data["source_weights"])
    return HierarchicalReconstructionLoss()(*args), captions, phrases


def contrast(data, expected):
    """The release contrasts the phrases of the n-th mixtures, for one n at a time."""
    audio = data["audio_embed_km"].requires_grad_()
    text = data["text_embed_src"].permute(1, 2, 0, 3).flatten(1, 2)  # (N, P*B, E)
    scale = expected["logit_scale_a_exp"]
    return sum(bimodal_contrastive(a, t, scale) for a, t in zip(audio, text, strict=True)), audio


def test_losses_and_total(release):
    data, expected = release
    terms, _, _ = reconstruction(data)
    cnt, _ = contrast(data, expected)
    assert terms.url.item() == pytest.approx(expected["unsup_recons_loss"], rel=1e-5)
    assert terms.crl.item() == pytest.approx(expected["cns_recons_loss"], rel=1e-5)
    assert cnt.item() == pytest.approx(expected["cnt_loss"], rel=1e-5)
    total = expected["contrastive_weight"] * cnt + terms.total
    assert total.item() == pytest.approx(expected["loss"], rel=1e-5)


def test_gradients(release):
    data, expected = release
    terms, captions, phrases = reconstruction(data)
    cnt, audio = contrast(data, expected)
    loss = expected["contrastive_weight"] * cnt + terms.total
    grads = torch.autograd.grad(loss, (captions, phrases, audio))
    names = ("grad_pred_mix_mags", "grad_pred_src_mags", "grad_audio_embed_km")
    for grad, name in zip(grads, names, strict=True):
        torch.testing.assert_close(grad, data[name], rtol=1e-4, atol=1e-4 * data[name].abs().max())


def test_similarity_loss_has_the_switches_of_the_release(release):
    data, expected = release
    cnt = 0
    for n in range(2):
        text = data["text_embed_src"][:, n].flatten(0, 1)
        audio = data["audio_embed_km"][n].view(3, 3, -1).transpose(0, 1)  # (B, P, E)
        scorer = LookUp(expected["logit_scale_a_exp"], text)
        loss = ClapSimilarityLoss(scorer, symmetric=False, equal_phrases="negative")
        cnt += loss(audio, [[f"{3 * b + p} phrase" for p in range(3)] for b in range(3)])
    assert cnt.item() == pytest.approx(expected["cnt_loss"], rel=1e-5)


def test_equal_phrases_as_positives_cost_less_by_default(release):
    """The release punishes a repeated phrase for matching its twin."""
    data, expected = release
    for n in range(2):
        text = data["text_embed_src"][:, n].flatten(0, 1)
        audio = data["audio_embed_km"][n].view(3, 3, -1).transpose(0, 1).flatten(0, 1)
        same = text @ text.T > 1 - 1e-5
        assert same.sum() > len(same)
        scale = expected["logit_scale_a_exp"]
        assert bimodal_contrastive(audio, text, scale, same) < bimodal_contrastive(
            audio, text, scale
        )
