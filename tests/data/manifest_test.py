import os

import pytest

from asteroid_bimodal.data.manifest import (
    Clip,
    by_label,
    read_manifest,
    take_share,
    write_manifest,
)

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
    with pytest.raises(FileNotFoundError, match="none.csv does not exist. Run stage 0"):
        read_manifest(tmp_path / "none.csv")


def test_missing_columns(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("path,label\na.wav,violin\n")
    with pytest.raises(ValueError, match="missing: caption, seconds, split. Run stage 0"):
        read_manifest(path)


@pytest.mark.parametrize("seconds", ["long", "", "nan", "inf", "-1", "1,5"])
def test_broken_seconds(tmp_path, seconds):
    path = tmp_path / "train.csv"
    row = f'b.wav,violin,,"{seconds}",train'
    path.write_text(f"path,label,caption,seconds,split\na.wav,violin,,1.5,train\n{row}\n")
    with pytest.raises(ValueError, match="line 3: .* is no number of seconds"):
        read_manifest(path)


def test_a_row_cut_short(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("path,label,caption,seconds,split\na.wav,violin\n")
    with pytest.raises(ValueError, match="line 2: .* is no number of seconds"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing: path, label, caption, seconds, split. Run stage 0"),
        ("path,label,caption,seconds,split\n", "lists no clip: .* Run stage 0"),
    ],
)
def test_no_clips(tmp_path, text, message):
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_manifest(path)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"path,label,caption,seconds,split\n" + b"x" * 200_000]
)
def test_what_is_no_csv_file(tmp_path, content):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="train.csv is not a CSV file in UTF-8: .* Run stage 0"):
        read_manifest(path)


ROWS = "path,label,caption,seconds,split\nsolo\\é\\1.wav,oboe,hé,2.5,train\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_manifests_of_windows_are_read(tmp_path, encoding, newline):
    (tmp_path / "train.csv").write_bytes(ROWS.replace("\n", newline).encode(encoding))
    expected = Clip("solo/é/1.wav", "oboe", "hé", 2.5, "train")
    assert read_manifest(tmp_path / "train.csv") == [expected]


@pytest.mark.skipif(os.name == "nt", reason="there, a backslash is no letter")
def test_a_backslash_in_the_name_of_a_file_stays(tmp_path):
    (tmp_path / "a\\b.wav").touch()
    clip = Clip("a\\b.wav", "oboe", "", 2.5, "train")
    write_manifest(tmp_path / "train.csv", [clip])
    assert read_manifest(tmp_path / "train.csv") == [clip]


def test_paths_may_be_any_bytes_and_other_columns_text_alone(tmp_path):
    path, names = tmp_path / "train.csv", [b"fl\xfcte.wav", b'a,"b"\n.wav', b" .wav "]
    clips = [Clip(os.fsdecode(name), "flûte", "", 2.5, "train") for name in names]
    write_manifest(path, clips)
    assert read_manifest(path) == clips
    path.write_bytes(ROWS.encode("latin-1"))
    with pytest.raises(ValueError, match="train.csv is not a CSV file in UTF-8"):
        read_manifest(path)


def test_groups_by_label_in_alphabetical_order():
    clips = [Clip(f"{n}.wav", label, "", 1.0, "train") for n, label in enumerate("cabca")]
    grouped = by_label(clips)
    assert list(grouped) == ["a", "b", "c"]
    assert [clip.path for clip in grouped["a"]] == ["1.wav", "4.wav"]


def test_shares_are_disjoint_and_complete_and_hold_every_label():
    clips = [
        Clip(f"{label}{number}.wav", label, "", 20.0, "train")
        for label in ("flute", "violin")
        for number in range(7)
    ]
    some, rest = take_share(clips, (0.0, 0.05)), take_share(clips, (0.05, 1.0))
    assert sorted(clip.label for clip in some) == ["flute", "violin"]
    assert not set(some) & set(rest) and set(some) | set(rest) == set(clips)
    assert take_share(clips[::-1], (0.0, 0.05)) == some[::-1]  # whatever the order of the rows
    assert take_share(clips, (0.0, 1.0)) == clips


@pytest.mark.parametrize("share", [(0.5, 0.5), (-0.1, 1.0), (0.0, 1.1)])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match="Expected a share such as"):
        take_share([Clip("a.wav", "violin", "", 20.0, "train")], share)
