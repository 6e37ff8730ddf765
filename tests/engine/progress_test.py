"""What a person sees while a system trains: on the screen, in the logger and in the report."""

import io
import json
import re
import shutil
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asteroid_bimodal.cli import main as cli_main
from asteroid_bimodal.data.datasets import EvaluationItem
from asteroid_bimodal.engine.evaluate import SeparatedItem
from asteroid_bimodal.engine.listening import SENDERS, ItemLog, Listening
from asteroid_bimodal.engine.train import train
from asteroid_bimodal.engine.trainer import build_trainer
from asteroid_bimodal.utils.mappings import read_mapping

CHANGES = {
    "data.epoch_size": 24,  # 12 steps
    "loss": "{crl: 0, cnt: 0}",
    "training.epochs": 2,
    "training.logger": "tensorboard",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory, tiny_conf, tone_set):
    """A folder of two epochs, and all that was printed and warned about; only read it."""
    exp_dir, screen = tmp_path_factory.mktemp("seen") / "exp", io.StringIO()
    with warnings.catch_warnings(record=True) as told, redirect_stdout(screen):
        warnings.simplefilter("always")
        with redirect_stderr(screen):
            train(tiny_conf(tone_set, **CHANGES), exp_dir)
    return SimpleNamespace(exp_dir=exp_dir, text=screen.getvalue(), warnings=told)


def test_lines_before_between_and_after(seen):
    data, model, device, steps, left, first, second, end = seen.text.splitlines()
    assert re.fullmatch(r"Data: +16 clips, 32 s, 8 classes in .*tones\d*; 2 in a mixture", data)
    assert re.fullmatch(
        r"Model: +bimodal_clap, a bimodal_unet with [\d,]+ parameters; seed 0", model
    )
    assert re.fullmatch(r"Device: +CPU, \d+ cores; precision 32-true", device)
    assert re.fullmatch(r"Steps: +24 of 2 examples, in 2 epochs", steps)
    assert re.fullmatch(r"About \d+ (s|min) left, validation aside\.", left)
    sdr = r"validation SDR -?\d+\.\d\d dB \(best -?\d+\.\d\d\)"
    assert re.fullmatch(rf"epoch 1/2: loss [\d.]+, {sdr}, \d+ (s|min) left", first)
    assert re.fullmatch(rf"epoch 2/2: loss [\d.]+, {sdr}", second)
    assert re.fullmatch(rf"Trained 2 epochs in \d+ (s|min): {seen.exp_dir}/best_model.pth", end)


def test_nothing_else_is_warned_of(seen):
    lightning = [w for w in seen.warnings if "lightning" in w.filename or "torch" in w.filename]
    assert [str(w.message) for w in lightning] == []


def test_bars_are_for_terminals(tiny_conf, tone_set, tmp_path, monkeypatch):
    names = {}
    for terminal in (True, False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        callbacks = build_trainer(tiny_conf(tone_set), tmp_path).callbacks
        names[terminal] = {type(callback).__name__ for callback in callbacks}
    assert names[True] - names[False] == {"TQDMProgressBar"}


def test_best_k_models_as_asteroid_writes_it(seen):
    ((name, score),) = read_mapping(seen.exp_dir / "best_k_models.json").items()
    assert (seen.exp_dir / name).is_file() and f"val_sdr={score:.2f}.ckpt" in name
    assert score == pytest.approx(
        json.loads((seen.exp_dir / "run.json").read_text())["best_val_sdr"]
    )


def test_tensorboard_has_two_items_to_hear_and_see(seen):
    log = EventAccumulator(str(seen.exp_dir / "tensorboard/version_0"), {"audio": 0, "images": 0})
    log.Reload()
    items = {name.split("/")[0] for name in log.Tags()["audio"]}
    assert items == {"item 0", "item 1"}
    steps = {name: [event.step for event in log.Audio(name)] for name in log.Tags()["audio"]}
    assert sorted(map(tuple, steps.values())) == [(12,)] * 6 + [(12, 24)] * 4
    assert all(steps[name] == [12, 24] for name in steps if name.endswith("estimate"))
    (sound, *_) = log.Audio("item 0/mixture")
    wav, rate = soundfile.read(io.BytesIO(sound.encoded_audio_string))
    assert (wav.shape, rate) == ((8000,), 8000) and 0.1 < abs(wav).max() <= 0.95
    pictures = [log.Images(f"item {n}/spectrograms") for n in (0, 1)]
    assert all([event.step for event in events] == [12, 24] for events in pictures)


def test_sounds_of_an_item_have_one_gain():
    tones = torch.stack([torch.full((4000,), 0.5), torch.full((4000,), -1.5)])
    item = EvaluationItem(3, tones.sum(0), tones, ["A", "B"], ["a", "$b"])
    got = []
    listening = Listening(lambda *args: got.append(args), 8000)
    trainer = SimpleNamespace(is_global_zero=True, loggers=["csv", "other"], global_step=5)
    for scale in (1.0, 4.0):
        listening.on_validation_epoch_start()
        separated = [SeparatedItem(item, scale * tones)]
        listening.on_validation_batch_end(trainer, None, {"separated": separated}, None, 0)
    listening.on_validation_batch_end(trainer, None, None, None, 0)
    (logger, log), (_, again) = got
    sounds, picture = log.sounds, log.picture
    assert (logger, log.title) == ("other", "item 3/spectrograms")
    assert (log.sample_rate, log.step) == (8000, 5)
    peaks = {name: wav[0] for name, wav in sounds.items()}
    gain = 0.95 / 1.5
    assert peaks["item 3/a, estimate"] == peaks["item 3/a, reference"] == pytest.approx(0.5 * gain)
    assert peaks["item 3/mixture"] == pytest.approx(-gain)
    assert {name: wav[0] for name, wav in again.sounds.items()} == {
        "item 3/a, estimate": 1.0,  # cut off at full scale
        "item 3/$b, estimate": -1.0,
    }
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 10


def test_wandb_gets_the_same():
    calls = []
    logger = SimpleNamespace(
        log_audio=lambda *args, **more: calls.append((*args, more)),
        log_image=lambda *args: calls.append(args),
    )
    wav, picture = np.zeros(4), np.zeros((2, 2, 3), np.uint8)
    log = ItemLog({"item 0/mixture": wav}, 8000, "item 0/spectrograms", picture, 7)
    SENDERS["wandb"](logger, log)
    assert calls == [
        ("item 0/mixture", [wav], 7, {"sample_rate": [8000]}),
        ("item 0/spectrograms", [picture], 7),
    ]


def test_a_report_of_a_training_that_goes_on_says_so(seen, tmp_path, capsys):
    exp_dir = shutil.copytree(seen.exp_dir, tmp_path / "exp")
    cli_main(["report", str(exp_dir)])
    assert "not ended" not in capsys.readouterr().err + (exp_dir / "report.html").read_text()
    for name in ("run.json", "best_model.pth", "best_k_models.json"):
        (exp_dir / name).unlink()
    cli_main(["report", str(exp_dir)])
    assert capsys.readouterr().err == "Training has not ended: 2 of 2 epochs are done.\n"
    assert "Training has not ended: 2 of 2 epochs" in (exp_dir / "report.html").read_text()
