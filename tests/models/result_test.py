"""SeparationResult: what it holds, its files, and what a notebook shows."""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from asteroid_bimodal.models import Score, SeparationResult

RATE = 8000


def tones(peak=0.5):
    time = np.arange(RATE) / RATE
    waves = [np.sin(2 * np.pi * hertz * time) for hertz in (500, 2000)]
    return peak * np.stack(waves).astype(np.float32)


def result(**changes):
    args = dict(
        estimates=torch.from_numpy(tones()),
        queries=["violin", "a <b>/flute"],
        sample_rate=RATE,
        scores=[Score(-3.0, 0.9), Score(-math.inf, 0.25)],
        residual=torch.zeros(RATE),
    )
    return SeparationResult(**{**args, **changes})


def test_queries_are_in_it_and_nothing_else():
    for found in (result(), result(estimates=tones())):
        assert "violin" in found and "tuba" not in found and 0 not in found
        with pytest.raises(IndexError, match="There is no part 2: the result has 2"):
            found[2]


def test_a_file_is_no_folder_to_save_to(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(FileExistsError, match="taken is a file: name a folder"):
        result().save(tmp_path / "taken")


def test_it_unpacks_iterates_and_counts_as_its_estimates():
    found = result()
    violin, flute = found
    assert len(found) == 2 and torch.equal(torch.stack(list(found)), found.estimates)
    assert torch.equal(found["violin"], violin) and torch.equal(found[1], flute)
    assert torch.equal(found[:, 5:9], found.estimates[:, 5:9])
    assert repr(found).startswith("SeparationResult(violin: sure, -3.0 dB; a <b>/flute: ")


def test_a_name_means_a_query_of_every_mixture():
    batch = torch.randn(3, 2, 100)
    scores = {"scores": [[Score(0.0), Score(0.0)]] * 3, "residual": None}
    found = result(estimates=batch, batched=True, **scores)
    assert len(found) == 3 and torch.equal(found["violin"], batch[:, 0])
    assert torch.equal(found[2], batch[2])


def test_an_unknown_query_is_told_which_there_are():
    with pytest.raises(KeyError, match="no estimate of 'tuba', only of 'violin', 'a <b>/flute'"):
        result()["tuba"]


@pytest.mark.parametrize(("format", "limit"), [("wav", 0), ("FLAC", 1e-4), (".ogg", 0.05)])
def test_files_hold_the_estimates_under_safe_names(tmp_path, format, limit):
    found = result(source="duet")
    paths = found.save(tmp_path / "new", format)
    suffix = format.lower().removeprefix(".")
    names = [f"duet_{name}.{suffix}" for name in ("violin", "a_b_flute", "residual")]
    assert [path.name for path in paths] == names
    assert sorted(names) == sorted(path.name for path in (tmp_path / "new").iterdir())
    for path, track in zip(paths, [*found, found.residual], strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(samples, track, atol=limit)


def test_a_batch_is_saved_by_number_and_channels_are_kept(tmp_path):
    scores = {"scores": [[Score(0.0), Score(0.0)]] * 2, "residual": None}
    found = result(estimates=0.1 * torch.randn(2, 2, 3, 100), batched=True, **scores)
    paths = found.numpy().save(tmp_path)
    assert [path.name for path in paths][::2] == ["1_violin.wav", "2_violin.wav"]
    np.testing.assert_array_equal(soundfile.read(paths[3])[0].T, found.estimates[1, 1])


def test_what_cannot_be_saved_leaves_everything_as_it_was(tmp_path):
    with pytest.raises(ValueError, match="no format 'doc'"):
        result().save(tmp_path, "doc")
    with pytest.raises(ValueError, match="violin.flac would be cut off at ±1: it reaches 1.50"):
        result(estimates=torch.from_numpy(tones(1.5))).save(tmp_path, "flac")
    with pytest.raises(ValueError, match="different file names"):
        result(queries=["violin", "Violin"]).save(tmp_path)
    assert not list(tmp_path.iterdir())
    result(estimates=torch.from_numpy(tones(1.5))).save(tmp_path)
    before = (tmp_path / "violin.wav").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        result().save(tmp_path)
    assert (tmp_path / "violin.wav").read_bytes() == before
    result().save(tmp_path, overwrite=True)
    assert (tmp_path / "violin.wav").read_bytes() != before


def test_a_notebook_shows_players_and_spectrograms_and_needs_no_other_file():
    html = result()._repr_html_()
    assert "a &lt;b&gt;/flute" in html and "<b>" not in html
    assert "sure, -3.0 dB" in html and "unlikely, silent" in html
    sources = re.findall(r'src="([^"]*)"', html)
    assert len(sources) == 6 and all(source.startswith("data:") for source in sources)
    picture, player = (base64.b64decode(source.partition(",")[2]) for source in sources[:2])
    samples, rate = soundfile.read(io.BytesIO(player))
    assert rate == RATE
    np.testing.assert_allclose(samples, 1.9 * tones()[0], atol=1e-4)
    rows = np.asarray(Image.open(io.BytesIO(picture)).convert("L")).sum(axis=1)
    assert abs(np.argmax(rows[::-1]) / len(rows) - 500 / 4000) < 0.02  # where the tone is


def test_long_results_and_batches_are_shown_in_part():
    scores = {"scores": [[Score(0.0), Score(0.0)]] * 2}
    batch = torch.zeros(2, 2, 21 * RATE)
    html = result(estimates=batch, batched=True, residual=batch[:, 0], **scores)._repr_html_()
    assert "The first of 2 mixtures. The first 20 seconds." in html
