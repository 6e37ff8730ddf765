import pytest

from asteroid_bimodal.data.manifest import Clip, by_label, read_manifest, write_manifest

CLIPS = [
    Clip("solo/a b.wav", "acoustic guitar", "", 20.5, "train"),
    Clip('quo"te,comma.wav', "", "A man talks, then laughs\nloudly", 0.0, "train"),
    Clip("ünïcode/中.wav", "erhu", "", 1e3, "test"),
]


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "train.csv"
    write_manifest(path, CLIPS)
    assert read_manifest(path) == CLIPS


def test_bytes_are_the_same_everywhere(tmp_path):
    path = tmp_path / "train.csv"
    write_manifest(path, CLIPS[:1])
    assert path.read_bytes() == (
        b"path,label,caption,seconds,split\nsolo/a b.wav,acoustic guitar,,20.5,train\n"
    )


def test_reads_what_spreadsheets_write(tmp_path):
    path = tmp_path / "train.csv"
    text = "split,seconds,caption,label,path,notes\r\ntrain,20,,violin,a.wav,good\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_manifest(path) == [Clip("a.wav", "violin", "", 20.0, "train")]


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.csv.*Run stages 0 and 1"):
        read_manifest(tmp_path / "none.csv")


def test_missing_columns(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("path,label\na.wav,violin\n")
    with pytest.raises(ValueError, match="missing: caption, seconds, split"):
        read_manifest(path)


@pytest.mark.parametrize("seconds", ["long", "", "nan", "inf", "-1", "1,5"])
def test_broken_seconds(tmp_path, seconds):
    path = tmp_path / "train.csv"
    row = f'b.wav,violin,,"{seconds}",train'
    path.write_text(f"path,label,caption,seconds,split\na.wav,violin,,1.5,train\n{row}\n")
    with pytest.raises(ValueError, match="line 3: expected a number of seconds"):
        read_manifest(path)


def test_a_row_cut_short(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("path,label,caption,seconds,split\na.wav,violin\n")
    with pytest.raises(ValueError, match="line 2: expected a number of seconds"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "path,label,caption,seconds,split\n"])
def test_no_clips(tmp_path, text):
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="missing|lists no clip"):
        read_manifest(path)


def test_groups_by_label_in_alphabetical_order():
    clips = [Clip(f"{n}.wav", label, "", 1.0, "train") for n, label in enumerate("cabca")]
    grouped = by_label(clips)
    assert list(grouped) == ["a", "b", "c"]
    assert [clip.path for clip in grouped["a"]] == ["1.wav", "4.wav"]
