"""Training examples of a network's own making: its estimates, mixed anew."""

from __future__ import annotations

import torch

from ..data.batches import Batch
from ..models.queried import QueriedSeparator


@torch.no_grad()
def remix(model: QueriedSeparator, batch: Batch, generator: torch.Generator) -> Batch:
    r"""Separates natural mixtures, and mixes what was found anew, two sounds at a time.

    The phrases of a mixture :math:`X` share it, so that its estimates, with the masks :math:`m_p`,
    add up to it: :math:`\hat s_p = m_p / \sum_r m_r \cdot X`. Sums of two such estimates of
    different sounds are mixtures whose sources are known, though not exactly. What an estimate has
    kept of its mixture's other sounds is like no other example's, so that a network that is trained
    to find the sources again learns what the estimates of a sound have in common.

    Args:
        model: the separator, in training mode; its statistics stay as they are.
        batch: natural mixtures with their phrases.
        generator: draws which estimates meet.

    Returns:
        A batch of half as many examples as there were sounds, each of two mixtures of one sound,
        whose phrase is its caption. Where one sound is more than half of all, some examples would
        be of one sound twice: they are silent.

    References:
        Tzinis et al., "RemixIT: continual self-training of speech enhancement models via
        bootstrapped remixing", IEEE Journal of Selected Topics in Signal Processing, 2022.
    """
    phrases = [texts for example in batch.phrases for texts in example]  # B·N lists of P
    mixtures, weights = batch.mixtures.flatten(0, 1), batch.phrase_weights.flatten(0, 1)
    model.eval()
    spectra = model.separate_spectra(mixtures, model.query_encoder(phrases).to(mixtures.device))
    model.train()
    # Where a phrase is repeated its estimates share what is the sound's.
    estimates = spectra.shared().estimates / weights[:, :, None, None]
    sources = model.to_wav(estimates, spectra)  # (B·N, P, T)
    pairs = _pairs(phrases, generator)
    first, second = (
        sources[[mixture for mixture, _ in side], [phrase for _, phrase in side]]
        for side in zip(*pairs, strict=True)
    )
    texts = [[phrases[mixture][phrase] for mixture, phrase in pair] for pair in pairs]
    differ = torch.tensor([one != other for one, other in texts], device=mixtures.device)
    return Batch(
        mixtures=torch.stack([first, second], dim=1) * differ[:, None, None],
        captions=texts,
        phrases=[[[text] for text in row] for row in texts],
        phrase_weights=weights.new_ones(len(texts), 2, 1),
    )


def _pairs(
    phrases: list[list[str]], generator: torch.Generator
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs the sounds of all mixtures, (mixture, phrase), different ones where there are any."""
    sounds = [
        (mixture, texts.index(text))
        for mixture, texts in enumerate(phrases)
        for text in dict.fromkeys(texts)
    ]
    sounds = [sounds[i] for i in torch.randperm(len(sounds), generator=generator)]
    kinds = sorted({text for texts in phrases for text in texts})
    ranks = torch.randperm(len(kinds), generator=generator).tolist()
    rank = dict(zip(kinds, ranks, strict=True))
    # In order of their kinds, those that are half of all apart are of one kind only if it is more
    # than half of all.
    sounds.sort(key=lambda sound: rank[phrases[sound[0]][sound[1]]])
    half = len(sounds) // 2
    return list(zip(sounds[:half], sounds[half:], strict=False))
