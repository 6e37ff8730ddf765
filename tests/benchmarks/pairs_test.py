"""What stereo.py and real_pairs.py take for pairs, and what they say where there are none."""

import pytest

BOTH = pytest.mark.parametrize("name", ["stereo", "real_pairs"])


@BOTH
def test_pairs_of_recordings(script, recordings, capsys, name):
    labels = ("--labels", "violin", "flute")
    script(name, recordings, "--seconds", 0.3, *labels, "--pairs", 2)
    # Of two flutes and two violins every second of the four pairs: with one of the violins.
    assert "2 pairs of 3 recordings" in capsys.readouterr().out


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


def test_a_recording_that_is_missing(script, tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.wav,violin\nb.wav,flute\n")
    with pytest.raises(SystemExit, match="Error: .*a.wav does not exist"):
        script("stereo", tmp_path / "list.csv")
