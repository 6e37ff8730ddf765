from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from asteroid_bimodal.data.batches import Batch, collate
from asteroid_bimodal.data.datasets import LabelledMixtures
from asteroid_bimodal.engine.build import build_system
from asteroid_bimodal.engine.skipped import SkippedClips
from asteroid_bimodal.queries import QueryEncoder


class Listening(QueryEncoder):
    """Stands before a query encoder and writes down what it is asked."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.asked = encoder, []

    def forward(self, texts):
        self.asked.append(texts)
        return self.encoder(texts)


@pytest.fixture
def make_system(tiny_conf, tone_set):
    def make(**changes):
        system = build_system(tiny_conf(tone_set, **changes))
        listening = Listening(system.model.query_encoder)
        system.model._query_encoder = listening
        return system, listening

    return make


@pytest.fixture
def batch(tone_set) -> Batch:
    data = LabelledMixtures(tone_set.root / "train.csv", sample_rate=8000, num_samples=4080)
    return collate([data[0], data[1]])


@pytest.mark.parametrize(
    ("terms", "captions", "phrases"),
    [
        ("{crl: 0, cnt: 0}", True, False),
        ("{url: 0, cnt: 0}", False, True),
        ("{}", True, True),
    ],
)
def test_only_what_the_loss_needs_is_asked_for(make_system, batch, terms, captions, phrases):
    system, listening = make_system(loss=terms)
    estimates = system.estimate(batch, system.loss_func.needs(0))
    expected = [batch.captions] * captions + [batch.flat_phrases] * phrases
    assert listening.asked == expected
    assert (estimates.captions is not None) == captions
    assert (estimates.phrases is not None) == phrases
    assert (estimates.phrase_wavs is not None) == (terms == "{}")


def test_late_terms_are_asked_for_late(make_system, batch):
    system, listening = make_system(**{"loss.crl.start": 5, "loss.cnt.start": 5})
    system.common_step(batch, 0)
    assert listening.asked == [batch.captions]


def test_estimates_are_in_the_order_of_their_texts(make_system, batch):
    system, _ = make_system()
    system.eval()
    with torch.no_grad():
        e = system.estimate(batch, frozenset({"captions", "phrases", "waveforms"}))
        for n in range(2):
            query = system.model.encode_queries([[batch.captions[b][n]] for b in range(2)], 2)
            alone = system.model.separate_spectra(batch.mixture, query).estimates[:, 0]
            torch.testing.assert_close(e.captions[:, n], alone, rtol=1e-4, atol=1e-4)
            for p in range(2):
                texts = [[batch.phrases[b][n][p]] for b in range(2)]
                query = system.model.encode_queries(texts, 2)
                separation = system.model.separate_spectra(batch.mixture, query)
                alone = separation.estimates
                torch.testing.assert_close(e.phrases[:, n, p], alone[:, 0], rtol=1e-4, atol=1e-4)
                wav = system.model.to_wav(alone, separation)[:, 0]
                torch.testing.assert_close(e.phrase_wavs[:, 2 * n + p], wav, rtol=1e-3, atol=1e-4)
    assert e.phrase_texts == batch.flat_phrases


def test_targets_are_the_magnitudes_of_the_mixtures(make_system, batch):
    system, _ = make_system()
    e = system.estimate(batch, frozenset({"captions"}))
    expected = torch.stft(
        batch.mixtures[1, 0],
        510,
        system.model.hop_length,
        window=torch.hann_window(510),
        pad_mode="reflect",
        return_complex=True,
    ).abs()
    torch.testing.assert_close(e.mixtures[1, 0], expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(e.total, system.model.magnitude(batch.mixtures.sum(1)))


def test_frozen_networks_stay_outside(make_system, batch):
    system, listening = make_system(loss="{crl: 0, cnt: 0}")
    system.train()
    network = listening.encoder.network
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    before = [p.clone() for p in network.parameters()]
    system.common_step(batch, 0).total.backward()
    system.optimizer.step()
    assert all(map(torch.equal, before, network.parameters()))
    names = list(system.state_dict()) + [name for name, _ in system.named_parameters()]
    assert names and all(name.startswith(("model.masker.", "model.encoder.")) for name in names)
    trained = {id(p) for group in system.optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in system.model.masker.parameters()}


def fit(system, folder, **settings):
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=CSVLogger(folder),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        **settings,
    )
    trainer.fit(system)
    return trainer


def test_every_term_is_logged(make_system, tmp_path):
    system, _ = make_system()
    metrics = fit(system, tmp_path).callback_metrics
    terms = {name: metrics[f"train_{name}"] for name in ("url", "crl", "cnt")}
    weights = system.loss_func.weights
    expected = sum(weights[name] * value for name, value in terms.items())
    torch.testing.assert_close(metrics["loss_epoch"], expected, rtol=1e-4, atol=1e-4)
    for name in ("loss_step", "grad_norm", "val_sdr", "val_sir", "val_sar"):
        assert torch.isfinite(metrics[name]), name


def test_unusable_clips_are_counted(tiny_conf, own_tone_set, tmp_path):
    broken = list((own_tone_set.root / "solo/audio/violin").glob("train*.wav"))
    for path in broken:
        path.write_bytes(b"")
    system = build_system(tiny_conf(own_tone_set, **{"data.n_src": 3, "loss": "{crl: 0, cnt: 0}"}))
    valid = own_tone_set.root / system.val_loader.dataset.items[0].sources[0].path
    valid.write_bytes(b"")
    skipped = SkippedClips(tmp_path, most=0.99)
    trainer = fit(system, tmp_path, callbacks=[skipped])
    paths = skipped.tally.paths
    expected = {str(path.relative_to(own_tone_set.root)) for path in (*broken, valid)}
    assert paths == expected
    assert trainer.callback_metrics["val_sdr"].isfinite()


def test_nothing_to_validate_on(tiny_conf, own_tone_set, tmp_path):
    for path in own_tone_set.root.glob("solo/audio/*/valid*.wav"):
        path.unlink()
    system = build_system(tiny_conf(own_tone_set))
    with pytest.raises(ValueError, match="Expected validation mixtures that can be read"):
        fit(system, tmp_path)


def test_validation_scores_each_source_by_its_phrase(make_system, monkeypatch):
    """A model that gives back what it is asked for scores as well as can be, a swap does not."""
    system, _ = make_system()
    items = list(system.val_loader.dataset[n] for n in range(3))
    references = torch.stack([item.references for item in items])
    for wavs, low, high in ((references, 60, 81), (references.flip(1), -81, -10)):
        system.on_validation_epoch_start()
        monkeypatch.setattr(system.model, "forward", lambda *_, wavs=wavs: wavs)
        system.validation_step(items, 0)
        assert len(system._scores) == 3
        assert all(low < scores["sdr"] < high for scores in system._scores)


def test_processes_share_the_validation_list(make_system):
    system, _ = make_system()
    items = []
    for rank in range(2):
        system._trainer = SimpleNamespace(world_size=2, global_rank=rank)
        system.setup("fit")
        items += [[item.item for item in batch] for batch in system.val_loader]
    assert items == [[0, 2], [1]]
    system._trainer = SimpleNamespace(world_size=4, global_rank=0)
    with pytest.raises(ValueError, match="item or more for each of 4 devices, found 3: raise"):
        system.setup("fit")


def test_each_epoch_draws_afresh(make_system, monkeypatch):
    system, _ = make_system()
    drawn = []
    for epoch in (0, 1, 0):
        monkeypatch.setattr(type(system), "current_epoch", epoch)
        drawn.append(next(iter(system.train_dataloader())).mixtures)
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_lists_of_text_are_no_obstacle(make_system):
    system, _ = make_system()
    assert system.hparams["data_test_n_src"] == "[2, 3, 4]"
    assert list(system.config["loss"]) == ["url", "crl", "cnt"]


def test_no_text_is_encoded_twice(tiny_conf, tone_set, batch, monkeypatch):
    """Neither by query encoder and scorer, nor in later steps, nor when evaluation asks again."""
    from asteroid_bimodal.queries import stored, text

    stored.shared_texts.cache_clear()
    asked, encode = [], text.encode_texts

    def counted(clap, texts, **options):
        asked.extend(texts)
        return encode(clap, texts, **options)

    monkeypatch.setattr(text, "encode_texts", counted)
    system = build_system(tiny_conf(tone_set, **{"scorer.against_captions": True}))
    for _ in range(2):
        system.common_step(batch, 0)
    phrases = {phrase for row in batch.flat_phrases for phrase in row}
    known = set(system.model.query_encoder._stored)
    captions = {caption for row in batch.captions for caption in row}
    assert sorted(asked) == sorted((captions | phrases) - known) and asked
    system.loss_func.terms["cnt"].loss.scorer.embed_text(sorted(phrases | captions))
    assert len(asked) == len(set(asked))
