"""Stage 2 of systems with a frozen timbre classifier: trains it on labelled training mixtures."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ..data.batches import Batch, collate
from ..data.loader import ExampleLoader
from ..dsp.spectral import magnitude, pad_for_stft, stft_pair
from ..scorers import TimbreClassifier
from .build import build_classifier
from .loaders import build_mixtures, labels_of
from .schema import Config


def train_classifier(conf: Config) -> TimbreClassifier:
    """Trains a classifier to tell which classes sound in natural mixtures.

    It sees what a weakly supervised separator may see: training mixtures and their labels, no
    single source unless `n_src` is 1.

    """
    torch.manual_seed(conf.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classifier = build_classifier(conf).to(device)
    encoder, _ = stft_pair(**conf.filterbank, sample_rate=conf.data.sample_rate)
    encoder.to(device)
    rate, steps = conf.timbre.peak_lr, conf.timbre.steps
    optimizer = torch.optim.Adam(classifier.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    classes = {label: index for index, label in enumerate(labels_of(conf))}
    with tqdm(
        _batches(conf, steps), total=steps, desc="timbre classifier", disable=None
    ) as progress:
        for batch in progress:
            wavs = batch.mixtures.flatten(0, 1).to(device)  # (B * N, T)
            padded = pad_for_stft(wavs, conf.filterbank.n_fft, conf.filterbank.hop_length)
            logits = classifier(magnitude(encoder(padded.unsqueeze(1))))
            loss = F.binary_cross_entropy_with_logits(logits, _truth(batch, classes).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.set_postfix(loss=f"{loss.item():.3f}")
    return classifier.cpu().eval()


def _batches(conf: Config, steps: int) -> Iterator[Batch]:
    """Gives training batches, epoch after epoch, drawn apart from those of the separator."""
    data = conf.data
    mixtures = build_mixtures(conf, data.root, data.n_src, (0.0, data.share), conf.seed + 2)
    loader = ExampleLoader(
        mixtures,
        batch_size=conf.training.batch_size,
        collate_fn=collate,
        num_workers=data.num_workers,
        timeout=data.timeout,
        drop_last=True,
    )
    done = 0
    while done < steps:
        before = done
        for batch in loader:
            yield batch
            done += 1
            if done == steps:
                return
        if done == before:
            raise ValueError(
                f"Expected data.epoch_size to fill a batch of {conf.training.batch_size}, "
                f"received {data.epoch_size}. Raise it, or lower training.batch_size."
            )
        mixtures.epoch += 1


def _truth(batch: Batch, classes: dict[str, int]) -> Tensor:
    """Marks the classes of each natural mixture: (B * N, C)."""
    groups = [labels for example in batch.labels for labels in example]
    truth = torch.zeros(len(groups), len(classes))
    for row, labels in enumerate(groups):
        truth[row, [classes[label] for label in labels]] = 1
    return truth
