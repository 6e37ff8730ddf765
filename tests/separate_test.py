"""Files in, files out: nothing lost, nothing overwritten, one bad file never stops the others."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.models import BiModalUNet, streaming
from asteroid_bimodal.queries.base import EncodedQuery, QueryEncoder
from asteroid_bimodal.separate import find_inputs, output_names, separate_file, separate_files


class Hashed(QueryEncoder):
    """Another random embedding for each text."""

    token_dim, pooled_dim = 6, 4

    def encode(self, queries):
        encoded = []
        for text in queries:
            generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
            tokens = torch.randn(3, 6, generator=generator)
            pooled = 9 * torch.randn(4, generator=generator)
            encoded.append(EncodedQuery(tokens, torch.ones(3, dtype=torch.bool), pooled))
        return encoded


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"num_downs": 5, "ngf": 2, "out_dim": 4, "num_heads": 2}
    return BiModalUNet(8000, 126, 32, Hashed(), cond_dim=6, pooled_dim=4, **sizes).eval()


def noise(length=4000, channels=1):
    return 0.1 * np.random.default_rng(length).standard_normal((length, channels), np.float32)


def write(path, audio, rate=8000, subtype="FLOAT"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("rate", "channels", "length"),
    [(8000, 1, 4001), (44100, 2, 11025), (16000, 5, 3000), (192000, 1, 20001)],
)
def test_outputs_have_the_inputs_rate_channels_and_length_and_add_up_to_it(
    model, tmp_path, rate, channels, length
):
    audio = noise(length, channels)
    path = write(tmp_path / "duet.wav", audio, rate)
    results = separate_files(model, [path], ["violin", "acoustic guitar"], residual=True)
    expected = ["duet_violin.wav", "duet_acoustic_guitar.wav", "duet_residual.wav"]
    assert [path.name for path in results.written] == expected and not results.failed
    for written in results.written:
        info = soundfile.info(written)
        assert (info.samplerate, info.channels, info.frames) == (rate, channels, length)
        assert info.subtype == "FLOAT"
    violin, guitar, residual = (read(written)[0] for written in results.written)
    np.testing.assert_array_equal(residual, audio - (violin + guitar))
    assert not np.allclose(violin, guitar)
    assert 1e-4 < np.abs(violin).max() < 1


def test_file_gives_what_the_model_gives(model, tmp_path):
    audio = noise(4000, 2)
    path = write(tmp_path / "duet.wav", audio)
    expected = model.separate(path, ["violin", "flute"])  # (Q, C, T)
    tracks, rate = separate_file(model, path, ["violin", "flute"])
    assert rate == 8000
    torch.testing.assert_close(torch.stack(tracks), expected, rtol=0, atol=0)


def test_loud_input_is_not_cut_off(model, tmp_path):
    audio = 40 * noise()
    path = write(tmp_path / "loud.wav", audio)
    results = separate_files(model, [path], ["violin"], residual=True)
    violin, residual = (read(written)[0] for written in results.written)
    assert np.abs(residual).max() > 1
    np.testing.assert_allclose(violin + residual, audio, atol=1e-6)


def test_silence_gives_silence(model, tmp_path):
    path = write(tmp_path / "silence.wav", np.zeros((4000, 2)), 44100)
    results = separate_files(model, [path], ["violin", "flute"], residual=True)
    assert len(results.written) == 3
    assert not any(read(written)[0].any() for written in results.written)


def bad_files(folder):
    nan = noise()
    nan[7] = np.nan
    write(folder / "nan.wav", nan)
    write(folder / "inf.wav", nan * np.inf)
    write(folder / "empty.wav", noise(0))
    write(folder / "one.wav", noise(1))
    write(folder / "short.wav", noise(600), 44100)
    (folder / "text.wav").write_text("no audio")
    (folder / "nothing.mp3").write_bytes(b"")
    truncated = write(folder / "cut.flac", noise(), subtype="PCM_16")
    truncated.write_bytes(truncated.read_bytes()[:30])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_files_are_reported_and_the_others_done(model, tmp_path):
    write(tmp_path / "a.wav", noise())
    bad_files(tmp_path)
    write(tmp_path / "z.wav", noise())
    results = separate_files(model, find_inputs(tmp_path), ["violin"], out=tmp_path / "out")
    assert names(tmp_path / "out") == ["a_violin.wav", "z_violin.wav"]
    reasons = {path.name: reason for path, reason in results.failed.items()}
    assert set(reasons) == {
        *("nan.wav", "inf.wav", "empty.wav", "one.wav", "short.wav"),
        *("text.wav", "nothing.mp3", "cut.flac"),
    }
    for reason in reasons.values():
        assert reason.startswith("Expected ") and "\n" not in reason
    assert "NaN" in reasons["nan.wav"] and "NaN" in reasons["inf.wav"]
    assert "no samples" in reasons["empty.wav"]
    assert reasons["short.wav"] == (
        "Expected at least 16 ms of audio, one frame of the model, received 13.6 ms."
    )


@pytest.fixture
def short_windows(monkeypatch):
    monkeypatch.setattr(streaming, "HOP_SECONDS", 1)
    monkeypatch.setattr(streaming, "OVERLAP_SECONDS", 1)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_long_files_are_written_window_by_window_and_add_up(
    model, tmp_path, short_windows, batch_size
):
    audio = noise(7 * 22050, 2)
    path = write(tmp_path / "duet.wav", audio, 22050)
    options = {"residual": True, "batch_size": batch_size}
    results = separate_files(model, [path], ["violin", "flute"], **options)
    tracks = [read(written)[0] for written in results.written]
    np.testing.assert_allclose(sum(tracks), audio, atol=1e-6)
    in_memory, _ = separate_file(model, path, ["violin", "flute"], residual=True)
    for track, kept in zip(tracks, in_memory, strict=True):
        np.testing.assert_allclose(track.T, kept, atol=1e-6)


def test_queries_of_a_long_file_are_encoded_once(model, tmp_path, short_windows, monkeypatch):
    asked = []
    encode = model.encode_queries
    monkeypatch.setattr(
        model,
        "encode_queries",
        lambda queries, size: [asked.append(queries), encode(queries, size)][1],
    )
    separate_files(model, [write(tmp_path / "duet.wav", noise(60_000))], ["violin", "flute"])
    assert [queries for queries in asked if isinstance(queries, list)] == [["violin", "flute"]]


def test_file_that_fails_in_the_middle_leaves_nothing_behind(model, tmp_path, short_windows):
    audio = noise(60_000)
    audio[50_000] = np.nan
    path = write(tmp_path / "duet.wav", audio)
    (tmp_path / "duet_violin.wav").write_text("mine")
    results = separate_files(model, [path], ["violin", "flute"], overwrite=True)
    assert not results.written and "NaN" in results.failed[path]
    assert names(tmp_path) == ["duet.wav", "duet_violin.wav"]
    assert (tmp_path / "duet_violin.wav").read_text() == "mine"


def test_progress_is_shown_when_asked_for(model, tmp_path, capsys):
    path = write(tmp_path / "duet.wav", noise(20_000))
    separate_files(model, [path], ["violin"])
    assert capsys.readouterr().err == ""
    separate_files(model, [path], ["violin"], overwrite=True, progress=True)
    assert "duet.wav: 100%" in capsys.readouterr().err


def test_outputs_that_a_wav_header_cannot_count_are_rf64(model, tmp_path, monkeypatch):
    monkeypatch.setattr("asteroid_bimodal.separate._MOST_WAV", 16_000)
    for length, kind in [(3999, "WAV"), (4000, "RF64")]:
        path = write(tmp_path / f"{length}.wav", noise(length))
        (written,) = separate_files(model, [path], ["violin"]).written
        assert soundfile.info(written).format == kind
        assert soundfile.info(written).frames == length


def test_one_frame_is_enough(model, tmp_path):
    path = write(tmp_path / "a.wav", noise(126))
    assert separate_files(model, [path], ["violin"]).written


def test_nothing_is_overwritten_unless_asked(model, tmp_path):
    path = write(tmp_path / "duet.wav", noise())
    (tmp_path / "duet_flute.wav").write_text("mine")
    results = separate_files(model, [path], ["violin", "flute"])
    assert "duet_flute.wav exists already" in results.failed[path]
    assert "--overwrite" in results.failed[path]
    assert names(tmp_path) == ["duet.wav", "duet_flute.wav"]
    assert (tmp_path / "duet_flute.wav").read_text() == "mine"
    results = separate_files(model, [path], ["violin", "flute"], overwrite=True)
    assert len(results.written) == 2 and not results.failed
    assert read(tmp_path / "duet_flute.wav")[0].shape == (4000, 1)


def test_inputs_of_the_same_name_do_not_replace_each_others_outputs(model, tmp_path):
    inputs = [write(tmp_path / folder / "duet.wav", noise()) for folder in ("a", "b")]
    out = tmp_path / "out"
    results = separate_files(model, inputs, ["violin"], out=out, overwrite=True)
    assert results.written == [out / "duet_violin.wav"]
    assert "is the output of" in results.failed[inputs[1]]


def test_outputs_of_an_earlier_run_are_not_separated_again(model, tmp_path):
    write(tmp_path / "duet.wav", noise())
    for _ in range(2):
        separate_files(model, find_inputs(tmp_path), ["violin"], residual=True, overwrite=True)
    assert names(tmp_path) == ["duet.wav", "duet_residual.wav", "duet_violin.wav"]


def test_queries_stay_inside_the_folder(model, tmp_path):
    path = write(tmp_path / "in" / "duet.wav", noise())
    queries = ["../../violin", "/etc/passwd", "..", 'a "b"', "小提琴", "$(rm) ; *", "q" * 300]
    results = separate_files(model, [path], queries, out=tmp_path / "out")
    assert len(results.written) == len(queries)
    assert names(tmp_path) == ["in", "out"]
    assert len(names(tmp_path / "out")) == len(queries)
    assert {"duet_violin.wav", "duet_etc_passwd.wav", "duet_小提琴.wav"} <= set(
        names(tmp_path / "out")
    )


@pytest.mark.parametrize(
    ("queries", "residual"),
    [
        (["violin", "violin"], False),
        (["a flute", "a/flute"], False),
        (["Violin", "violin"], False),
        (["residual"], True),
    ],
)
def test_queries_with_the_same_file_name_are_refused(queries, residual):
    with pytest.raises(ValueError, match="different file names"):
        output_names(queries, residual)


@pytest.mark.parametrize("queries", [[], [""], ["violin", "  \n"], [3], [None], "violin"])
def test_queries_that_are_empty_or_not_text_are_refused_before_any_work(tmp_path, queries):
    with pytest.raises(ValueError, match="Expected .*quer"):
        separate_files(None, [tmp_path / "duet.wav"], queries)


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match="Expected queries of text"):
        output_names([os.fsdecode(b"fl\xfcte")])


def test_target_that_cannot_be_written_is_one_sentence(model, tmp_path):
    path = write(tmp_path / "duet.wav", noise())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="Expected a folder to write to, found a file"):
        separate_files(model, [path], ["violin"], out=tmp_path / "file")
    results = separate_files(model, [path], ["violin"], out=tmp_path / "file" / "deeper")
    assert "Could not write" in results.failed[path] and "--out" in results.failed[path]
    assert (tmp_path / "file").read_text() == "mine"


def test_find_inputs_takes_files_folders_and_patterns(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    for name in ("b.wav", "a.FLAC", ".hidden.wav", "notes.txt", "folder.wav/c.wav"):
        (tmp_path / name).touch()

    def found(source):
        return [str(path.relative_to(tmp_path)) for path in find_inputs(source)]

    assert found(tmp_path / "notes.txt") == ["notes.txt"]
    assert found(tmp_path) == ["a.FLAC", "b.wav"]
    assert found(f"{tmp_path}/*.wav") == ["b.wav"]
    assert found(f"{tmp_path}/**/*.wav") == ["b.wav", "folder.wav/c.wav"]


def test_missing_input_and_folder_without_audio_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no audio")
    for source in (tmp_path, tmp_path / "missing.wav", f"{tmp_path}/*.wav"):
        with pytest.raises(FileNotFoundError, match="found no audio at"):
            find_inputs(source)
