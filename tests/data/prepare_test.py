import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.data import prepare
from asteroid_bimodal.data.prepare import prepare_audio, resample_clip
from asteroid_bimodal.utils import audio_decoders
from asteroid_bimodal.utils.audio_file import UnreadableAudioError


def tone(rate, seconds=1.0, channels=1):
    wav = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)
    return wav[:, None].repeat(channels, 1)


def write(path, audio, rate=44_100, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, **kwargs)
    return path


@pytest.fixture
def raw(tmp_path):
    write(tmp_path / "raw/violin/a.wav", tone(44_100, channels=2))
    write(tmp_path / "raw/flute/b.mp3", tone(22_050), 22_050)
    write(tmp_path / "raw/flute/c.ogg", tone(8000), 8000)
    return tmp_path / "raw"


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_tone_keeps_its_pitch_level_and_length(tmp_path, suffix, rate):
    source = write(tmp_path / f"in.{suffix}", tone(rate, channels=2), rate)
    resample_clip(source, tmp_path / "out.flac", 16_000)
    wav, found = soundfile.read(tmp_path / "out.flac")
    assert found == 16_000 and wav.shape == (16_000,)
    assert soundfile.info(tmp_path / "out.flac").subtype == "PCM_16"
    assert np.abs(wav - tone(16_000)[:, 0])[200:-200].max() < 0.03


def test_channels_are_averaged_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_decoders, "_BLOCK", 1000)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4321, 2))
    source = write(tmp_path / "in.wav", noise, 8000, subtype="FLOAT")
    resample_clip(source, tmp_path / "out.flac", 8000)
    wav, _ = soundfile.read(tmp_path / "out.flac")
    np.testing.assert_allclose(wav, noise.mean(1), atol=2**-15)


def test_what_is_too_loud_is_turned_down_and_keeps_its_waveform(tmp_path):
    source = write(tmp_path / "in.wav", 4 * tone(16_000), 16_000, subtype="FLOAT")
    assert resample_clip(source, tmp_path / "out.flac", 16_000) == pytest.approx(0.5, abs=1e-3)
    wav, _ = soundfile.read(tmp_path / "out.flac")
    np.testing.assert_allclose(wav, 2 * tone(16_000)[:, 0], atol=1e-3)


def test_what_resampling_lifts_above_full_scale_keeps_its_waveform(tmp_path):
    """A square wave of full scale overshoots once its highest harmonics are gone."""
    square = 0.999 * np.sign(np.sin(2 * np.pi * 300 * (np.arange(48_000) + 0.5) / 48_000))
    gain = resample_clip(write(tmp_path / "in.wav", square, 48_000), tmp_path / "a.flac", 16_000)
    quiet = write(tmp_path / "quiet.wav", 0.5 * square, 48_000)
    assert resample_clip(quiet, tmp_path / "b.flac", 16_000) == 1
    loud, _ = soundfile.read(tmp_path / "a.flac")
    quiet, _ = soundfile.read(tmp_path / "b.flac")
    assert 0.8 < gain < 0.99 and np.abs(loud).max() > 0.999
    np.testing.assert_allclose(loud, 2 * gain * quiet, atol=3 * 2**-15)


def test_what_was_turned_down_is_reported(raw, tmp_path):
    write(raw / "loud.wav", 4 * tone(8000), 8000, subtype="FLOAT")
    done = prepare_audio(raw, tmp_path / "out", sample_rate=8000)
    assert done.turned_down == {tmp_path / "out/loud.flac": pytest.approx(0.5, abs=1e-3)}
    assert tmp_path / "out/loud.flac" in done.written


def test_every_file_keeps_its_place(raw, tmp_path):
    done = prepare_audio(raw, tmp_path / "out", sample_rate=16_000, jobs=2)
    names = ["flute/b.flac", "flute/c.flac", "violin/a.flac"]
    assert sorted(done.written) == [tmp_path / "out" / name for name in names]
    assert not done.kept and not done.failed
    for path in done.written:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (16_000, 1)
        assert info.frames == pytest.approx(16_000, abs=1)


def test_a_second_run_does_what_is_missing(raw, tmp_path):
    out = tmp_path / "out"
    first = prepare_audio(raw, out, sample_rate=16_000)
    (out / "flute/b.flac").unlink()
    (out / "flute/c.flac").write_bytes(b"half of a fi")
    done = prepare_audio(raw, out, sample_rate=16_000)
    assert done.kept == [out / "violin/a.flac"]
    assert sorted(done.written) == [out / "flute/b.flac", out / "flute/c.flac"]
    again = prepare_audio(raw, out, sample_rate=8000)
    assert sorted(again.written) == sorted(first.written) and not again.kept


def test_a_source_that_changed_is_prepared_again(raw, tmp_path):
    out = tmp_path / "out"
    prepare_audio(raw, out, sample_rate=16_000)
    write(raw / "violin/a.wav", tone(44_100, seconds=2.0))
    later = (out / "violin/a.flac").stat().st_mtime + 1
    os.utime(raw / "violin/a.wav", (later, later))
    done = prepare_audio(raw, out, sample_rate=16_000)
    assert done.written == [out / "violin/a.flac"] and len(done.kept) == 2
    assert soundfile.info(out / "violin/a.flac").frames == 32_000


def test_what_cannot_be_read_is_reported(raw, tmp_path):
    (raw / "text.wav").write_text("no audio " * 9)
    (raw / "film.mp4").write_bytes(b"\0" * 99)
    write(raw / "empty.wav", np.zeros((0, 1)))
    write(raw / "nan.wav", np.full(800, np.nan), subtype="FLOAT")
    done = prepare_audio(raw, tmp_path / "out", sample_rate=8000)
    reasons = {skip.path.rsplit("/", 1)[1]: skip.reason for skip in done.failed}
    assert set(reasons) == {"text.wav", "film.mp4", "empty.wav", "nan.wav"}
    assert "has no audio" in reasons["empty.wav"] and "NaN" in reasons["nan.wav"]
    assert len(done.written) == 3
    assert len(list((tmp_path / "out").rglob("*.*"))) == 3


def test_a_truncated_file(tmp_path):
    source = write(tmp_path / "in.flac", np.random.default_rng(0).uniform(-1, 1, (80_000, 1)))
    source.write_bytes(source.read_bytes()[:50_000])
    with pytest.raises(UnreadableAudioError, match="in.flac"):
        resample_clip(source, tmp_path / "out.flac", 16_000)
    assert not (tmp_path / "out.flac").exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(UnreadableAudioError, match="does not exist"):
        resample_clip(tmp_path / "none.wav", tmp_path / "out.flac", 16_000)


def test_a_full_disk_ends_the_run_with_nothing_half_written(raw, tmp_path, monkeypatch):
    def full(path, *args, **kwargs):
        Path(os.fsdecode(path)).write_bytes(b"half")
        time.sleep(0.01)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare.soundfile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        prepare_audio(raw, tmp_path / "out", sample_rate=16_000, jobs=1)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_results_never_take_each_others_place(raw, tmp_path):
    write(raw / "flute/b.wav", tone(8000), 8000)
    with pytest.raises(ValueError, match=r"b\.(mp3|wav) and .*b\.(mp3|wav) would both become"):
        prepare_audio(raw, tmp_path / "out", sample_rate=16_000)
    write(tmp_path / "same/a.flac", tone(8000), 8000)
    with pytest.raises(ValueError, match="would be replaced. Prepare into another folder"):
        prepare_audio(tmp_path / "same", tmp_path / "same", sample_rate=16_000)


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="found none: name the folder that they are in"):
        prepare_audio(tmp_path, tmp_path / "out", sample_rate=16_000)
