import pytest

from asteroid_bimodal.data.frames import frame_at, frames_folder, frames_of


@pytest.fixture
def clip(tmp_path):
    """A clip with four frames, and what else may lie in a folder."""
    folder = tmp_path / "solo/frames/a1b2"
    folder.mkdir(parents=True)
    for name in ("000.png", "001.jpg", "002.JPEG", "003.png", "note.txt", ".004.tmp.png"):
        (folder / name).touch()
    return tmp_path / "solo/audio/violin/a1b2.wav"


def test_frames_in_their_order(clip):
    assert [path.name for path in frames_of(clip)] == ["000.png", "001.jpg", "002.JPEG", "003.png"]


@pytest.mark.parametrize(
    ("second", "name"),
    [
        (0, "000.png"),
        (4.9, "000.png"),
        (5, "001.jpg"),
        (19.9, "003.png"),
        (20, "003.png"),
        (25, "003.png"),
    ],
)
def test_frames_are_spread_over_the_clip(clip, second, name):
    assert frame_at(clip, second, 20.0).name == name


def test_a_clip_of_unknown_length_has_its_first_frame(clip):
    assert frame_at(clip, 3.0, 0.0).name == "000.png"


@pytest.mark.parametrize(
    ("audio", "folder"),
    [
        ("root/solo/audio/tuba/x.wav", "root/solo/frames/x"),
        ("audio/x.y.wav", "frames/x.y"),
        ("audio/old/audio/x.wav", "audio/old/frames/x"),
    ],
)
def test_the_folder_beside_the_nearest_audio(audio, folder):
    assert frames_folder(audio).as_posix() == folder


def test_a_clip_that_is_in_no_folder_of_audio():
    with pytest.raises(ValueError, match="wavs/x.wav is in no folder named audio"):
        frames_of("wavs/x.wav")


def test_a_data_set_without_frames(tmp_path, clip):
    other = clip.with_name("c3.wav")
    with pytest.raises(ValueError, match="no frames of c3.wav.*Render or extract them"):
        frames_of(other)
    (tmp_path / "solo/frames/c3").mkdir()
    with pytest.raises(ValueError, match="no frames of c3.wav"):
        frame_at(other, 1.0, 2.0)
