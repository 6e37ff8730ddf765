import shutil

import pytest

from asteroid_bimodal.data.pinned import read_test_list
from asteroid_bimodal.engine.loaders import find_test_list


def options(root):
    return ["--data", "mini", "--data.root", root, "--data.eval_samples", 8000, "--seconds", 0.5]


def test_items_whose_audio_is_missing_are_counted(script, own_tone_set, capsys):
    root = own_tone_set.root
    items = read_test_list(find_test_list(root, "test", 2))
    gone = items[0].sources[0].path
    (root / gone).unlink()
    lost = sum(gone in {source.path for source in item.sources} for item in items)
    assert 0 < lost < len(items)
    script("audio_queries", *options(root))
    told = capsys.readouterr().out
    assert f"{len(items) - lost} mixtures, examples of 0.5 s" in told
    assert f"{lost} of 3 were left out" in told
    assert f"{root / gone} does not exist" in told


def test_examples_that_are_missing_are_counted(script, own_tone_set, capsys):
    root = own_tone_set.root
    label = read_test_list(find_test_list(root, "test", 2))[0].sources[0].label
    shutil.rmtree(next(root.glob(f"solo/audio/{label.replace(' ', '_')}/valid*")).parent)
    script("audio_queries", *options(root))
    assert "of 3 were left out" in capsys.readouterr().out


def test_nothing_to_score(script, own_tone_set):
    shutil.rmtree(own_tone_set.root / "solo")
    with pytest.raises(SystemExit, match="Error: No item of test_2src_.* can be .*does not exist"):
        script("audio_queries", *options(own_tone_set.root))
