from types import SimpleNamespace

import pytest
import torch

from asteroid_bimodal.engine.build import (
    build_clean_loss,
    build_loss,
    build_model,
    build_query_encoder,
    build_system,
    embeddings_path,
)
from asteroid_bimodal.engine.loaders import (
    build_test_set,
    build_train_loader,
    find_test_list,
    labels_of,
)


def next_batch(system):
    return next(iter(system.train_loader))


@pytest.mark.parametrize("wanted", [False, True])
def test_activations_are_recomputed_where_the_key_says_so(tiny_conf, tone_set, wanted):
    conf = tiny_conf(tone_set, **{"training.checkpoint_activations": wanted})
    assert build_system(conf).model.masker.checkpoint_activations is wanted


@pytest.mark.parametrize("name", ["bimodal_clap", "clapsep"])
def test_each_system_takes_a_step(tiny_conf, tone_set, name, monkeypatch):
    torch.manual_seed(0)
    system = build_system(tiny_conf(tone_set, name))
    monkeypatch.setattr(type(system), "current_epoch", 0)
    monkeypatch.setattr(type(system), "global_step", 10**6)  # every term counts
    before = {key: value.clone() for key, value in system.state_dict().items()}
    report = system.common_step(next_batch(system), 0)
    assert list(report.terms) == list(system.loss_func.terms)
    assert torch.isfinite(report.total)
    report.total.backward()
    system.optimizer.step()
    after = system.state_dict()
    trainable = [key for key, _ in system.named_parameters()]
    changed = [key for key in trainable if not torch.equal(before[key], after[key])]
    assert len(changed) > 0.9 * len(trainable)


def test_systems_differ_in_their_losses(tiny_conf, tone_set):
    losses = {
        name: list(build_loss(tiny_conf(tone_set, name)).terms)
        for name in ("bimodal_clap", "clapsep")
    }
    assert losses["bimodal_clap"] == ["url", "crl", "cnt"] and losses["clapsep"] == ["url"]


@pytest.mark.parametrize(("n_src", "expected"), [(1, "LogWeightedL2"), (2, "LogWeightedL1")])
def test_single_sources_may_have_a_distance_of_their_own(tiny_conf, tone_set, n_src, expected):
    def distance_of(loss):
        return type(loss.terms["url"].distance).__name__

    own = {"data.n_src": n_src, "training.single_distance": "l2", "data.clean.share": 0.5}
    conf = tiny_conf(tone_set, "clapsep", **own)
    assert distance_of(build_loss(conf)) == expected
    assert distance_of(build_clean_loss(conf)) == "LogWeightedL2"
    conf.training.single_distance = None
    assert distance_of(build_loss(conf)) == distance_of(build_clean_loss(conf)) == "LogWeightedL1"


def test_the_same_seed_gives_the_same_weights(tiny_conf, tone_set):
    systems = [build_system(tiny_conf(tone_set, seed=seed)) for seed in (3, 3, 4)]
    first, again, other = ([p.detach() for p in s.model.parameters()] for s in systems)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


def test_weights_and_starts_reach_the_loss(tiny_conf, tone_set):
    changes = {"loss.cnt": "7", "loss.crl.start": "30", "training.normalise": "false"}
    loss = build_loss(tiny_conf(tone_set, **changes))
    assert loss.weights["cnt"] == 7.0 and loss.start["crl"] == 30 and not loss.normalise


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("loss.cln", "1", "Unknown key 'loss.cln' .*Did you mean loss."),
        (
            "optim.schedule",
            "cosin",
            "must be one of .*nearest: cosine.; received cosin",
        ),
        ("masker.cond_layer", "film", "film"),
        ("data.n_src", "5", "Lower --n_src"),
    ],
)
def test_what_does_not_exist(tiny_conf, tone_set, key, value, message):
    with pytest.raises(ValueError, match=message):
        build_system(tiny_conf(tone_set, **{key: value}))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("none", [1.0] * 5),
        ("step", [1.0, 1.0, 0.1, 0.1, 0.01]),
        ("cosine", [1.0, 0.8536, 0.5, 0.1464, 0.0]),
    ],
)
def test_schedules(tiny_conf, tone_set, schedule, expected):
    changes = {"optim.schedule": schedule, "optim.step_epochs": 2, "training.epochs": 4}
    system = build_system(tiny_conf(tone_set, **changes, **{"optim.lr": 1.0}))
    rates = []
    for _ in range(5):
        rates.append(system.optimizer.param_groups[0]["lr"])
        system.optimizer.step()
        if system.scheduler:
            system.scheduler["scheduler"].step()
    assert rates == pytest.approx(expected, abs=1e-4)


def test_a_resumed_cosine_follows_the_new_number_of_epochs(tiny_conf, tone_set):
    changes = {"optim.schedule": "cosine", "optim.lr": 1.0}
    short, longer = (
        build_system(tiny_conf(tone_set, **changes, **{"training.epochs": epochs}))
        for epochs in (2, 4)
    )
    for _ in range(2):
        short.optimizer.step()
        short.scheduler["scheduler"].step()
    longer.optimizer.load_state_dict(short.optimizer.state_dict())  # with a rate of 0
    longer.scheduler["scheduler"].load_state_dict(short.scheduler["scheduler"].state_dict())
    assert longer.optimizer.param_groups[0]["lr"] == pytest.approx(0.5, abs=1e-4)
    longer.optimizer.step()
    longer.scheduler["scheduler"].step()
    assert longer.optimizer.param_groups[0]["lr"] == pytest.approx(0.1464, abs=1e-4)


def test_the_model_fits_its_query_encoder(tiny_conf, tone_set):
    model = build_model(tiny_conf(tone_set))
    assert model.sample_rate == 8000
    estimates = model(torch.randn(2, 3000), ["violin", "flute", "tuba"])
    assert estimates.shape == (2, 3, 3000)


def test_the_model_knows_the_labels_of_its_training_set(tiny_conf, tone_set, tmp_path):
    labels = labels_of(tiny_conf(tone_set))
    assert build_model(tiny_conf(tone_set)).vocabulary.kinds == {
        "sounds": {label: [] for label in labels}
    }
    path = tmp_path / "words.yml"
    path.write_text(f"instruments: {{lute: [], {labels[0]}: [fiddle]}}\n")
    model = build_model(tiny_conf(tone_set, **{"data.vocabulary": str(path)}))
    others = {label: [] for label in labels[1:]}
    kinds = {"instruments": {labels[0]: ["fiddle"]}, "sounds": others}
    assert model.get_model_args()["vocabulary"] == kinds


def test_embeddings_of_stage_2_are_used(tiny_conf, own_tone_set, monkeypatch):
    conf = tiny_conf(own_tone_set)
    encoder = build_query_encoder(conf)
    expected = encoder([["The sound of violin"]])
    encoder.cache.save(embeddings_path(conf, encoder), encoder.fingerprint)
    again = build_query_encoder(conf)
    monkeypatch.setattr(again, "encode", None)  # to call it would fail
    assert torch.equal(again([["The sound of violin"]]).tokens, expected.tokens)


def test_the_train_loader(tiny_conf, tone_set):
    changes = {"data.epoch_size": 7, "data.n_src": 3, "data.n_mix": 2}
    loader = build_train_loader(tiny_conf(tone_set, **changes))
    batches = list(loader)
    assert len(batches) == 3  # the incomplete one is left out
    assert batches[0].mixtures.shape == (2, 2, 4080)
    assert batches[0].phrase_weights.shape == (2, 2, 3)


def test_finding_a_test_list(tiny_conf, own_tone_set):
    root = own_tone_set.root
    found = find_test_list(root, "test", 2)
    assert found.parent == root / "lists" and len(
        build_test_set(tiny_conf(own_tone_set), "test", 2)
    )
    with pytest.raises(FileNotFoundError, match="test_3src.*found 0. Run stage 1"):
        find_test_list(root, "test", 3)
    found.with_name("test_2src_other_000000000000.csv").write_bytes(found.read_bytes())
    with pytest.raises(FileNotFoundError, match="found 2"):
        find_test_list(root, "test", 2)


@pytest.mark.parametrize("name", ["weaksup", "bimodal_timbre_joint"])
def test_a_system_that_needs_labels_says_so(tiny_conf, tmp_path, name):
    rows = [f"audio/{index}.wav,,a dog barks,1.0,train" for index in range(4)]
    (tmp_path / "train.csv").write_text("\n".join(["path,label,caption,seconds,split", *rows]))
    with pytest.raises(ValueError, match=f"clips with labels in .*, which {name} needs"):
        build_system(tiny_conf(SimpleNamespace(root=tmp_path), name))
