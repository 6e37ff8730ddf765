import numpy as np
import pytest
from miniatures.frames import SIZE, draw_frames, render_frames
from miniatures.music import LABELS
from miniatures.pictures import PICTURES
from PIL import Image

from asteroid_bimodal.data.frames import frames_of
from asteroid_bimodal.data.manifest import Clip, write_manifest


def write_set(root, names=("a1", "b2")):
    for name, split in zip(names, ("train", "test"), strict=True):
        clip = Clip(f"solo/audio/violin/{name}.wav", "violin", "", 20.0, split)
        write_manifest(root / f"{split}.csv", [clip])
    return [root / f"solo/audio/violin/{name}.wav" for name in names]


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*.png"))}


def distance(one, other):
    return np.abs(np.asarray(one, float) - np.asarray(other, float)).mean()


def test_every_instrument_has_a_picture():
    assert tuple(PICTURES) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_frames_of_one_video_move_a_little_and_videos_differ(label):
    first, second = (draw_frames([label], 3, np.random.default_rng(seed)) for seed in (0, 1))
    assert all(frame.size == (SIZE, SIZE) and frame.mode == "RGB" for frame in first)
    within = distance(first[0], first[1])
    assert 0 < within < distance(first[0], second[0])


def test_an_instrument_is_in_the_picture():
    for label in LABELS:
        room = draw_frames([label], 1, np.random.default_rng(0))[0]
        assert len(np.unique(np.asarray(room).reshape(-1, 3), axis=0)) > 100, label


def test_several_players():
    rng = np.random.default_rng(0)
    assert draw_frames(["violin", "tuba"], 1, rng, size=96)[0].size == (96, 96)


@pytest.mark.parametrize(("labels", "received"), [(["kazoo"], "'kazoo'"), ([], "none")])
def test_labels_without_a_picture(labels, received):
    with pytest.raises(ValueError, match=f"Expected labels of accordion.*received {received}"):
        draw_frames(labels, 1, np.random.default_rng(0))


def test_every_clip_gets_frames(tmp_path):
    clips = write_set(tmp_path)
    drawn = render_frames(tmp_path)
    counts = [len(frames_of(clip)) for clip in clips]
    assert drawn == sum(counts) and all(5 <= count <= 8 for count in counts)
    for path in tmp_path.rglob("*.png"):
        assert path.stat().st_size < 8000
        assert Image.open(path).size == (SIZE, SIZE)


def test_the_same_bytes_twice_and_others_for_another_seed(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        write_set(tmp_path / name)
        render_frames(tmp_path / name, seed=seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert not set(one.values()) & set(three.values())


def test_no_frame_is_shared_by_two_videos(tmp_path):
    write_set(tmp_path)
    render_frames(tmp_path)
    found = contents(tmp_path)
    assert len(set(found.values())) == len(found)


def test_draws_only_what_is_missing(tmp_path):
    clips = write_set(tmp_path)
    render_frames(tmp_path)
    before = contents(tmp_path)
    assert render_frames(tmp_path) == 0
    lost = frames_of(clips[0])
    lost[1].unlink()
    assert render_frames(tmp_path) == len(lost)
    assert contents(tmp_path) == before
