from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf

from asteroid_bimodal.utils.conf import (
    Settings,
    describe_changes,
    leaf_keys,
    load_conf,
    read_conf,
    save_conf,
)

BASE = """
system: paper
data: {root: data/full, gain: [0.5, 1.5], takes: {train: 20, test: 4}, prompt: "The sound of {}"}
optim: {lr: 1.0e-4, schedule: step}
masker: {ngf: 64, shared: true}
training: {devices: auto, precision: "32", max_minutes: null, seconds: 1}
query: {name: mini}
scorer: {name: mini, chunk_size: null}
"""


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "conf.yml"
    path.write_text(BASE)
    return path


def yaml(path, text):
    path.write_text(text)
    return path


def test_leaves():
    assert leaf_keys({"a": {"b": {"c": 1}, "d": []}, "e": None}) == ["a.b.c", "a.d", "e"]


def test_later_files_win_and_options_win_over_all(base, tmp_path):
    second = yaml(tmp_path / "mini.yml", "optim: {lr: 0.5}\nmasker: {ngf: 16}")
    third = yaml(tmp_path / "system.yml", "masker: {ngf: 24}")
    conf = load_conf([base, second, third], ["--masker.ngf", "8", "--schedule=cosine"])
    assert (conf.optim.lr, conf.masker.ngf, conf.optim.schedule) == (0.5, 8, "cosine")
    assert conf.masker.shared is True and conf.system == "paper"


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["--lr", "1e-3"], "optim.lr", 1e-3),
        (["--optim.lr", "2"], "optim.lr", 2.0),
        (["--ngf=32"], "masker.ngf", 32),
        (["--shared", "false"], "masker.shared", False),
        (["--gain", "[0.1,2]"], "data.gain", [0.1, 2]),
        (["--takes.train", "3"], "data.takes.train", 3),
        (["--data.takes", "{train: 3}"], "data.takes", {"train": 3, "test": 4}),
        (["--takes={train: 3}"], "data.takes.train", 3),
        (["--max_minutes", "20"], "training.max_minutes", 20),
        (["--chunk_size", "null"], "scorer.chunk_size", None),
        (["--devices", "2"], "training.devices", "2"),
        (["--devices", "0,1"], "training.devices", "0,1"),
        (["--precision", "32"], "training.precision", "32"),
        (["--precision", "bf16-mixed"], "training.precision", "bf16-mixed"),
        (["--prompt", "{} is: playing [loud] # now"], "data.prompt", "{} is: playing [loud] # now"),
        (["--root", "a=b, c"], "data.root", "a=b, c"),
        (["--query.name", "user/repo"], "query.name", "user/repo"),
    ],
)
def test_options(base, options, key, value):
    assert OmegaConf.select(load_conf([base], options), key) == value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--learning_rate", "1"], "Unknown key 'learning_rate'"),
        (["--nfg", "1"], "Unknown key 'nfg'.*Did you mean masker.ngf"),
        (["--optim.lrr", "1"], "Did you mean optim.lr"),
        (["--maskr.ngf", "1"], "Did you mean masker.ngf"),
        (["--masker", "1"], "masker is a section .ngf, shared, .*, not a value"),
        (["--name", "x"], "may mean query.name or scorer.name: give the whole path"),
        (["--ngf", "many"], "masker.ngf takes a whole number such as 64; received 'many'"),
        (["--ngf", "1.5"], "masker.ngf takes a whole number"),
        (["--ngf", "true"], "masker.ngf takes a whole number"),
        (["--ngf", "null"], "masker.ngf takes a whole number"),
        (["--ngf", "[1]"], "masker.ngf takes a whole number"),
        (["--shared", "1"], "masker.shared takes true or false"),
        (["--lr", "fast"], "optim.lr takes a number"),
        (["--gain", "0.5"], "data.gain takes a list"),
        (["--gain", "half"], "data.gain takes a list"),
        (["--gain", "[1, 2"], "--gain takes a value such as"),
        (["--ngf", "${nowhere}"], "--ngf takes a value such as"),
        (["--ngf"], "--ngf needs a value"),
        (["ngf", "3"], "'ngf' is no option"),
    ],
)
def test_bad_options_are_explained(base, options, message):
    with pytest.raises(ValueError, match=message):
        load_conf([base], options)


def test_the_first_file_says_which_keys_exist(base, tmp_path):
    with pytest.raises(ValueError, match="Unknown key 'optim.momentum' in .*mini.yml"):
        load_conf([base, yaml(tmp_path / "mini.yml", "optim: {momentum: 0.9}")])


def test_numbers_in_files_may_stand_for_text(base, tmp_path):
    mini = yaml(tmp_path / "mini.yml", "training: {devices: 2, precision: 32}")
    conf = load_conf([base, mini])
    assert (conf.training.devices, conf.training.precision) == ("2", "32")


def test_what_was_null_may_be_null_again(base, tmp_path):
    mini = yaml(tmp_path / "mini.yml", "training: {max_minutes: 16}")
    conf = load_conf([base, mini], ["--max_minutes", "null"])
    assert conf.training.max_minutes is None


@pytest.mark.parametrize("text", ["a: [1, 2", "- a\n- b", "\tx: 1"])
def test_a_file_that_is_not_a_configuration(base, tmp_path, text):
    with pytest.raises(ValueError, match="bad.yml (is not YAML|holds a list instead of keys)"):
        load_conf([base, yaml(tmp_path / "bad.yml", text)])


def test_an_empty_file_changes_nothing(base, tmp_path):
    assert load_conf([base, yaml(tmp_path / "full.yml", "# nothing\n")]) == load_conf([base])


def test_a_missing_file(base, tmp_path):
    with pytest.raises(FileNotFoundError, match="none.yml does not exist"):
        load_conf([base, tmp_path / "none.yml"])


def test_saved_and_read_again(base, tmp_path):
    conf = load_conf([base], ["--lr", "1e-3", "--gain", "[1,2]", "--prompt", "ein {} – ü"])
    save_conf(conf, tmp_path / "exp" / "conf.yml")
    assert OmegaConf.load(tmp_path / "exp" / "conf.yml") == conf


def test_dashes_are_underscores(base):
    assert load_conf([base], ["--max-minutes", "5", "--scorer.chunk-size=2"]).scorer.chunk_size == 2


def test_a_file_among_the_options_is_under_them(base, tmp_path):
    mine = yaml(tmp_path / "my.yml", "optim: {lr: 0.5}\nmasker: {ngf: 16}")
    conf = load_conf([base], ["--lr", "0.25", "--config", str(mine)])
    assert (conf.optim.lr, conf.masker.ngf) == (0.25, 16)
    with pytest.raises(ValueError, match="Unknown key 'optim.rate' in .*my.yml"):
        load_conf([base], ["--config", str(yaml(mine, "optim: {rate: 1}"))])


def test_dictionaries_on_the_command_line(base):
    conf = load_conf([base], ["--data.takes", "{train: 2}", "--masker", "{ngf: 8}"])
    assert (conf.data.takes.train, conf.data.takes.test, conf.masker.ngf) == (2, 4, 8)
    with pytest.raises(ValueError, match="Unknown key 'data.takes.tran' .*data.takes.train"):
        load_conf([base], ["--takes", "{tran: 2}"])


def test_what_options_changed(base):
    settings = Settings()
    settings.add_file(base)
    changes = settings.add_options(["--lr", "3e-4", "--shared", "true", "--max_minutes", "2"])
    assert describe_changes(changes) == "optim.lr 0.0001 → 0.0003\ntraining.max_minutes null → 2"


@pytest.mark.parametrize(
    "value", ["${oc.env:HOME}", "${${scorer.name}.env:HOME}", "a ${oc.create:x}", "[b, '${x:y}']"]
)
def test_a_file_looks_up_nothing_outside_of_it(base, tmp_path, value):
    mine = yaml(tmp_path / "my.yml", f"data: {{prompt: {value!r}}}")
    with pytest.raises(ValueError, match="data.prompt in .*my.yml is .* may not look up anything"):
        load_conf([base, mine])
    with pytest.raises(ValueError, match="data.prompt in .*my.yml is "):
        read_conf(mine)


def test_a_file_may_refer_to_its_own_keys(base, tmp_path):
    mine = yaml(tmp_path / "my.yml", "data: {prompt: '${scorer.name} {}'}\nscorer: {name: x}")
    conf = load_conf([base, mine])
    assert conf.data.prompt == "x {}"
    save_conf(conf, tmp_path / "conf.yml")
    assert read_conf(tmp_path / "conf.yml") == conf
    with pytest.raises(ValueError, match="data.prompt in .*my.yml is "):
        read_conf(mine)


def test_an_option_may_look_up_the_environment(base, monkeypatch):
    monkeypatch.setenv("PROMPT", "{} alone")
    assert load_conf([base], ["--prompt", "${oc.env:PROMPT}"]).data.prompt == "{} alone"


@dataclass
class Listed:
    texts: list[str] = field(default_factory=lambda: ["a"])
    numbers: list[float] = field(default_factory=list)
    text: str = ""
    maybe: str | None = None


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--texts=[]", []),
        ('--texts=["The sound of {}", b]', ["The sound of {}", "b"]),
        ("--numbers=[1, 2]", [1.0, 2.0]),
        ("--text=[b]", "[b]"),
        ("--maybe=null", None),
        ("--maybe=[b]", "[b]"),
    ],
)
def test_a_list_of_texts_is_given_as_yaml_and_a_text_as_it_is(option, value):
    settings = Settings(Listed)
    settings.add_options([option])
    name = option[2:].partition("=")[0]
    assert settings.build()[name] == value
