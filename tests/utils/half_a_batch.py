"""A loss and its gradients, of some examples or shared by two processes: for tests."""

from __future__ import annotations

import torch
from torch import distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from asteroid_bimodal.engine.sync_norm import SyncNorms
from asteroid_bimodal.losses import ClapSimilarityLoss

PHRASES = [["a", "b"], ["c", "d"], ["d", "a"], ["e", "f"]]
CAPTIONS = [["a and b"], ["c and d"], ["d and a"], ["a and b"]]


class Means(nn.Module):
    """Embeds the means of eight parts of a waveform; texts get fixed random vectors."""

    sample_rate, logit_scale = 8000, 5.0

    def embed_audio(self, wav, sample_rate):
        return F.normalize(wav.unflatten(-1, (8, -1)).mean(-1), dim=-1)

    def embed_text(self, texts):
        seeds = [torch.Generator().manual_seed(hash_of(text)) for text in texts]
        return torch.stack([torch.randn(8, generator=seed).double() for seed in seeds])


def hash_of(text):
    return sum(map(ord, text))


def loss_of(examples, together):
    """The loss of some examples and its gradients; those of all processes are averaged."""
    torch.manual_seed(0)
    layers = [nn.Conv1d(1, 3, 5, padding=2), nn.BatchNorm1d(3), nn.Tanh(), nn.Conv1d(3, 2, 1)]
    network = nn.Sequential(*layers).double().train()
    wavs = torch.randn(4, 1, 64, dtype=torch.float64)[examples]
    if together:
        network = DistributedDataParallel(SyncNorms().apply(network))
    loss = ClapSimilarityLoss(Means(), gather=together)(
        network(wavs),
        [PHRASES[index] for index in examples],
        negatives=sorted({text for index in examples for text in CAPTIONS[index]}),
    )
    loss.backward()
    found = [loss.detach(), *(weight.grad for weight in network.parameters())]
    return [*found, *network.buffers()]


def rank_of_two(rank, folder):
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    torch.save(loss_of([rank, rank + 2], together=True), folder / f"{rank}.pt")
    distributed.destroy_process_group()
