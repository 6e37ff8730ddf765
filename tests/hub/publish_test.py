"""What is published holds everything, loads everywhere, and tells nothing about the machine."""

from __future__ import annotations

import json
import re

import asteroid.models
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from asteroid_bimodal.hub import write_publish_dir
from asteroid_bimodal.models import BiModalUNet

EXPERIMENT = {
    *("conf.yml", "run.json", "final_metrics.json", "final_metrics_3src.json", "metrics.csv"),
    "report.html",
}
MODEL = {"model.safetensors", "config.json", "pytorch_model.bin", "README.md"}
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
    expected = tiny_model().separate(WAV, WORDS)
    for model in (BiModalUNet.from_pretrained(folder), stock):
        torch.testing.assert_close(model.separate(WAV, WORDS), expected, rtol=0, atol=0)


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


def test_writing_again_replaces_the_folder_and_leaves_nothing_else_behind(experiment):
    (write_publish_dir(experiment) / "old").write_text("of another time")
    before = names(experiment)
    write_publish_dir(experiment, repo_id="me/tiny", example=False)
    gone = {"old", "report.html"} | SHOWN - {"plots/training.png"}
    assert names(experiment) == before - {f"publish_dir/{name}" for name in gone}
    assert (experiment / "publish_dir").stat().st_mode & 0o777 == 0o755


def test_bare_experiment_is_published_as_far_as_it_goes(tmp_path, tiny_model):
    torch.save(tiny_model().serialize(), tmp_path / "best_model.pth")
    assert names(write_publish_dir(tmp_path)) == MODEL


def test_folders_of_this_machine_are_not_told(experiment):
    root = "/home/somebody/data/mini"
    conf = (experiment / "conf.yml").read_text().replace("data/mini", root)
    (experiment / "conf.yml").write_text(conf)
    (experiment / "run.json").write_text(f'{{"command": "train.py --exp_dir {experiment}"}}')
    folder = write_publish_dir(experiment)
    assert "root: mini" in (folder / "conf.yml").read_text()
    assert "--exp_dir tiny" in (folder / "README.md").read_text()
    for path in folder.rglob("*"):
        if path.is_file():
            assert not re.search(rb"/home/somebody|" + str(experiment).encode(), path.read_bytes())


def test_short_folder_of_the_data_is_not_cut_out_of_other_texts(experiment):
    """Sounds in the report are base64, where "/mnt" comes up by chance."""
    conf = (experiment / "conf.yml").read_text().replace("data/mini", "/mnt")
    (experiment / "conf.yml").write_text(conf + "list: /mnt/train.csv\nother: /mnt2\n")
    report = '<audio src="data:audio/flac;base64,AAAA/mnt/BBB+/mnt=="> in /mnt'
    (experiment / "report.html").write_text(report)
    folder = write_publish_dir(experiment)
    assert (folder / "report.html").read_text() == report[: -len("/mnt")] + "mnt"
    conf = (folder / "conf.yml").read_text()
    assert "root: mnt," in conf and "list: mnt/train.csv\nother: /mnt2" in conf


BROKEN = ["best_model.pth", "conf.yml", "final_metrics.json", "examples/item_000/example.json"]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_cannot_be_read_leaves_the_earlier_folder_untouched(experiment, folder, broken):
    folder.rename(experiment / "publish_dir")
    before = names(experiment)
    (experiment / broken).write_text("{[")
    with pytest.raises(ValueError, match=broken.split("/")[0]):
        write_publish_dir(experiment)
    assert names(experiment) == before


def test_untrained_experiment_is_refused(tmp_path):
    with pytest.raises(ValueError, match="found none at .*Train it first"):
        write_publish_dir(tmp_path)
    assert not names(tmp_path)


def test_encoder_of_this_machine_has_to_be_bundled(experiment, tmp_path, tiny_model):
    tiny_model().save_pretrained(tmp_path / "saved", bundle_encoder=True)
    own = tiny_model(str(tmp_path / "saved/query_encoder"))
    torch.save(own.serialize(), experiment / "best_model.pth")
    with pytest.raises(ValueError, match="which is on this machine.*--bundle-encoder"):
        write_publish_dir(experiment)
    folder = write_publish_dir(experiment, bundle_encoder=True)
    for path in (folder / "config.json", folder / "pytorch_model.bin", folder / "README.md"):
        assert str(tmp_path).encode() not in path.read_bytes()
    loaded = BiModalUNet.from_pretrained(folder)
    expected = tiny_model().separate(WAV, WORDS)
    torch.testing.assert_close(loaded.separate(WAV, WORDS), expected, rtol=0, atol=0)
    # The Asteroid file alone has no encoder, and says so when one is needed.
    stock = asteroid.models.BaseModel.from_pretrained(str(folder / "pytorch_model.bin"))
    with pytest.raises(ValueError, match="loaded without its folder"):
        stock.separate(WAV, WORDS)


def test_model_without_an_encoder_has_none_to_bundle(experiment, tiny_model):
    torch.save(tiny_model(None).serialize(), experiment / "best_model.pth")
    with pytest.raises(ValueError, match="asked with embeddings"):
        write_publish_dir(experiment, bundle_encoder=True)
    assert "QueryEmbedding" in (write_publish_dir(experiment) / "README.md").read_text()
