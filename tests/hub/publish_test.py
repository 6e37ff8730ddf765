"""What is published holds everything, loads everywhere, and tells nothing about the machine."""

from __future__ import annotations

import html
import json
import re

import asteroid.models
import numpy as np
import pytest
import soundfile
import torch
import yaml
from PIL import Image

from asteroid_bimodal.hub import publish, write_publish_dir
from asteroid_bimodal.models import BiModalUNet

EXPERIMENT = {
    *("conf.yml", "run.json", "final_metrics.json", "final_metrics_3src.json", "metrics.csv"),
    "report.html",
}
CARD = "README.md"
MODEL = {"model.safetensors", "config.json", "pytorch_model.bin", CARD}
SHOWN = {"plots/training.png", "example/spectrograms.png"} | {
    f"example/{name}.flac" for name in ("mixture", "estimate_1", "estimate_2")
}
WAV = torch.randn(2000, generator=torch.Generator().manual_seed(0))
WORDS = ["violin", "tuba"]


def names(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_folder_holds_everything_and_loads_like_the_original(folder, finished, tiny_model):
    assert names(folder) == MODEL | EXPERIMENT | SHOWN
    for name in EXPERIMENT:
        assert (folder / name).read_bytes() == (finished / name).read_bytes()
    config = json.loads((folder / "config.json").read_text())
    assert config["format_version"] == 1
    assert config["model_args"]["query_encoder"] == "mini"
    assert config["model_args"]["sample_rate"] == 8000
    stock = asteroid.models.BaseModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert isinstance(stock, BiModalUNet)
    expected = tiny_model().torch_separate(WAV, WORDS)
    for model in (BiModalUNet.from_pretrained(folder), stock):
        torch.testing.assert_close(model.torch_separate(WAV, WORDS), expected, rtol=0, atol=0)


def test_pictures_and_sounds_can_be_opened_and_the_card_shows_them(folder):
    card = (folder / "README.md").read_text()
    for path in SHOWN:
        assert f"({path})" in card
    for path in folder.rglob("*.png"):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert min(pixels.shape[:2]) > 150 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    levels = []
    for path in sorted(folder.glob("example/*.flac")):
        wav, rate = soundfile.read(path)
        assert rate == 8000 and len(wav) == 4000
        levels.append(abs(wav).max())
    assert levels[2] == pytest.approx(0.95, abs=1e-3)  # the loudest
    assert levels[0] == pytest.approx(levels[2] / 2, rel=0.01)  # one gain for all


def test_writing_again_replaces_what_was_written_and_nothing_else(experiment):
    folder = write_publish_dir(experiment)
    before = names(experiment)
    (folder / "example/notes").mkdir()
    (folder / "example/notes/mine.txt").write_text("of my own")
    (folder / "conf.yml").write_text("of another time")
    write_publish_dir(experiment, repo_id="me/tiny", example=False)
    gone = {"report.html"} | SHOWN - {"plots/training.png"}
    kept = {"publish_dir/example/notes/mine.txt"}
    assert names(experiment) == before - {f"publish_dir/{name}" for name in gone} | kept
    assert (folder / "conf.yml").read_text() == (experiment / "conf.yml").read_text()
    assert (experiment / "publish_dir").stat().st_mode & 0o777 == 0o755


def test_card_stays_as_it_was_changed_and_is_else_written_anew(experiment, recwarn):
    card = write_publish_dir(experiment, repo_id="me/tiny") / CARD
    write_publish_dir(experiment, repo_id="you/other")
    assert "you/other" in card.read_text() and "me/tiny" not in card.read_text()
    assert not recwarn.list
    mine = card.read_text() + "And a word of mine.\n"
    card.write_text(mine)
    with pytest.warns(UserWarning, match=f"{re.escape(str(card))} was changed by hand .* Delete"):
        write_publish_dir(experiment, repo_id="me/tiny")
    assert card.read_text() == mine


def test_bare_experiment_is_published_as_far_as_it_goes(tmp_path, tiny_model):
    torch.save(tiny_model().serialize(), tmp_path / "best_model.pth")
    assert names(write_publish_dir(tmp_path)) == MODEL


def test_folders_of_this_machine_are_not_told(experiment):
    """Wherever they are in the configuration, and however a file writes them."""
    home = "/home/jürgen & co"
    conf = yaml.safe_load((experiment / "conf.yml").read_text())
    conf["data"] |= {
        "root": f"{home}/data/mini",
        "clean": {"root": f"{home}/a folder with so long a name that YAML breaks it/singles/"},
        "shards": f"{home}/data/mini/train-{{0..2}}.tar",
        "n_src": 2,
    }
    conf["query"] = {"clap": f"{home}/my_clap", "resnet": f"resnet:{home}/my_resnet|56"}
    conf["query"] |= {"laion": f"laion:{home}/630k.pt", "page": "https://example.org/a|b"}
    conf["scorer"] = {"name": f"{home}/my_clap"}
    conf["training"] = {"init": f"{home}/exp/first", "gains": [0.5, "pipe:cat /home/jane/x.tar"]}
    (experiment / "conf.yml").write_text(yaml.safe_dump(conf, allow_unicode=True))
    command = f"train.py --exp_dir {experiment} --data.root {home}/data/mini"
    (experiment / "run.json").write_text(json.dumps({"command": command}))
    (experiment / "report.html").write_text(f"<p>{html.escape(home)}/my_clap</p>")
    folder = write_publish_dir(experiment)
    told = yaml.safe_load((folder / "conf.yml").read_text())
    expected = {"root": "singles/"}, "train-{0..2}.tar", "mini"
    assert tuple(told["data"][key] for key in ("clean", "shards", "root")) == expected
    assert told["query"] == {
        **{"clap": "my_clap", "resnet": "resnet:my_resnet|56"},
        **{"laion": "laion:630k.pt", "page": "https://example.org/a|b"},
    }
    assert told["training"] == {"init": "first", "gains": [0.5, "pipe:cat x.tar"]}
    assert told["loss"] == conf["loss"] and told["data"]["n_src"] == 2
    assert (folder / "report.html").read_text() == "<p>my_clap</p>"
    card = (folder / CARD).read_text()
    assert "--exp_dir tiny --data.root mini" in card and "| Semantic scorer | my_clap |" in card
    for path in folder.rglob("*"):
        if path.is_file():
            private = rb"/home/j|rgen|" + str(experiment).encode()
            assert not re.search(private, path.read_bytes()), path


def test_short_folder_of_the_data_is_not_cut_out_of_other_texts(experiment):
    """Sounds in the report are base64, where "/mnt" comes up by chance."""
    conf = (experiment / "conf.yml").read_text().replace("data/mini", "/mnt")
    conf += "list: /mnt/train.csv\nothers: [https://host/mnt, a/mnt, clip:a/b, /]\n"
    (experiment / "conf.yml").write_text(conf)
    report = '<audio src="data:audio/flac;base64,AAAA/mnt/BBB+/mnt=="> in /mnt'
    (experiment / "report.html").write_text(report)
    folder = write_publish_dir(experiment)
    assert (folder / "report.html").read_text() == report[: -len("/mnt")] + "mnt"
    conf = yaml.safe_load((folder / "conf.yml").read_text())
    assert (conf["data"]["root"], conf["list"]) == ("mnt", "train.csv")
    assert conf["others"] == ["https://host/mnt", "a/mnt", "clip:a/b", "/"]


BROKEN = ["best_model.pth", "conf.yml", "final_metrics.json"]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_cannot_be_read_leaves_the_earlier_folder_untouched(experiment, folder, broken):
    folder.rename(experiment / "publish_dir")
    before = names(experiment)
    (experiment / broken).write_text("{[")
    with pytest.raises(ValueError, match=broken):
        write_publish_dir(experiment)
    assert names(experiment) == before


def test_an_example_that_is_broken_is_left_out(experiment):
    (experiment / "examples/item_000/example.json").write_text("{[")
    with pytest.warns(UserWarning, match="item_000 is left out"):
        folder = write_publish_dir(experiment)
    assert not (folder / "example").exists()


@pytest.mark.parametrize(
    "file, content",
    [
        ("run.json", '{"versions": [1]}'),
        ("run.json", '{"parameters": {}}'),
        ("final_metrics.json", '{"sdr": "loud"}'),
        ("final_metrics.json", '{"sdr": 1.0, "interval_95": [1]}'),
        ("conf.yml", "data: {root: 3}"),
    ],
)
def test_facts_of_another_kind_are_one_sentence(experiment, file, content):
    (experiment / file).write_text(content)
    with pytest.raises(ValueError, match="holds values of another kind"):
        write_publish_dir(experiment)
    assert "publish_dir" not in names(experiment)


def test_untrained_experiment_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no best_model.pth.*Train it first"):
        write_publish_dir(tmp_path)
    assert not names(tmp_path)


def test_encoder_of_this_machine_has_to_be_bundled(experiment, tmp_path, tiny_model):
    tiny_model().save_pretrained(tmp_path / "saved", bundle_encoder=True)
    own = tiny_model(str(tmp_path / "saved/query_encoder"))
    torch.save(own.serialize(), experiment / "best_model.pth")
    with pytest.raises(ValueError, match="on this machine only.*--bundle-encoder"):
        write_publish_dir(experiment)
    folder = write_publish_dir(experiment, bundle_encoder=True)
    for path in (folder / "config.json", folder / "pytorch_model.bin", folder / "README.md"):
        assert str(tmp_path).encode() not in path.read_bytes()
    loaded = BiModalUNet.from_pretrained(folder)
    expected = tiny_model().torch_separate(WAV, WORDS)
    torch.testing.assert_close(loaded.torch_separate(WAV, WORDS), expected)
    # The Asteroid file alone has no encoder, and says so when one is needed.
    stock = asteroid.models.BaseModel.from_pretrained(str(folder / "pytorch_model.bin"))
    with pytest.raises(ValueError, match="loaded without its folder"):
        stock.torch_separate(WAV, WORDS)


def test_model_without_an_encoder_has_none_to_bundle(experiment, tiny_model):
    torch.save(tiny_model(None).serialize(), experiment / "best_model.pth")
    with pytest.raises(ValueError, match="its queries are embeddings"):
        write_publish_dir(experiment, bundle_encoder=True)
    assert "QueryEmbedding" in (write_publish_dir(experiment) / "README.md").read_text()


def test_a_model_of_others_is_published_by_who_may(tiny_model, tmp_path):
    model = tiny_model()
    model.origin = "AudioSep (<b>\n# file.ckpt)"
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"comes from AudioSep (?s:.*)--i-have-the-right"):
        write_publish_dir(tmp_path)
    assert not (tmp_path / "publish_dir").exists()
    folder = write_publish_dir(tmp_path, may_publish=True, license_id="other")
    card = " ".join((folder / CARD).read_text().split())
    assert r"come from AudioSep (&lt;b&gt; \# file.ckpt)" in card
    with pytest.raises(ValueError, match="--i-have-the-right"):
        publish(folder, "me/model")  # as it is
