from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from asteroid_bimodal.cli import main as cli_main
from asteroid_bimodal.data.datasets import EvaluationItem
from asteroid_bimodal.engine.build import encoder_spec
from asteroid_bimodal.engine.evaluate import Evaluation, SeparatedItem
from asteroid_bimodal.engine.recipe import (
    eval_main,
    experiment_conf,
    read_recipe,
    recipe_conf,
    report_examples,
    train_main,
)
from asteroid_bimodal.models import AudioSep
from asteroid_bimodal.utils.conf import save_conf
from asteroid_bimodal.utils.mappings import read_mapping

RECIPE = Path(__file__).parents[2] / "egs" / "music"


def test_the_proposed_system_on_the_miniature_is_the_default():
    conf = recipe_conf(RECIPE, [])
    assert conf.system == "bimodal_clap" and str(encoder_spec(conf)) == "mini"
    assert conf.data.rendered
    assert Path(conf.data.root).resolve() == RECIPE / "data/mini"


def test_the_paper_configuration():
    conf = recipe_conf(RECIPE, ["--data", "full"])
    assert (conf.data.sample_rate, conf.data.num_samples) == (16_000, 131_070)
    assert dict(conf.filterbank) == {"n_fft": 1022, "hop_length": 256}
    masker = conf.masker
    assert (masker.num_downs, masker.ngf, masker.out_dim, masker.num_heads) == (7, 64, 32, 8)
    assert masker.cond_layer == "sca"
    weights = {name: term.weight for name, term in conf.loss.items()}
    assert weights == {"url": 5.0, "crl": 5.0, "cnt": 0.5}
    assert str(encoder_spec(conf)) == "laion/clap-htsat-unfused"
    optim, training = conf.optim, conf.training
    assert (optim.lr, optim.weight_decay, optim.step_epochs) == (1e-4, 1e-4, 15)
    assert training.batch_size == 16 and not conf.data.rendered


def test_systems_and_options():
    conf = recipe_conf(RECIPE, ["--system", "clapsep", "--n_src", "1", "--lr=0.5"])
    assert (conf.system, conf.data.n_src, conf.optim.lr) == ("clapsep", 1, 0.5)
    assert list(conf.loss) == ["url"]


@pytest.mark.parametrize("terms", ["[url, cnt]", "url,cnt"])
def test_some_terms_of_a_loss(terms):
    conf, changes = read_recipe(RECIPE, ["--loss.terms", terms])
    assert list(conf.loss) == ["url", "cnt"]
    assert conf.loss["cnt"] == recipe_conf(RECIPE, []).loss["cnt"]
    assert changes == {"loss.terms": ("all", "url, cnt")}


def test_another_folder(tmp_path):
    assert recipe_conf(RECIPE, ["--data.root", str(tmp_path)]).data.root == str(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--system", "clapsepp"], "no system 'clapsepp'; .* Did you mean clapsep"),
        (["--system", ""], "no system ''; choose audiosep, audiosep_bimodal, bertsep"),
        (["--data", "huge"], "no data set 'huge'; choose full, mini"),
        (["--learnig_rate", "1"], "Unknown key 'learnig_rate'"),
        (["--masker.nfg", "1"], "Did you mean masker.ngf"),
        (["--masker.ngf", "wide"], "masker.ngf takes a whole number such as 12; received 'wide'"),
        (["--ngf", "8"], "--ngf may mean masker.ngf or .*: give the whole path"),
        (["--loss.terms", "[url,cnr]"], "no loss term 'cnr'; choose cnt, crl, url. Did you mean"),
    ],
)
def test_what_does_not_exist(options, message):
    with pytest.raises(ValueError, match=message):
        recipe_conf(RECIPE, options)


def test_no_experiment(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected an experiment at .*no conf.yml"):
        experiment_conf(tmp_path)
    with pytest.raises(FileNotFoundError, match="no conf.yml"):
        eval_main(RECIPE, ["--exp_dir", str(tmp_path)])


def experiment(tmp_path, **values):
    """An experiment's folder with the default configuration but for some values."""
    conf = recipe_conf(RECIPE, [])
    for key, value in values.items():
        OmegaConf.update(conf, key.replace("__", "."), value)
    (tmp_path / "conf.yml").write_text(OmegaConf.to_yaml(conf))
    return tmp_path


@pytest.mark.parametrize(
    "content, message",
    [
        ("seed: [1", "conf.yml is not YAML: "),
        ("- seed", "conf.yml holds a list instead of keys with values"),
        ("data: {root: '${oc.env:HOME}'}", "data.root in .*conf.yml is .*may not look up"),
        ("data: {root: '${data.name}'}", "data.root in .*conf.yml is .*may not look up"),
    ],
)
def test_an_experiment_whose_configuration_is_no_plain_one(tmp_path, content, message):
    (tmp_path / "conf.yml").write_text(content)
    with pytest.raises(ValueError, match=message):
        eval_main(RECIPE, ["--exp_dir", str(tmp_path)])


COMMANDS = [
    "pipe:touch sprung",
    "train.tar::pipe:touch sprung",
    "https://a.org/train.tar::pipe:touch sprung",
    "{pipe,https}://touch sprung",
    "{x,pipe:touch sprung}",
]


@pytest.mark.parametrize("key", ["data.shards", "data.clean.shards"])
@pytest.mark.parametrize("shards", COMMANDS)
def test_a_command_for_shards_comes_from_the_command_line_alone(tmp_path, shards, key):
    mine, place = tmp_path / "my.yml", key.removesuffix(".shards")
    OmegaConf.save(OmegaConf.from_dotlist([f"{key}='{shards}'"]), mine)
    with pytest.raises(ValueError, match=f"{key} in a file .* would run a command"):
        recipe_conf(RECIPE, ["--config", str(mine)])
    with pytest.raises(ValueError, match="would run a command"):
        referring = OmegaConf.from_dotlist([f"data.caption='{shards}'"])
        OmegaConf.update(referring, key, "${data.caption}")
        OmegaConf.save(referring, mine)
        recipe_conf(RECIPE, ["--config", str(mine)])
    conf = recipe_conf(RECIPE, ["--config", str(mine), f"--{key}", shards])
    assert OmegaConf.select(conf, key) == shards
    saved = experiment_conf(experiment(tmp_path, **{key.replace(".", "__"): shards}))
    assert OmegaConf.select(saved, place).shards is None


def test_shards_at_an_address_may_be_in_a_file(tmp_path):
    address = "https://example.org:8080/train-{000..119}.tar"
    assert experiment_conf(experiment(tmp_path, data__shards=address)).data.shards == address


def test_scores_of_a_training_that_has_not_ended(tmp_path):
    save_conf(recipe_conf(RECIPE, []), tmp_path / "conf.yml")
    with pytest.raises(FileNotFoundError, match="training has not ended. Run stage 3 again"):
        eval_main(RECIPE, ["--exp_dir", str(tmp_path)])


@pytest.fixture(scope="module")
def of_elsewhere(tone_set, tmp_path_factory):
    """The command that scores a model which no experiment made, of another rate than the data."""
    folder = tmp_path_factory.mktemp("elsewhere")
    torch.manual_seed(0)
    model = AudioSep(11025, 128, 32, "mini", pooled_dim=128, num_downs=3, ngf=2)
    model.save_pretrained(folder / "model")
    options = ["--data.root", str(tone_set.root), "--eval_samples", "8000", "--num_workers", "0"]
    return ["--model", str(folder / "model"), "--device", "cpu", "--limit", "2", *options]


def test_a_model_of_elsewhere_is_scored_in_a_folder_that_becomes_its_own(
    of_elsewhere, tone_set, tmp_path
):
    exp_dir = tmp_path / "scores"
    eval_main(RECIPE, ["--exp_dir", str(exp_dir), *of_elsewhere])
    assert experiment_conf(exp_dir).data.root == str(tone_set.root)
    final = read_mapping(exp_dir / "final_metrics.json")
    assert final["n_items"] == 2 and final["model"] == of_elsewhere[1]
    table = pd.read_csv(exp_dir / "all_metrics.csv")
    assert table["item"].tolist() == [0, 1] and table["sdr"].mean() == pytest.approx(final["sdr"])
    wav, rate = soundfile.read(exp_dir / "examples/item_000/estimate_0.wav")
    assert (len(wav), rate) == (8000, 8000) and abs(wav).max() > 0
    cli_main(["report", str(exp_dir)])
    assert of_elsewhere[1] in (exp_dir / "report.html").read_text()
    before = (exp_dir / "metrics.csv").read_text()
    (exp_dir / "metrics.csv").unlink()
    cli_main(["evaluate", str(exp_dir), "--model", of_elsewhere[1], "--device", "cpu"])
    assert (exp_dir / "metrics.csv").read_text().startswith(before)


@pytest.mark.parametrize("own", ["best_model.pth", "checkpoints/last.ckpt"])
def test_scores_of_a_model_of_elsewhere_replace_none_of_an_experiment(of_elsewhere, own, tmp_path):
    (tmp_path / own).parent.mkdir(exist_ok=True)
    (tmp_path / own).touch()
    with pytest.raises(FileExistsError, match="has a model of its own"):
        eval_main(RECIPE, ["--exp_dir", str(tmp_path), *of_elsewhere])


def test_options_of_data_are_for_a_model_of_elsewhere(tmp_path, capsys):
    with pytest.raises(SystemExit):
        eval_main(RECIPE, ["--exp_dir", str(tmp_path), "--data", "mini"])
    assert "--data" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--exp_dir", "x", "--resume", "perhaps"]])
def test_options_of_train(options):
    with pytest.raises(SystemExit) as caught:
        train_main(RECIPE, options)
    assert caught.value.code != 0


def test_train_prints_its_configuration(capsys):
    train_main(RECIPE, ["--print-config", "--lr", "3e-4"])
    assert OmegaConf.create(capsys.readouterr().out) == recipe_conf(RECIPE, ["--lr", "3e-4"])


def test_examples_of_an_evaluation():
    references = torch.rand(2, 100)
    item = EvaluationItem(7, references.sum(0), references, ["violin", "flute"], ["a", "b"])
    rows = [{"item": number, "sdr": float(number)} for number in (6, 7, 7)]
    result = Evaluation(rows=rows, examples=[SeparatedItem(item, references * 2)])
    (example,) = report_examples(result, 8000)
    assert (example.name, example.sample_rate, example.phrases) == ("item_007", 8000, ["a", "b"])
    assert example.metrics == rows[1:]
    np.testing.assert_array_equal(example.estimates, 2 * references.numpy())
