"""One training step of the release, reproduced: every loss, and every gradient.

In training mode BatchNorm sees the batch of one query at a time in the release, so the masker is
called once per query here.
"""

from __future__ import annotations

import pytest
import torch
from release import CHECKPOINT, embedding, facts, tensors
from torchaudio.functional import resample

from asteroid_bimodal.losses import HierarchicalReconstructionLoss, bimodal_contrastive
from asteroid_bimodal.models import BiModalUNet
from asteroid_bimodal.models.official import rename, split_attention

N, P = 2, 2  # mixtures of an example, phrases of a mixture


@pytest.fixture(scope="module")
def step():
    """The losses, and the model with its gradients."""
    data, expected = tensors("train_step"), facts("train_step")
    config = expected["cfg"]
    model = BiModalUNet.from_official(CHECKPOINT)
    model = BiModalUNet(
        **{
            **model.get_model_args(),
            "n_fft": config["stft_frame"],
            "hop_length": config["stft_hop"],
        }
    )
    model.masker.load_state_dict(BiModalUNet.from_official(CHECKPOINT).masker.state_dict())
    model.train()
    captions = [
        separate(model, data["mix_wav"], data["hidden_mix"][:, n], data["text_embed_mix"][:, n])
        for n in range(N)
    ]
    phrases = [
        [
            separate(
                model, data["mix_wav"], data["hidden_src"][:, n, k], data["text_embed_src"][:, n, k]
            )
            for k in range(P)
        ]
        for n in range(N)
    ]
    terms = HierarchicalReconstructionLoss()(
        torch.cat([one.estimates for one in captions], dim=1),
        torch.stack([torch.cat([one.estimates for one in row], dim=1) for row in phrases], dim=1),
        model.magnitude(data["audios"]),
        captions[0].magnitude,
        data["source_weights"],
    )
    cnt = sum(contrast(model, phrases[n], n, data, config["logit_scale"]) for n in range(N))
    total = terms.total + 0.5 * cnt
    total.backward()
    return terms, cnt, total, model, data, expected


def separate(model, wav, tokens, pooled):
    """One query of every example."""
    return model.separate_spectra(wav, embedding(tokens.unsqueeze(1), pooled.unsqueeze(1)))


def contrast(model, estimates, n, data, scale):
    wavs = torch.cat([model.to_wav(one.estimates, one)[:, 0] for one in estimates])  # (P·B, T)
    texts = data["text_embed_src"][:, n].transpose(0, 1).flatten(0, 1)
    return bimodal_contrastive(stand_in_tower(wavs, data["standin_audio_W"]), texts, scale)


def stand_in_tower(wavs, weight):
    """The audio tower that the fixture was made with."""
    wavs = resample(wavs, 16000, 48000)
    segments = wavs[:, : wavs.shape[1] // 64 * 64].unflatten(1, (64, -1))
    return torch.nn.functional.normalize(segments.abs().mean(dim=2) @ weight, dim=1)


def test_losses(step):
    terms, cnt, total, _, _, expected = step
    assert terms.url.item() == pytest.approx(expected["unsup_recons_loss"], rel=1e-5)
    assert terms.crl.item() == pytest.approx(expected["cns_recons_loss"], rel=1e-5)
    assert cnt.item() == pytest.approx(expected["cnt_loss"], rel=1e-5)
    assert total.item() == pytest.approx(expected["loss"], rel=1e-5)


def gradients(model):
    return {name: parameter.grad for name, parameter in model.masker.named_parameters()}


def test_gradients(step):
    *_, model, data, _ = step
    theirs = {k.removeprefix("grad."): v for k, v in data.items() if k.startswith("grad.")}
    ours = gradients(model)
    for name, expected in split_attention(rename(theirs)).items():
        # Sums over all positions cancel: what is left of them is no more exact than their parts.
        limit = 1e-4 * max(expected.abs().max().item(), 0.05)
        torch.testing.assert_close(ours[name], expected, rtol=1e-4, atol=limit, msg=name)


def test_norm_of_every_gradient(step):
    *_, model, _, expected = step
    ours = gradients(model)
    norms = {name: torch.tensor(norm) for name, norm in expected["grad_norms"].items()}
    for name, theirs in rename(norms).items():
        if ".qkv." in name:
            parts = [ours[name.replace(".qkv.", part)].norm() for part in (".q.", ".kv.")]
            norm = torch.stack(parts).norm()
        else:
            norm = ours[name].norm()
        torch.testing.assert_close(norm, theirs, rtol=1e-3, atol=1e-5, msg=name)


def test_no_parameter_goes_without_a_gradient(step):
    """The release has six that nothing uses; they do not exist here."""
    *_, model, _, expected = step
    assert all(gradient is not None for gradient in gradients(model).values())
    assert len(expected["trainables_without_grad"]) == 6
    assert all(".ca_blocks.0.norm1." in name for name in expected["trainables_without_grad"])
