"""Audio as a stream: the samples of the file, and a reason where there are none."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.utils import audio_file
from asteroid_bimodal.utils.audio_file import open_audio, read_audio
from asteroid_bimodal.utils.ffmpeg import find_ffmpeg


def tones(rate, seconds, channels):
    time = np.arange(rate * seconds) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 200 * (c + 1) * time) for c in range(channels)], 1)


def by_ffmpeg(source, target, *options):
    command = [find_ffmpeg(), "-v", "error", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target


def test_blocks_are_the_samples(tmp_path):
    audio = np.random.default_rng(0).uniform(-1, 1, (150_000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", audio, 22050, subtype="FLOAT")
    with open_audio(tmp_path / "a.wav") as stream:
        assert (stream.sample_rate, stream.channels, stream.frames) == (22050, 3, 150_000)
        assert stream.exact
        blocks = list(stream.blocks)
    assert max(block.shape[-1] for block in blocks) < 70_000
    np.testing.assert_array_equal(torch.cat(blocks, -1).T, audio)
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], torch.cat(blocks, -1))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_lossless_audio_by_ffmpeg_is_the_same(tmp_path, channels):
    """ALAC, which libsndfile reads in CAF alone."""
    audio = tones(44100, 3, channels)
    soundfile.write(tmp_path / "a.wav", audio, 44100, subtype="PCM_16")
    path = by_ffmpeg(tmp_path / "a.wav", tmp_path / "it's a-b.m4a", "-c:a", "alac")
    with open_audio(path) as stream:
        assert (stream.sample_rate, stream.channels, stream.exact) == (44100, channels, False)
        assert abs(stream.frames - len(audio)) < 1000
        found = torch.cat(list(stream.blocks), -1)
    expected = read_audio(tmp_path / "a.wav")[0]
    assert found.shape == expected.shape
    order = [max(range(channels), key=lambda c: float(row @ found[c])) for row in expected]
    assert sorted(order) == list(range(channels))  # ALAC sorts 5.1 in another way
    torch.testing.assert_close(found[order], expected, rtol=0, atol=1e-6)


def test_leaving_early_stops_ffmpeg(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(44100, 20, 2), 44100)
    path = by_ffmpeg(tmp_path / "a.wav", tmp_path / "a.m4a")
    with open_audio(path) as stream:
        assert next(stream.blocks).shape == (2, 65536)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.wav", None, "there is no such file"),
        ("folder.wav", "folder", "there is no such file"),
        ("text.wav", b"not audio at all", "Format not recognised"),
        ("nothing.m4a", b"", "Format not recognised"),
        ("odd.m4a", bytes(range(256)) * 20, "Invalid data"),
        ("odd.raw", bytes(range(256)) * 20, "could not read it"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, name, content, reason):
    if content == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"Expected an audio file at .*{reason}") as info:
        read_audio(tmp_path / name)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_playlist_gives_no_sound_of_other_files(tmp_path, kind):
    soundfile.write(tmp_path / "a.wav", tones(16000, 1, 1), 16000)
    by_ffmpeg(tmp_path / "a.wav", tmp_path / "private.aac")
    assert read_audio(tmp_path / "private.aac")[0].abs().max() > 0.1
    playlist = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.0,\nprivate.aac\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile private.aac\n",
    }
    (tmp_path / "sent.m3u8").write_text(playlist[kind])
    with pytest.raises(ValueError, match="Expected an audio file at .*sent.m3u8"):
        read_audio(tmp_path / "sent.m3u8")


def test_video_without_sound_is_refused(tmp_path):
    path = tmp_path / "silent.mp4"
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(ValueError, match="it has no sound"):
        read_audio(path)


def test_file_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(ValueError, match="found no samples"):
        read_audio(tmp_path / "a.wav")


def test_without_ffmpeg_the_reason_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"something")

    def find():
        raise FileNotFoundError("Expected ffmpeg on the PATH, found none. Install it.")

    monkeypatch.setattr(audio_file, "find_ffmpeg", find)
    with pytest.raises(ValueError, match="Formats beyond wav.* need ffmpeg.*Install it"):
        read_audio(tmp_path / "a.m4a")
