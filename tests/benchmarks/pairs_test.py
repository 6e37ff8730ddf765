"""What benchmarks of pairs take for pairs, and what they say where there are none."""

import math
import shutil
from pathlib import Path

import pytest

import asteroid_bimodal
from asteroid_bimodal.models import load_separator

BOTH = pytest.mark.parametrize("name", ["stereo", "real_pairs", "likelihood"])


@BOTH
def test_pairs_of_recordings(script, recordings, capsys, name):
    labels = ("--labels", "violin", "flute")
    script(name, recordings, "--seconds", 0.3, *labels, "--pairs", 2)
    # Of two flutes and two violins every second of the four pairs: with one of the violins.
    told = "2 pairs, 12 questions" if name == "likelihood" else "2 pairs of 3 recordings"
    assert told in capsys.readouterr().out


@BOTH
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "violin"], "recordings of two labels or more in .*train.csv, found violin"),
        (["--labels", "kazoo"], "two labels or more in .*train.csv, found none. .*--labels"),
        (["--pairs", 0], "Expected one pair or more, received --pairs 0"),
    ],
)
def test_no_pairs(script, recordings, name, options, message):
    with pytest.raises(SystemExit, match=f"Error: .*{message}"):
        script(name, recordings, *options)


@BOTH
def test_a_manifest_without_labels(script, tmp_path, name):
    (tmp_path / "list.csv").write_text("path\na.wav\n")
    with pytest.raises(SystemExit, match="Error: .*list.csv.*missing: label"):
        script(name, tmp_path / "list.csv")


@pytest.mark.parametrize("name", ["real_pairs", "likelihood"])
def test_no_pairs_of_one_kind(script, tmp_path, name):
    (tmp_path / "list.csv").write_text("path,label\na.wav,violin\nb.wav,dog\n")
    with pytest.raises(SystemExit, match="Error: .*two sounds of one kind in .*list.csv"):
        script(name, tmp_path / "list.csv", "--labels", "violin", "dog")


def test_a_recording_that_is_missing(script, tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.wav,violin\nb.wav,flute\n")
    with pytest.raises(SystemExit, match="Error: .*a.wav does not exist"):
        script("stereo", tmp_path / "list.csv")


def test_a_calibration_is_fitted_to_pairs_and_stored_with_the_model(
    script, recordings, tmp_path, capsys
):
    folder = tmp_path / "mini"
    shutil.copytree(Path(asteroid_bimodal.__file__).parent / "pretrained" / "mini", folder)
    options = ("--seconds", 0.3, "--pairs", 4, "--model", "mini")
    script("likelihood", recordings, *options, "--fit", folder)
    assert "right order by likelihood" in capsys.readouterr().out
    calibration = load_separator(folder).calibration
    assert all(math.isfinite(value) for value in calibration.to_dict().values())
    before = (folder / "config.json").read_text()
    script("likelihood", recordings, *options, "--fit", folder)
    assert (folder / "config.json").read_text() == before
