"""Every system of conf/systems: built, trained for a step, evaluated, saved, loaded, used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from asteroid_bimodal.engine.build import (
    TIMBRE,
    build_classifier,
    build_system,
    classifier_path,
    encoder_spec,
)
from asteroid_bimodal.engine.evaluate import evaluate, separate_items
from asteroid_bimodal.engine.loaders import build_test_set
from asteroid_bimodal.engine.timbre import train_classifier
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.queries import ClipImageEncoder, ClipTextEncoder, UnconditionedEncoder

SYSTEMS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf/systems").glob("*.yml"))
SINGLES_ALONE = {"pit"}


@pytest.fixture(scope="module")
def system_conf(tiny_conf, make_tone_set, tmp_path_factory):
    """Makes the configuration of a system; the BERT of these tests is a CLAP."""
    tones = make_tone_set(tmp_path_factory.mktemp("systems"))

    def make(name, **changes):
        defaults = {"data.n_src": 1 if name in SINGLES_ALONE else 2, "query.bert": "mini"}
        if name == "bimodal_semi":
            defaults["data.clean.share"] = 0.5
        conf = tiny_conf(tones, system=name, **{**defaults, **changes})
        if TIMBRE in conf.loss and not classifier_path(conf).exists():
            build_classifier(conf).save(classifier_path(conf))
        return conf

    return make


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_trains_evaluates_saves_loads_and_separates(name, system_conf, tmp_path):
    conf = system_conf(name)
    assert conf.system == name
    system = build_system(conf)
    before = {key: value.clone() for key, value in system.model.named_parameters()}
    report = system.common_step(next(iter(system.train_loader)), 0)
    assert torch.isfinite(report.total) and set(conf.loss) <= set(report.terms)
    report.total.backward()
    system.optimizer.step()
    after = system.model.named_parameters()
    assert any(not torch.equal(value, before[key]) for key, value in after)

    items = build_test_set(conf, "test", 2, limit=1)
    rows = evaluate(system.model, items).rows
    assert [row["label"] for row in rows] == items[0].labels
    assert all(-100 < row["sdr"] < 100 for row in rows)

    system.model.save_pretrained(tmp_path / "model")
    loaded = load_separator(tmp_path / "model")
    assert type(loaded) is type(system.model)
    with torch.no_grad():
        expected, found = (separate_items(model, [items[0]]) for model in (system.model, loaded))
    torch.testing.assert_close(found, expected)


def test_outputs_follow_from_the_data(system_conf):
    assert str(encoder_spec(system_conf("mixit", **{"data.n_src": 3}))) == "outputs:6"
    assert str(encoder_spec(system_conf("mixpit", **{"data.n_src": 3}))) == "outputs:2"
    assert isinstance(build_system(system_conf("mixit")).model.query_encoder, UnconditionedEncoder)


def test_outputs_are_matched_to_the_references(system_conf):
    conf = system_conf("mixpit")
    encoder, item = build_system(conf).model.query_encoder, build_test_set(conf, "test", 2)[0]

    class Swapped:
        device, query_encoder = "cpu", encoder

        def __call__(self, wavs, slots):
            assert slots == [["1", "2"]]
            return item.references.flip(0)[None]

    torch.testing.assert_close(separate_items(Swapped(), [item])[0], item.references)


@pytest.mark.parametrize("name", ["clipsep_img", "clipsep_img_star", "sop", "cosep"])
def test_systems_that_see_are_tested_with_frames(name, system_conf):
    conf = system_conf(name)
    batch = next(iter(build_system(conf).train_loader))
    assert all(Path(path).is_file() for row in batch.flat_frames for path in row)
    assert len(build_test_set(conf, "test", 2)[0].frames) == 2


def test_nit_is_trained_with_frames_and_asked_with_texts(system_conf, tmp_path):
    conf = system_conf("clipsep_nit")
    system = build_system(conf)
    assert isinstance(system.query_encoder, ClipImageEncoder)
    assert isinstance(system.model.query_encoder, ClipTextEncoder)
    assert build_test_set(conf, "test", 2)[0].frames == []
    batch = next(iter(system.train_loader))
    estimates = system.estimate(batch, system.loss_func.needs(0))
    assert estimates.noise_masks.shape == estimates.caption_masks.shape
    system.model.save_pretrained(tmp_path)
    assert isinstance(load_separator(tmp_path).query_encoder, ClipTextEncoder)


def test_a_data_set_without_frames_is_refused(tiny_conf, own_tone_set):
    shutil.rmtree(own_tone_set.root / "solo/frames")
    with pytest.raises(ValueError, match="no frames of.*Render or extract them"):
        build_system(tiny_conf(own_tone_set, system="clipsep_img"))


@pytest.mark.parametrize(
    "changes", [{"sound_unet.num_noise": 1}, {"data.n_mix": 3}, {"separator": "bimodal_unet"}]
)
def test_nit_needs_noise_heads(system_conf, changes):
    with pytest.raises(ValueError, match="nit needs the separator clipsep with . noise heads"):
        build_system(system_conf("clipsep_nit", **changes))


def test_encoders_of_different_spaces_are_refused(system_conf):
    conf = system_conf("clipsep_nit", **{"query.test_encoder": "outputs:5"})
    with pytest.raises(ValueError, match="of one space, received one of .* and one of 5"):
        build_system(conf)


def test_a_system_for_single_sources_refuses_mixtures(system_conf):
    with pytest.raises(ValueError, match="system pit takes an --n_src of at most 1; received 2"):
        system_conf("pit", **{"data.n_src": 2})


def test_clean_and_mixed_recordings_are_disjoint(system_conf):
    pairs = build_system(system_conf("bimodal_semi")).train_loader.dataset
    clean, mixed = (
        {clip.path for clips in part.source.by_label.values() for clip in clips}
        for part in (pairs.clean, pairs.mixed)
    )
    assert clean and mixed and not clean & mixed
    example, single = pairs[0]
    assert len(example.phrases[0]) == 2 and len(single.phrases[0]) == 1
    pairs.epoch = 3
    assert pairs.clean.epoch == pairs.mixed.epoch == 3


def test_semi_supervised_loss_adds_up(system_conf):
    system = build_system(system_conf("bimodal_semi", **{"data.clean.weight": 2.5}))
    batch = next(iter(system.train_loader))
    system.eval()
    with torch.no_grad():
        both = system.common_step(batch, 0)
        mixed = system.common_step(batch.mixed, 0)
    clean = 2.5 * both.terms["clean_url"]
    torch.testing.assert_close(both.total, mixed.total + clean)


def test_captions_as_means_of_their_phrases(system_conf):
    """Classes have no captions of their own, so that it can only be their mean that is asked."""
    changes = {"query.encoder": "label"}
    system = build_system(system_conf("clapsep", **changes))
    batch = next(iter(system.train_loader))
    with pytest.raises(ValueError, match="received 'The sound mixture of"):
        system.common_step(batch, 0)
    system = build_system(system_conf("clapsep", **changes, **{"query.captions": "mean"}))
    assert torch.isfinite(system.common_step(batch, 0).total)


def test_absent_sounds_are_asked_for(system_conf):
    changes = {"loss.absent": 5, "data.num_absent": 2}
    system = build_system(system_conf("clapsep", **changes))
    batch = next(iter(system.train_loader))
    for absent, present in zip(batch.absent, batch.flat_phrases, strict=True):
        assert len(set(absent)) == 2 and not set(absent) & set(present)
    assert system.common_step(batch, 0).terms["absent"] > 0


def test_a_label_outside_the_classes_is_refused(system_conf):
    system = build_system(system_conf("weaksup"))
    batch = next(iter(system.train_loader))
    del system.classes[batch.labels[0][0][0]]
    with pytest.raises(ValueError, match="Expected labels of the classifier"):
        system.common_step(batch, 0)


def test_a_timbre_classifier_learns_tones(system_conf):
    """Each label of the tone set has a frequency of its own."""
    conf = system_conf("bimodal_timbre", **{"timbre.steps": 60, "timbre.peak_lr": 0.01})
    classifier = train_classifier(conf)
    system = build_system(conf)
    batch = next(iter(system.train_loader))
    logits = classifier(system.model.magnitude(batch.mixtures.flatten(0, 1)))
    heard = [set(row.topk(2).indices.tolist()) for row in logits]
    groups = [labels for example in batch.labels for labels in example]
    truth = [{system.classes[label] for label in labels} for labels in groups]
    assert heard == truth
    assert not classifier.training
