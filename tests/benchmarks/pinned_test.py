import pytest

from asteroid_bimodal.data.pinned import read_test_list
from asteroid_bimodal.engine.loaders import find_test_list


def options(root):
    return ["--data.root", root, "--data.eval_samples", 8000]


def test_the_level_does_not_matter_to_the_shipped_model(script, own_tone_set, capsys):
    script("levels", *options(own_tone_set.root))
    told = capsys.readouterr().out
    assert "mini, 3 of 3 mixtures, SDR improvement in dB" in told
    rows = [line.split() for line in told.splitlines() if line.strip()[:1] in "-0123456789"]
    improvements = [float(row[-1]) for row in rows if len(row) == 3]
    assert len(improvements) == 6 and max(improvements) - min(improvements) < 0.02


def test_items_whose_audio_is_missing_are_counted(script, own_tone_set, capsys):
    root = own_tone_set.root
    items = read_test_list(find_test_list(root, "test", 2))
    gone = items[0].sources[0].path
    (root / gone).unlink()
    left = sum(gone not in {source.path for source in item.sources} for item in items)
    script("levels", *options(root))
    assert f"mini, {left} of 3 mixtures" in capsys.readouterr().out


def test_a_list_that_is_not_there_is_one_sentence(script, tmp_path):
    with pytest.raises(SystemExit, match="Error: Expected one list .* Run stage 1"):
        script("wordings", *options(tmp_path))
