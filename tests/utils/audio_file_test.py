"""Audio as a stream: the samples of the file, and a reason where there are none."""

from __future__ import annotations

import io
import os
import subprocess
import warnings

import numpy as np
import pytest
import soundfile
import torch
from ffmpeg_program import ffmpeg

from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.prepare import resample_clip
from asteroid_bimodal.models import load_separator
from asteroid_bimodal.utils.audio_file import (
    UnreadableAudioError,
    audio_seconds,
    open_audio,
    read_audio,
    read_segment,
    to_mono,
)


def tones(rate, seconds, channels):
    time = np.arange(rate * seconds) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 200 * (c + 1) * time) for c in range(channels)], 1)


def by_ffmpeg(source, target, *options):
    command = [ffmpeg(), "-v", "error", "-i", str(source), *options, str(target)]
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


@pytest.fixture
def stereo(tmp_path):
    """Three seconds of tones and noise."""
    audio = tones(16000, 3, 2) + 0.1 * np.random.default_rng(0).standard_normal((48000, 2))
    soundfile.write(tmp_path / "stereo.wav", audio, 16000)
    return tmp_path / "stereo.wav"


def test_leaving_early_closes_the_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(44100, 20, 2), 44100)
    path = by_ffmpeg(tmp_path / "a.wav", tmp_path / "a.m4a")
    with open_audio(path) as stream:
        channels, length = next(stream.blocks).shape
    assert channels == 2 and 65536 <= length < 70_000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.wav", None, "none.wav does not exist"),
        ("folder.wav", "folder", "folder.wav is no file"),
        ("text.wav", b"not audio at all", "Cannot read .*text.wav: it is no audio file"),
        ("nothing.m4a", b"", "Cannot read .*nothing.m4a: the file is empty"),
        ("odd.m4a", bytes(range(256)) * 20, "Cannot read .*odd.m4a: it is no audio file"),
        ("odd.raw", bytes(range(256)) * 20, "Cannot read .*odd.raw"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, name, content, reason):
    if content == "folder":
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    for read in (read_audio, audio_seconds, lambda path: read_segment(path, 0, 1)):
        with pytest.raises(UnreadableAudioError, match=reason) as info:
            read(tmp_path / name)
        assert "\n" not in str(info.value)


@pytest.mark.parametrize("name", ["damaged.mp3", "damaged"])
def test_damaged_mp3_is_told_in_our_words_alone(tmp_path, capfd, name):
    soundfile.write(tmp_path / "a.wav", tones(16000, 1, 2), 16000)
    data = by_ffmpeg(tmp_path / "a.wav", tmp_path / "a.mp3").read_bytes()
    noise = np.random.default_rng(0).bytes(4000)
    capfd.readouterr()
    for content in (noise, b"\xff\xfb\x90\x64" + noise, data[:45] + noise):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableAudioError, match="Cannot read|no audio"):
            read_audio(tmp_path / name)
    for content in (data[:3000] + noise + data[4000:], data[:4000]):
        (tmp_path / name).write_bytes(content)
        with pytest.warns(UserWarning, match="is damaged|breaks off"):
            read_audio(tmp_path / name)
    assert capfd.readouterr() == ("", "")


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.0,\n{0}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {0}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("target", ["private.aac", "file:{0}", "http://127.0.0.1:9/private.aac"])
def test_playlist_gives_no_sound_of_other_files(tmp_path, monkeypatch, kind, target):
    soundfile.write(tmp_path / "a.wav", tones(16000, 1, 1), 16000)
    private = by_ffmpeg(tmp_path / "a.wav", tmp_path / "private.aac")
    assert read_audio(private)[0].abs().max() > 0.1
    text = PLAYLISTS[kind].format(target.format(private))
    (tmp_path / "sent.m3u8").write_text(text)
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path / "sent.m3u8", "sent.m3u8", io.BytesIO(text.encode())):
        with pytest.raises(UnreadableAudioError, match="Cannot read"):
            read_audio(source)


@pytest.mark.parametrize("name", ["data:audio/wav;base64,AAAA", "concat:a.wav|a.wav", "http:a.wav"])
def test_names_are_files_and_no_addresses(tmp_path, monkeypatch, name):
    soundfile.write(tmp_path / "a.wav", tones(16000, 1, 1), 16000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableAudioError, match="does not exist"):
        read_audio(name)
    content = by_ffmpeg(tmp_path / "a.wav", tmp_path / "b.m4a").read_bytes()
    if "/" not in name:
        (tmp_path / name).write_bytes(content)
        assert len(read_audio(name)[0]) == 1


def test_video_without_sound_is_refused(tmp_path):
    path = tmp_path / "silent.mp4"
    command = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(UnreadableAudioError, match="it has no sound"):
        read_audio(path)


def test_file_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(UnreadableAudioError, match="a.wav has no audio"):
        read_audio(tmp_path / "a.wav")


@pytest.fixture
def unheaded(tmp_path, stereo):
    """Files whose headers tell no length or a wrong one, and their true lengths."""
    mp3 = by_ffmpeg(stereo, tmp_path / "one.mp3").read_bytes()
    (tmp_path / "two.mp3").write_bytes(2 * mp3)
    by_ffmpeg(stereo, tmp_path / "v.mp3", "-q:a", "5", "-write_xing", "0", "-id3v2_version", "0")
    for kind, options in {"flac": (), "wav": (), "webm": ("-live", "1")}.items():
        command = [ffmpeg(), "-v", "error", "-i", str(stereo), "-f", kind, *options, "pipe:1"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        (tmp_path / f"pipe.{kind}").write_bytes(done.stdout)
    return {"two.mp3": 6, "v.mp3": 3, "pipe.flac": 3, "pipe.wav": 3, "pipe.webm": 3}


def test_wrong_and_missing_lengths_shorten_nothing(tmp_path, unheaded):
    for name, seconds in unheaded.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wav, rate = read_audio(tmp_path / name)
        assert wav.shape[-1] / rate == pytest.approx(seconds, abs=0.15), name
        assert audio_seconds(tmp_path / name) == pytest.approx(seconds, abs=0.2), name
        end, _ = read_segment(tmp_path / name, seconds - 0.5, 0.25)
        assert end.shape[-1] == round(0.25 * rate) and end.abs().max() > 0.2, name


def damage(path, size):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + size):
        data[place] = (data[place] * 7 + 13) & 255
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac", "m4a", "webm", "aac"])
def test_damage_in_the_middle_is_told(tmp_path, stereo, kind):
    path = by_ffmpeg(stereo, tmp_path / f"a.{kind}")
    damage(path, 2000 if kind == "mp3" else 300)
    with pytest.warns(UserWarning, match=r"a.*(is damaged|breaks off).* \d\.\d\d s.*used"):
        wav, rate = read_audio(path)
    assert 1 < wav.shape[-1] / rate <= 3.1 and torch.isfinite(wav).all()
    with pytest.raises(UnreadableAudioError, match="damaged|breaks off"):
        with open_audio(path, strict=True) as audio:
            list(audio.blocks)


@pytest.mark.parametrize("kind", ["wav", "aiff", "mp3", "ogg", "opus", "flac", "m4a", "mka", "aac"])
def test_a_file_that_is_cut_off_gives_what_there_is(tmp_path, stereo, kind):
    path = by_ffmpeg(stereo, tmp_path / f"a.{kind}", *["-movflags", "faststart"] * (kind == "m4a"))
    whole, _ = read_audio(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.warns(UserWarning, match=r"(is damaged|breaks off).* \d\.\d\d s"):
        wav, rate = read_audio(path)
    assert 0.8 < wav.shape[-1] / rate < 1.9
    half = wav.shape[-1] // 2
    torch.testing.assert_close(wav[:, :half], whole[:, :half], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a", "aac"])
@pytest.mark.parametrize("start", [0.0, 0.31, 2.2, 8.4])
def test_a_segment_is_what_the_whole_file_has_there(tmp_path, kind, start):
    soundfile.write(tmp_path / "long.wav", tones(16000, 10, 2), 16000)
    path = by_ffmpeg(tmp_path / "long.wav", tmp_path / f"a.{kind}")
    whole, rate = read_audio(path)
    first = round(start * rate)
    for source in (path, io.BytesIO(path.read_bytes())):
        part, _ = read_segment(source, start, 0.5)
        torch.testing.assert_close(part, whole[:, first : first + rate // 2], rtol=0, atol=0)


def test_the_middle_of_a_file(tmp_path, stereo):
    whole, rate = read_audio(stereo)
    middle, _ = read_segment(stereo, None, 1)
    assert torch.equal(middle, whole[:, rate : 2 * rate])
    assert torch.equal(read_segment(stereo, None, 100)[0], whole)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_mono_is_the_mean(channels):
    wav = torch.randn(channels, 1000)
    torch.testing.assert_close(to_mono(wav), wav.mean(0))
    wav[1:] = 0  # one channel alone
    torch.testing.assert_close(to_mono(wav), wav.mean(0))


def test_channels_that_cancel_give_the_loudest():
    wav = torch.randn(1000)
    assert torch.equal(to_mono(torch.stack([0.99 * wav, -wav])), -wav)


READERS = {
    "seconds": audio_seconds,
    "whole": read_audio,
    "segment": lambda path: read_segment(path, 0.0, 1.0),
    "crop": lambda path: read_crop(path, 0.0, 8000, 8000),
    "preparation": lambda path: resample_clip(path, path.with_name("out.flac"), 8000),
    "mini": lambda path: load_separator("mini").separate(path, ["violin"]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("rate", [999, 768_001, 1_000_003, 5_000_000, 2**31 - 1])
def test_what_is_no_sample_rate_is_refused(tmp_path, reader, rate):
    """Before memory goes into the filters that such a rate would need."""
    path = tmp_path / "wild.wav"
    soundfile.write(path, np.sin(np.arange(8000)), rate)
    with pytest.raises(UnreadableAudioError, match=f"sample rate of {rate} Hz, which is not betw"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UnreadableAudioError, match="pipe.wav is no file"):
        READERS[reader](tmp_path / "pipe.wav")
