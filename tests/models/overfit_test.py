"""Each separator learns, in seconds, to tell two tones by their queries."""

from __future__ import annotations

import pytest
import torch

from asteroid_bimodal.metrics import bss_eval
from asteroid_bimodal.models import AudioSep, BiModalUNet, CLIPSep, LASSNet, LightBiModalUNet
from asteroid_bimodal.queries import QueryEmbedding

STFT = {"sample_rate": 8000, "n_fft": 126, "hop_length": 32, "query_encoder": None}
SMALL = {
    BiModalUNet: dict(out_dim=8, cond_dim=4, pooled_dim=2, num_downs=5, ngf=4, num_heads=2),
    CLIPSep: dict(out_dim=8, pooled_dim=2, num_downs=4, ngf=4, log_freq_bins=None),
    AudioSep: dict(pooled_dim=2, num_downs=3, ngf=4),
    LightBiModalUNet: dict(out_dim=8, cond_dim=4, pooled_dim=2, num_downs=5, ngf=4, num_heads=2),
    LASSNet: dict(pooled_dim=2, num_downs=2, ngf=4, film_dim=8),
}


def tones(batch, generator):
    """Two tones of random phases and levels: (B, 2, T)."""
    time = torch.arange(2016) / 8000
    phase = 6.28 * torch.rand(batch, 2, 1, generator=generator)
    level = 0.2 + 0.6 * torch.rand(batch, 2, 1, generator=generator)
    hertz = torch.tensor([600.0, 1700.0])[:, None]
    return level * torch.sin(2 * torch.pi * hertz * time + phase)


def query(batch):
    """Two embeddings at right angles."""
    pooled = torch.eye(2).expand(batch, 2, 2)
    tokens = torch.eye(2, 4)[None, :, None].expand(batch, 2, 1, 4)
    return QueryEmbedding(tokens, torch.ones(batch, 2, 1, dtype=torch.bool), pooled)


@pytest.mark.parametrize("kind", SMALL)
def test_a_separator_learns_two_tones(kind):
    torch.manual_seed(0)
    model, generator = kind(**STFT, **SMALL[kind]), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(50):
        sources = tones(4, generator)
        spectra = model.separate_spectra(sources.sum(1), query(4))
        loss = (spectra.estimates - model.magnitude(sources)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    unseen = tones(1, torch.Generator().manual_seed(1))
    mixture = unseen.sum(1)
    estimates = model.separate(mixture, query(1), sample_rate=8000).estimates[0]
    sdr = bss_eval(estimates, unseen[0])["sdr"]
    assert (sdr > 20).all()
