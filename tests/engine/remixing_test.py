from dataclasses import replace
from itertools import chain

import pytest
import torch

from asteroid_bimodal.data.batches import collate
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.engine.build import build_system
from asteroid_bimodal.engine.remixing import _pairs, remix


@pytest.fixture
def batch(tone_set):
    data = LabelledMixtures(tone_set.root / "train.csv", sample_rate=8000, num_samples=4080)
    return collate([data[index] for index in range(3)])


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def test_sources_are_the_estimates_that_share_their_mixtures(tone_set, tiny_conf, batch):
    model = build_system(tiny_conf(tone_set)).model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = remix(model, batch, drawn())
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())

    natural = batch.mixtures.flatten(0, 1)
    texts = list(chain.from_iterable(batch.phrases))
    with torch.no_grad():
        spectra = model.eval().separate_spectra(natural, model.query_encoder(texts)).shared()
        alone = model.to_wav(spectra.estimates, spectra)
    torch.testing.assert_close(alone.sum(1), natural, atol=1e-5, rtol=0)
    pool = {text: [] for text in chain.from_iterable(texts)}
    for row, estimates in zip(texts, alone, strict=True):
        for text, estimate in zip(row, estimates, strict=True):
            pool[text].append(estimate)
    assert found.mixtures.shape[:2] == (sum(map(len, pool.values())) // 2, 2)
    for sources, captions in zip(found.mixtures, found.captions, strict=True):
        if captions[0] == captions[1]:
            assert not sources.any()
        else:
            for source, text in zip(sources, captions, strict=True):
                assert min((source - one).abs().max() for one in pool[text]) < 1e-5


def test_a_repeated_phrase_is_one_sound(tone_set, tiny_conf, batch):
    model = build_system(tiny_conf(tone_set)).model.train()
    one = [[[texts[0]] for texts in example] for example in batch.phrases]
    twice = [[texts * 2 for texts in example] for example in one]
    weights = torch.ones(3, 2, 1)
    alone = remix(model, replace(batch, phrases=one, phrase_weights=weights), drawn())
    again = remix(
        model, replace(batch, phrases=twice, phrase_weights=weights.repeat(1, 1, 2) / 2), drawn()
    )
    assert alone.captions == again.captions
    torch.testing.assert_close(alone.mixtures, again.mixtures)


@pytest.mark.parametrize("seed", range(20))
def test_different_sounds_meet(seed):
    phrases = [["a", "b"], ["a", "c"], ["a", "d"], ["c", "b"], ["e", "e"]]
    pairs = _pairs(phrases, drawn(seed))
    assert len(set(chain.from_iterable(pairs))) == 2 * len(pairs) == 8
    assert all(phrases[i][p] != phrases[j][q] for (i, p), (j, q) in pairs)


def test_a_batch_of_one_sound_alone_is_silent(tone_set, tiny_conf, batch):
    model = build_system(tiny_conf(tone_set)).model.train()
    same = [[["a tone"] * len(texts) for texts in example] for example in batch.phrases]
    found = remix(model, replace(batch, phrases=same), drawn())
    assert len(found.mixtures) == 3 and not found.mixtures.any()


def test_remixes_take_the_batches_place(tone_set, tiny_conf, batch):
    system = build_system(tiny_conf(tone_set, **{"remix.start": 0}))
    assert set(system.common_step(batch, 0).terms) == {"url"}
    later = build_system(tiny_conf(tone_set, **{"remix.start": 1}))
    assert set(later.common_step(batch, 0).terms) == {"url", "crl", "cnt"}
