import io
import json
import os
import sys
import tarfile

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.cli import main as cli
from asteroid_bimodal.data.batches import Skipped
from asteroid_bimodal.data.crops import StoredClip
from asteroid_bimodal.data.frames import frame_at, frames_of
from asteroid_bimodal.data.manifest import Clip, read_manifest, write_manifest
from asteroid_bimodal.data.shards import find_shards, read_shards, write_shards

wds = pytest.importorskip("webdataset")


def members(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def write_tar(path, contents):
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def read(shards):
    """Clips of shards, and what cannot be used."""
    found = list(read_shards(shards))
    clips = [clip for clip in found if isinstance(clip, StoredClip)]
    return clips, [skip for skip in found if not isinstance(skip, StoredClip)]


def add_rows(root, *clips):
    write_manifest(root / "train.csv", [*read_manifest(root / "train.csv"), *clips])


def test_every_clip_is_in_one_shard_as_it_is(tone_set, tmp_path):
    written = write_shards(tone_set.root, tmp_path, clips_per_shard=6)
    assert [len(members(path)) for path in written.paths] == [12, 12, 8]
    assert written.num_clips == 16 and not written.skipped
    found = {}
    for path in written.paths:
        content = members(path)
        for name, row in content.items():
            if name.endswith(".json"):
                clip = Clip(**json.loads(row))
                found[clip.path] = clip
                audio = content[name.replace(".json", ".wav")]
                assert audio == (tone_set.root / clip.path).read_bytes()
    assert found == {clip.path: clip for clip in read_manifest(tone_set.root / "train.csv")}


def test_the_order_is_random_and_follows_from_the_seed(tone_set, tmp_path):
    names = [
        [path.name for path in write_shards(tone_set.root, tmp_path / str(n), seed=seed).paths]
        for n, seed in enumerate([0, 0, 1])
    ]
    assert names[0] == names[1] != names[2]
    first, second, other = ((tmp_path / str(n) / names[n][0]).read_bytes() for n in range(3))
    assert first == second != other


def test_what_is_written_is_read(tone_set, tmp_path):
    written = write_shards(tone_set.root, tmp_path, "test", clips_per_shard=3)
    clips, skipped = read(find_shards(f"{tmp_path}/test-*.tar"))
    assert not skipped
    assert {c.clip for c in clips} == set(read_manifest(tone_set.root / "test.csv"))
    first = clips[0]
    assert first.where == f"{written.paths[0].name}/000000000.wav"
    assert first.audio == (tone_set.root / first.clip.path).read_bytes()
    assert first.read_audible(0.5, 100, 8000).shape == (100,)


def test_an_interrupted_run_goes_on(tone_set, tmp_path):
    written = write_shards(tone_set.root, tmp_path, clips_per_shard=6)
    content = [path.read_bytes() for path in written.paths]
    written.paths[1].unlink()
    os.utime(written.paths[0], (1, 1))
    again = write_shards(tone_set.root, tmp_path, clips_per_shard=6)
    assert again == written
    assert [path.read_bytes() for path in again.paths] == content
    assert written.paths[0].stat().st_mtime == 1
    assert sorted(tmp_path.iterdir()) == written.paths


@pytest.mark.parametrize("torn", [slice(0, 700), slice(0, -20_000), slice(0, 0)])
def test_a_shard_that_is_not_whole_is_written_again_alone(tone_set, tmp_path, torn):
    written = write_shards(tone_set.root, tmp_path, clips_per_shard=6)
    content = [path.read_bytes() for path in written.paths]
    written.paths[1].write_bytes(content[1][torn])
    for path in written.paths:
        os.utime(path, (1, 1))
    assert write_shards(tone_set.root, tmp_path, clips_per_shard=6, jobs=3) == written
    assert [path.read_bytes() for path in written.paths] == content
    assert [path.stat().st_mtime == 1 for path in written.paths] == [True, False, True]


def test_frames_are_in_the_shards_of_their_clips(own_tone_set, tmp_path):
    write_shards(own_tone_set.root, tmp_path, frames=True)
    clips, skipped = read(find_shards(f"{tmp_path}/train-*.tar"))
    assert len(clips) == 16 and not skipped
    for stored in clips:
        audio = own_tone_set.root / stored.clip.path
        assert [path.read_bytes() for path in frames_of(audio)] == list(stored.frames)
        for second in (0.3, 1.7):
            assert stored.frame_at(second) == frame_at(audio, second, 2.0).read_bytes()
    with pytest.raises(ValueError, match="holds shards of other clips"):
        write_shards(own_tone_set.root, tmp_path)
    frames_of(audio)[0].parent.rename(tmp_path / "gone")
    with pytest.raises(ValueError, match="There are no frames of"):
        write_shards(own_tone_set.root, tmp_path / "other", frames=True)


def test_the_command(tone_set, tmp_path, capsys):
    cli(
        ["shards", str(tone_set.root), "-o", str(tmp_path), "--clips-per-shard", "5", "--jobs", "2"]
    )
    told = capsys.readouterr().out
    assert told.startswith("16 clips in 4 shards\n") and len(list(tmp_path.iterdir())) == 4
    assert f"--data.shards '{tmp_path.resolve()}/train-*.tar'" in told


def test_other_shards_in_the_folder_are_not_mixed_with(tone_set, tmp_path):
    write_shards(tone_set.root, tmp_path, clips_per_shard=6)
    with pytest.raises(ValueError, match="holds shards of other clips.*choose another folder"):
        write_shards(tone_set.root, tmp_path, clips_per_shard=5)
    write_shards(tone_set.root, tmp_path, "test")  # another split may be beside them


def test_a_failed_write_leaves_nothing(tone_set, tmp_path, monkeypatch):
    def full(self, sample):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wds.TarWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_shards(tone_set.root, tmp_path)
    assert not list(tmp_path.iterdir())


def test_unreadable_clips_are_left_out_and_reported(own_tone_set, tmp_path):
    (own_tone_set.root / "text.wav").write_text("no audio" * 20)
    add_rows(own_tone_set.root, *(Clip(n, "x", "", 1.0, "train") for n in ("text.wav", "gone.wav")))
    written = write_shards(own_tone_set.root, tmp_path)
    assert written.num_clips == 16
    assert [skip.path for skip in written.skipped] == ["text.wav", "gone.wav"]
    assert "does not exist" in written.skipped[1].reason


def test_nothing_to_write(tmp_path):
    write_manifest(tmp_path / "train.csv", [Clip("gone.wav", "x", "", 1.0, "train")])
    with pytest.raises(ValueError, match="No clip of train.*can be read: .*does not exist"):
        write_shards(tmp_path, tmp_path)
    with pytest.raises(ValueError, match="Expected one clip per shard or more, received 0"):
        write_shards(tmp_path, tmp_path, clips_per_shard=0)


def test_patterns(tmp_path):
    names = [str(tmp_path / f"train-{number:02d}.tar") for number in range(12)]
    for name in names:
        write_tar(name, {})
    assert find_shards(f"{tmp_path}/train-*.tar") == names
    assert find_shards(f"{tmp_path}/train-{{02..11}}.tar") == names[2:]
    assert find_shards("https://a.org/x-{00..01}.tar?a=*")[0] == "https://a.org/x-00.tar?a=*"
    with pytest.raises(FileNotFoundError, match="no shards at .*train-12.tar. Write them"):
        find_shards(f"{tmp_path}/train-{{10..12}}.tar")
    with pytest.raises(FileNotFoundError, match="no shards at"):
        find_shards(f"{tmp_path}/valid-*.tar")


ROW = json.dumps({"path": "a.wav", "label": "x", "caption": "", "seconds": 1, "split": "train"})


@pytest.mark.parametrize(
    ("contents", "where", "reason"),
    [
        ({"0.json": ROW}, "a.tar/0", "Expected a json and an audio file, received json"),
        ({"0.wav": "x"}, "a.tar/0", "received wav"),
        ({"0.json": "{", "0.wav": "x"}, "a.tar/0", "Expected the row of a manifest as JSON"),
        ({"0.json": "[]", "0.wav": "x"}, "a.tar/0", "Expected the row of a manifest"),
        ({"0.json": '{"seconds": 1}', "0.wav": "x"}, "a.tar/0", "missing 4 required"),
        ({"0.json": ROW.replace("1", '"?"'), "0.wav": "x"}, "a.tar/0", "could not convert"),
    ],
)
def test_broken_members_are_passed_over_and_reported(tmp_path, contents, where, reason):
    good = {"1.json": ROW, "1.wav": "content"}
    content = {name: text.encode() for name, text in {**contents, **good}.items()}
    clips, skipped = read([write_tar(tmp_path / "a.tar", content)])
    assert [clip.audio for clip in clips] == [b"content"]
    assert [skip.path for skip in skipped] == [where]
    assert reason in skipped[0].reason


def test_a_member_that_is_there_twice(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"0.json": ROW.encode(), "0.wav": b"first"})
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("0.wav")
        tar.addfile(info)
    clips, skipped = read([path])
    assert [clip.audio for clip in clips] == [b"first"]
    assert "duplicate file name" in skipped[0].reason


def test_shards_that_break_off_or_do_not_open(tone_set, tmp_path):
    first, second = write_shards(tone_set.root, tmp_path, clips_per_shard=8).paths
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    (tmp_path / "text.tar").write_text("no tar at all " * 99)
    shards = [str(first), str(tmp_path / "text.tar"), str(tmp_path / "gone.tar"), str(second)]
    clips, skipped = read(shards)
    assert 8 + 3 <= len(clips) <= 8 + 4
    assert {skip.path.split("/")[0] for skip in skipped} == {first.name, "text.tar", "gone.tar"}
    assert all(" at 0x" not in skip.reason for skip in skipped)
    assert "No such file" in next(s.reason for s in skipped if s.path == "gone.tar")


def test_compressed_formats_are_read_from_memory(tmp_path):
    rows = []
    for suffix in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(tmp_path / f"a.{suffix}", np.sin(np.arange(16_000) / 5) / 2, 8000)
        rows.append(Clip(f"a.{suffix}", "x", "", 2.0, "train"))
    write_manifest(tmp_path / "train.csv", rows)
    (path,) = write_shards(tmp_path, tmp_path).paths
    for clip in read_shards([str(path)]):
        assert clip.read_audible(1.0, 4000, 4000).abs().max() > 0.1


def test_webdataset_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(ValueError, match=r"pip install 'asteroid-bimodal\[shards\]'"):
        find_shards("train-*.tar")


def test_a_shard_whose_name_is_a_command_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipe:touch sprung;.tar").write_bytes(b"no shard")
    found = find_shards("*.tar")
    assert [type(clip) for clip in read_shards(found)] == [Skipped]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe:touch sprung;.tar"]
