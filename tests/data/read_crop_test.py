import io

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.utils.audio_file import UnreadableAudioError, audio_seconds


def write(path, audio, rate=8000, **kwargs):
    soundfile.write(path, np.asarray(audio), rate, **kwargs)
    return path


def sine(frequency, rate, seconds, start=0.0):
    time = start + np.arange(round(rate * seconds)) / rate
    return np.sin(2 * np.pi * frequency * time)


def test_reads_the_right_samples(tmp_path):
    ramp = np.arange(8000) / 8000
    path = write(tmp_path / "ramp.wav", ramp, subtype="FLOAT")
    crop = read_crop(path, 0.25, 400, 8000)
    assert crop.dtype == torch.float32
    np.testing.assert_allclose(crop, ramp[2000:2400], atol=1e-7)


def test_reads_no_more_than_it_needs(tmp_path, monkeypatch):
    path = write(tmp_path / "long.wav", np.zeros(160_000) + 0.1, rate=16_000)
    frames = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile,
        "read",
        lambda self, count, **kwargs: frames.append(count) or read(self, count, **kwargs),
    )
    assert len(read_crop(path, 3.0, 1000, 8000)) == 1000
    assert frames == [2000]


@pytest.mark.parametrize("rate", [4000, 11_025, 16_000, 44_100, 48_000])
def test_resamples(tmp_path, rate):
    path = write(tmp_path / "sine.wav", sine(440, rate, 2.0), rate=rate, subtype="FLOAT")
    crop = read_crop(path, 0.5, 4000, 8000).numpy()
    start = round(0.5 * rate) / rate  # crops begin at a sample of the file
    expected = sine(440, 8000, 0.5, start=start)
    # The ends lack the neighbours that the resampling filter needs.
    assert np.abs(crop - expected)[50:-50].max() < 0.02


def test_averages_channels(tmp_path):
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    path = write(tmp_path / "stereo.wav", stereo, subtype="FLOAT")
    np.testing.assert_allclose(read_crop(path, 0.0, 100, 8000), np.full(100, 0.125))


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_pads_past_the_end(tmp_path, rate):
    path = write(tmp_path / "short.wav", np.full(rate // 10, 0.5), rate=rate, subtype="FLOAT")
    crop = read_crop(path, 0.0, 2000, 8000)
    assert len(crop) == 2000
    assert crop[200:600].mean().item() == pytest.approx(0.5, abs=0.01)
    assert crop[850:].abs().max() == 0


def test_a_negative_start_is_the_beginning(tmp_path):
    path = write(tmp_path / "a.wav", np.linspace(0, 0.9, 100), subtype="FLOAT")
    assert torch.equal(read_crop(path, -1.0, 50, 8000), read_crop(path, 0.0, 50, 8000))


@pytest.mark.parametrize("start", [1.0, 50.0])
def test_nothing_beyond_the_end(tmp_path, start):
    path = write(tmp_path / "a.wav", np.zeros(8000) + 0.1)
    with pytest.raises(UnreadableAudioError, match=rf"no audio from {start:.2f} s on"):
        read_crop(path, start, 100, 8000)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_reads_compressed_files(tmp_path, suffix):
    audio = 0.5 * sine(440, 16_000, 1.0)
    path = write(tmp_path / f"a.{suffix}", audio, rate=16_000)
    crop = read_crop(path, 0.25, 4000, 16_000).numpy()
    spectrum = np.abs(np.fft.rfft(crop * np.hanning(4000)))
    assert np.argmax(spectrum) * 4 == pytest.approx(440, abs=4)
    assert audio_seconds(path) == pytest.approx(1.0, abs=0.1)


def unreadable(tmp_path):
    (tmp_path / "zero.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not audio at all, but long enough to have a header" * 9)
    (tmp_path / "folder.wav").mkdir()
    write(tmp_path / "no_frames.wav", np.zeros(0))
    write(tmp_path / "nan.wav", np.full(800, np.nan), subtype="FLOAT")
    write(tmp_path / "inf.wav", np.full(800, np.inf), subtype="FLOAT")
    cut = write(tmp_path / "cut.flac", sine(440, 8000, 1.0))
    cut.write_bytes(cut.read_bytes()[:30])


@pytest.mark.parametrize(
    "name",
    ["missing.wav", "zero.wav", "text.wav", "folder.wav", "no_frames.wav"]
    + ["nan.wav", "inf.wav", "cut.flac"],
)
def test_says_which_file_is_unreadable(tmp_path, name):
    unreadable(tmp_path)
    with pytest.raises(UnreadableAudioError, match=name):
        read_crop(tmp_path / name, 0.0, 100, 8000)


@pytest.mark.parametrize("name", ["missing.wav", "zero.wav", "text.wav", "folder.wav"])
def test_length_of_an_unreadable_file(tmp_path, name):
    unreadable(tmp_path)
    with pytest.raises(UnreadableAudioError, match=name):
        audio_seconds(tmp_path / name)


def test_length(tmp_path):
    assert audio_seconds(write(tmp_path / "a.wav", np.zeros(12_000))) == 1.5


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_crop_is_what_the_whole_file_has_there(tmp_path, suffix, channels, rate):
    """Seeking is exact to the sample, also in mp3, whose frames depend on those before."""
    rng = np.random.default_rng(0)
    time = np.arange(20 * rate) / rate
    sweep = 0.3 * np.sin(2 * np.pi * (100 + 50 * time) * time)
    audio = sweep[:, None] + 0.02 * rng.standard_normal((len(time), channels))
    with soundfile.SoundFile(tmp_path / f"a.{suffix}", "w", rate, channels) as file:
        for block in np.array_split(audio, 20):
            file.write(block)
    whole, _ = soundfile.read(tmp_path / f"a.{suffix}", dtype="float32", always_2d=True)
    for start in [0.0, *rng.uniform(0, 18, 6)]:
        crop = read_crop(tmp_path / f"a.{suffix}", start, rate, rate)
        first = round(start * rate)
        expected = whole[first : first + rate].mean(1)
        # The oracle decodes mp3 with another library.
        np.testing.assert_allclose(crop, expected, atol=5e-6 if suffix == "mp3" else 1e-6)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_reads_from_memory(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", 0.5 * sine(440, 16_000, 2.0), rate=16_000)
    from_memory = read_crop(io.BytesIO(path.read_bytes()), 0.7, 4000, 8000)
    assert torch.equal(from_memory, read_crop(path, 0.7, 4000, 8000))


def test_what_is_read_from_memory_has_a_name():
    with pytest.raises(UnreadableAudioError, match="^Cannot read b.tar/a.wav: it is no audio file"):
        read_crop(io.BytesIO(b"no audio" * 99), 0.0, 100, 8000, "b.tar/a.wav")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(UnreadableAudioError, match="a.wav does not exist"):
        read_crop(tmp_path / "a.wav", 0.0, 100, 8000)
    with pytest.raises(UnreadableAudioError, match="a.wav does not exist"):
        audio_seconds(tmp_path / "a.wav")


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_sample_that_is_not_finite_is_seen(tmp_path, channels, bad):
    audio = np.zeros((1000, channels))
    audio[500, -1] = bad
    path = write(tmp_path / "a.wav", audio, subtype="FLOAT")
    with pytest.raises(UnreadableAudioError, match="NaN or infinite"):
        read_crop(path, 0.0, 1000, 8000)
