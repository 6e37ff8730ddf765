"""Headers that tell a wrong length, files that were joined or broke off: nothing is lost unsaid."""

from __future__ import annotations

import io
import struct
import subprocess
import warnings

import numpy as np
import pytest
import soundfile
import torch
from ffmpeg_program import ffmpeg

from asteroid_bimodal.data.check.files import probe_files
from asteroid_bimodal.data.prepare import resample_clip
from asteroid_bimodal.utils.audio_file import (
    UnreadableAudioError,
    audio_seconds,
    open_audio,
    read_audio,
    read_segment,
)
from asteroid_bimodal.utils.audio_headers import mp3_seconds, mp3_start

RATE, LENGTH = 16_000, 48_000
AUDIO = 0.2 * np.random.default_rng(0).standard_normal((LENGTH, 2)).clip(-4, 4)
# Where the header has a size, in which form, by the chunk that it follows.
SIZES = {
    "WAV": {"all": (b"RIFF", 4, "<I"), "data": (b"data", 4, "<I")},
    "AIFF": {"all": (b"FORM", 4, ">I"), "data": (b"SSND", 4, ">I"), "count": (b"COMM", 10, ">I")},
    "AU": {"data": (b".snd", 8, ">I")},
    "CAF": {"data": (b"data", 4, ">q")},
    "RF64": {"all": (b"ds64", 8, "<q"), "data": (b"ds64", 16, "<q"), "count": (b"ds64", 24, "<q")},
    "W64": {"all": (b"riff", 16, "<q"), "data": (b"data", 16, "<q")},
}
WRONG = {
    "zero": 0,
    "short": 1000,
    "half": 2 * LENGTH,
    "unknown": 0xFFFF_FFFF,
    "sox": 0x7FFF_F000,
}


def encoded(kind, audio=AUDIO, rate=RATE, **options):
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format=kind, **options)
    return file.getvalue()


def with_size(content, place, value):
    mark, offset, form = place
    start = content.index(mark) + offset
    unknown = struct.calcsize(form) == 8 and value == 0xFFFF_FFFF
    packed = struct.pack(form, -1 if unknown else value)
    return content[:start] + packed + content[start + len(packed) :]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("kind", "size"), [(k, size) for k, sizes in SIZES.items() for size in sizes]
)
def test_wrong_sizes_shorten_nothing(tmp_path, kind, size, wrong):
    content = with_size(encoded(kind), SIZES[kind][size], WRONG[wrong])
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    for source in (path, io.BytesIO(content)):
        wav, rate = read_audio(source)
        assert (wav.shape, rate) == ((2, LENGTH), RATE)
        np.testing.assert_allclose(wav.T, AUDIO, atol=1e-4)
        part, _ = read_segment(source, 2.5, 0.25)
        assert torch.equal(part, wav[:, 40_000:44_000])
        assert audio_seconds(source) == 3


def test_all_sizes_zero_as_of_a_recorder_that_was_killed(tmp_path):
    content = encoded("WAV")
    for place in SIZES["WAV"].values():
        content = with_size(content, place, 0)
    (tmp_path / "a.wav").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_audio(tmp_path / "a.wav")[0].shape == (2, LENGTH)
    resample_clip(tmp_path / "a.wav", tmp_path / "a.flac", RATE)
    assert soundfile.info(tmp_path / "a.flac").frames == LENGTH


@pytest.mark.parametrize(
    "more", [b"LIST" + struct.pack("<I", 9000) + bytes(9000), b"TAG" + bytes(9000)]
)
def test_what_follows_the_samples_is_no_sound(more):
    assert read_audio(io.BytesIO(encoded("WAV") + more))[0].shape == (2, LENGTH)


@pytest.mark.parametrize("told", [0, 1000, 24_000])
def test_a_flac_goes_on_after_the_length_that_its_header_tells(told):
    content = bytearray(encoded("FLAC"))
    known = int.from_bytes(content[18:26], "big") >> 36 << 36
    content[18:26] = (known | told).to_bytes(8, "big")
    assert read_audio(io.BytesIO(content))[0].shape == (2, LENGTH)


@pytest.mark.parametrize("told", [10**8, 2**36 - 1])
def test_a_flac_that_tells_too_much_takes_no_memory_for_it(told):
    content = bytearray(encoded("FLAC"))
    known = int.from_bytes(content[18:26], "big") >> 36 << 36
    content[18:26] = (known | told).to_bytes(8, "big")
    with pytest.warns(UserWarning, match="breaks off at 3.00 s"):
        with open_audio(io.BytesIO(content)) as audio:
            assert audio.frames < 512 * len(content) + 1
            assert sum(block.shape[-1] for block in audio.blocks) == LENGTH


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "OPUS", "MP3"])
@pytest.mark.parametrize("times", [2, 3])
def test_joined_files_are_read_to_the_end_of_the_last(tmp_path, kind, times):
    options = {"format": "OGG", "subtype": "OPUS"} if kind == "OPUS" else {"format": kind}
    one, other = io.BytesIO(), io.BytesIO()
    soundfile.write(one, AUDIO, RATE, **options)
    soundfile.write(other, 0.5 * AUDIO[:32_000], RATE, **options)
    content = one.getvalue() + (times - 1) * other.getvalue()
    path = tmp_path / "a"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wav, rate = read_audio(path)
    assert wav.shape[-1] / rate == pytest.approx(3 + 2 * (times - 1), abs=0.1 * times)
    assert wav[:, -rate // 2 :].square().mean().sqrt() > 0.05
    resample_clip(path, tmp_path / "out.flac", RATE)
    assert soundfile.info(tmp_path / "out.flac").duration == pytest.approx(wav.shape[-1] / rate)
    found = probe_files(tmp_path, ["a"], decode=True, jobs=1)["a"]
    assert not found.problem and found.seconds == pytest.approx(wav.shape[-1] / rate)
    if kind in ("OGG", "OPUS"):
        part, _ = read_segment(path, 3.5, 0.25)
        first = round(3.5 * rate)
        torch.testing.assert_close(part, wav[:, first : first + part.shape[-1]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_joined_mp3s_of_other_channels_and_rates_become_those_of_the_first(channels):
    other = encoded("MP3", AUDIO[:, : 3 - channels], 24_000)
    content = encoded("MP3", AUDIO[:, :channels]) + other
    wav, rate = read_audio(io.BytesIO(content))
    assert (len(wav), rate) == (channels, RATE)
    assert wav.shape[-1] / rate == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize("kind", [*SIZES, "FLAC", "OGG", "MP3"])
def test_a_file_that_breaks_off_tells_where_and_is_no_training_data(tmp_path, kind):
    content = encoded(kind)
    path = tmp_path / "a.wav"
    path.write_bytes(content[: len(content) * 6 // 10])
    with pytest.warns(UserWarning, match=r"(breaks off|is damaged) at \d\.\d\d s"):
        wav, rate = read_audio(path)
    assert 0.9 < wav.shape[-1] / rate <= 1.9 and torch.isfinite(wav).all()
    with pytest.raises(UnreadableAudioError, match=r"(breaks off|is damaged) at \d\.\d\d s"):
        resample_clip(path, tmp_path / "out.flac", RATE)
    assert not (tmp_path / "out.flac").exists()
    assert probe_files(tmp_path, ["a.wav"], decode=True, jobs=1)["a.wav"].problem == "unreadable"


def test_a_recording_of_a_stream_that_was_stopped_is_no_damage():
    """It begins in the middle, and no page says that it is the last one."""
    content = encoded("OGG", np.tile(AUDIO, (8, 1)))
    starts = [place for place in range(len(content)) if content.startswith(b"OggS", place)]
    pages = [content[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    assert len(pages) > 40
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wav, _ = read_audio(io.BytesIO(b"".join(pages[:2] + pages[20:-2])))
    assert wav.shape[-1] > LENGTH


def test_many_channels_take_no_more_memory(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((2000, 500), np.int16), 8000)
    with open_audio(tmp_path / "a.wav") as audio:
        assert max(block.numel() for block in audio.blocks) <= 2**17


def test_a_page_that_is_missing_in_an_ogg_file_is_told():
    content = bytearray(encoded("OGG", np.tile(AUDIO, (2, 1))))
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    with pytest.warns(UserWarning, match=r"is damaged.*; \d\.\d\d s of 6\.00 s can be read"):
        assert read_audio(io.BytesIO(content))[0].shape[-1] < 2 * LENGTH


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (32000, 1), (22050, 2), (8000, 1)])
def test_length_by_the_tag_of_an_mp3_is_that_of_libsndfile(tmp_path, rate, channels):
    wav = np.random.default_rng(0).normal(0, 0.1, (rate, channels))
    soundfile.write(tmp_path / "a.wav", wav, rate)
    for more in ([], ["-id3v2_version", "0"], ["-write_xing", "0"]):
        wav, mp3 = tmp_path / "a.wav", tmp_path / "a.mp3"
        subprocess.run([ffmpeg(), "-v", "error", "-y", "-i", wav, *more, mp3], check=True)
        with open(mp3, "rb") as file:
            told = mp3_seconds(file, mp3_start(file))
        expected = None if "-write_xing" in more else soundfile.info(mp3).duration
        assert told == pytest.approx(expected, abs=1e-6)
