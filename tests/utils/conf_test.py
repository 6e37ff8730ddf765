import pytest
from omegaconf import OmegaConf

from asteroid_bimodal.utils.conf import leaf_keys, load_conf, save_conf

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
        (["--masker", "1"], "Unknown key 'masker'"),
        (["--name", "x"], "may mean query.name or scorer.name: give the whole path"),
        (["--ngf", "many"], "Expected masker.ngf to be like 64, received 'many'"),
        (["--ngf", "1.5"], "Expected masker.ngf"),
        (["--ngf", "true"], "Expected masker.ngf"),
        (["--ngf", "null"], "Expected masker.ngf"),
        (["--ngf", "[1]"], "Expected masker.ngf"),
        (["--shared", "1"], "Expected masker.shared"),
        (["--lr", "fast"], "Expected optim.lr"),
        (["--gain", "0.5"], "Expected data.gain"),
        (["--gain", "half"], "Expected data.gain"),
        (["--gain", "[1, 2"], "Expected a value .* after --gain"),
        (["--ngf", "${nowhere}"], "Expected a value .* after --ngf"),
        (["--ngf"], "Expected a value after --ngf"),
        (["ngf", "3"], "Expected an option such as --lr, received 'ngf'"),
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
    with pytest.raises(ValueError, match="Expected (YAML|keys with values) in .*bad.yml"):
        load_conf([base, yaml(tmp_path / "bad.yml", text)])


def test_an_empty_file_changes_nothing(base, tmp_path):
    assert load_conf([base, yaml(tmp_path / "full.yml", "# nothing\n")]) == load_conf([base])


def test_a_missing_file(base, tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a configuration at .*none.yml"):
        load_conf([base, tmp_path / "none.yml"])


def test_saved_and_read_again(base, tmp_path):
    conf = load_conf([base], ["--lr", "1e-3", "--gain", "[1,2]", "--prompt", "ein {} – ü"])
    save_conf(conf, tmp_path / "exp" / "conf.yml")
    assert OmegaConf.load(tmp_path / "exp" / "conf.yml") == conf
