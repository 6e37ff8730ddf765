"""Files in, files out: nothing lost, nothing overwritten, one bad file never stops the others."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile
import torch
from ffmpeg_program import ffmpeg

from asteroid_bimodal.separate import Query, find_inputs, separate_files
from asteroid_bimodal.utils.audio_file import read_audio


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("rate", "channels", "length"),
    [(8000, 1, 4001), (44100, 2, 11025), (16000, 5, 3000), (192000, 1, 20001)],
)
def test_outputs_have_the_inputs_rate_channels_and_length_and_add_up_to_it(
    model, tmp_path, rate, channels, length, noise, write
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


def test_file_gives_what_the_model_gives(model, tmp_path, noise, write):
    audio = noise(4000, 2)
    path = write(tmp_path / "duet.wav", audio)
    with torch.no_grad():
        expected = model(torch.from_numpy(audio.T)[None], ["violin", "flute"])[0]  # (Q, C, T)
    found = model.separate(path, ["violin", "flute"])
    assert found.sample_rate == 8000 and found.queries == ["violin", "flute"]
    torch.testing.assert_close(found.estimates, expected, rtol=0, atol=0)


def test_loud_input_is_not_cut_off(model, tmp_path, noise, write):
    audio = 40 * noise()
    path = write(tmp_path / "loud.wav", audio)
    results = separate_files(model, [path], ["violin"], residual=True)
    violin, residual = (read(written)[0] for written in results.written)
    assert np.abs(residual).max() > 1
    np.testing.assert_allclose(violin + residual, audio, atol=1e-6)


def test_silence_gives_silence(model, tmp_path, write):
    path = write(tmp_path / "silence.wav", np.zeros((4000, 2)), 44100)
    results = separate_files(model, [path], ["violin", "flute"], residual=True)
    assert len(results.written) == 3
    assert not any(read(written)[0].any() for written in results.written)


def bad_files(folder, noise, write):
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
def test_bad_files_are_reported_and_the_others_done(model, tmp_path, noise, write):
    write(tmp_path / "a.wav", noise())
    bad_files(tmp_path, noise, write)
    write(tmp_path / "z.wav", noise())
    results = separate_files(model, find_inputs(tmp_path), ["violin"], out=tmp_path / "out")
    assert names(tmp_path / "out") == ["a_violin.wav", "z_violin.wav"]
    reasons = {path.name: reason for path, reason in results.failed.items()}
    assert set(reasons) == {
        *("nan.wav", "inf.wav", "empty.wav", "one.wav", "short.wav"),
        *("text.wav", "nothing.mp3", "cut.flac"),
    }
    for reason in reasons.values():
        assert reason.endswith(".") and "\n" not in reason
    assert "NaN" in reasons["nan.wav"] and "NaN" in reasons["inf.wav"]
    assert "has no audio" in reasons["empty.wav"]
    assert reasons["short.wav"] == (
        "Expected at least 16 ms of audio, one frame of the model, received 13.6 ms."
    )


def test_file_for_which_memory_does_not_suffice_stops_no_others(
    model, tmp_path, monkeypatch, noise, write
):
    """On a CPU, and in an FFT on a GPU, that is a plain RuntimeError."""
    encode = model.forward_encoder

    def forward_encoder(wav):
        if wav.shape[1] > 2:
            raise RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED")
        return encode(wav)

    monkeypatch.setattr(model, "forward_encoder", forward_encoder)
    paths = [write(tmp_path / f"{c}.wav", noise(4000, c)) for c in (1, 3, 2)]
    results = separate_files(model, paths, ["violin"], out=tmp_path / "out")
    assert results.failed == {paths[1]: "cuFFT error: CUFFT_ALLOC_FAILED"}
    assert names(tmp_path / "out") == ["1_violin.wav", "2_violin.wav"]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_long_files_are_written_window_by_window_and_add_up(
    model, tmp_path, short_windows, batch_size, noise, write
):
    audio = noise(7 * 22050, 2)
    path = write(tmp_path / "duet.wav", audio, 22050)
    options = {"residual": True, "batch_size": batch_size}
    results = separate_files(model, [path], ["violin", "flute"], **options)
    tracks = [read(written)[0] for written in results.written]
    np.testing.assert_allclose(sum(tracks), audio, atol=1e-6)
    in_memory = model.separate(path, ["violin", "flute"], residual=True)
    for track, kept in zip(tracks, [*in_memory, in_memory.residual], strict=True):
        np.testing.assert_allclose(track.T, kept, atol=1e-6)


def test_queries_are_encoded_once_for_all_files_and_windows(
    model, tmp_path, short_windows, monkeypatch, noise, write
):
    asked = []
    encode = type(model.query_encoder).encode
    monkeypatch.setattr(
        type(model.query_encoder),
        "encode",
        lambda self, queries: [asked.extend(queries), encode(self, queries)][1],
    )
    files = [write(tmp_path / f"{name}.wav", noise(60_000)) for name in "ab"]
    assert len(separate_files(model, files, ["a new horn", "a new gong"]).written) == 4
    assert asked == ["a new horn", "a new gong"]


def test_file_that_fails_in_the_middle_leaves_nothing_behind(
    model, tmp_path, short_windows, noise, write
):
    audio = noise(60_000)
    audio[50_000] = np.nan
    path = write(tmp_path / "duet.wav", audio)
    (tmp_path / "duet_violin.wav").write_text("mine")
    results = separate_files(model, [path], ["violin", "flute"], overwrite=True)
    assert not results.written and "NaN" in results.failed[path]
    assert names(tmp_path) == ["duet.wav", "duet_violin.wav"]
    assert (tmp_path / "duet_violin.wav").read_text() == "mine"


def test_progress_is_shown_when_asked_for(model, tmp_path, capsys, noise, write):
    path = write(tmp_path / "duet.wav", noise(20_000))
    separate_files(model, [path], ["violin"])
    assert capsys.readouterr().err == ""
    separate_files(model, [path], ["violin"], overwrite=True, progress=True)
    assert "duet.wav: 100%" in capsys.readouterr().err


def test_outputs_that_a_wav_header_cannot_count_are_rf64(
    model, tmp_path, monkeypatch, noise, write
):
    monkeypatch.setattr("asteroid_bimodal.separate.outputs._MOST_WAV", 16_000)
    for length, kind in [(3999, "WAV"), (4000, "RF64")]:
        path = write(tmp_path / f"{length}.wav", noise(length))
        (written,) = separate_files(model, [path], ["violin"]).written
        assert soundfile.info(written).format == kind
        assert soundfile.info(written).frames == length


def test_one_frame_is_enough(model, tmp_path, noise, write):
    path = write(tmp_path / "a.wav", noise(126))
    assert separate_files(model, [path], ["violin"]).written


def test_nothing_is_overwritten_unless_asked(model, tmp_path, noise, write):
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


def test_inputs_of_the_same_name_do_not_replace_each_others_outputs(model, tmp_path, noise, write):
    inputs = [write(tmp_path / folder / "duet.wav", noise()) for folder in ("a", "b")]
    out = tmp_path / "out"
    results = separate_files(model, inputs, ["violin"], out=out, overwrite=True)
    assert results.written == [out / "duet_violin.wav"]
    assert "is the output of" in results.failed[inputs[1]]


def test_outputs_of_an_earlier_run_are_not_separated_again(model, tmp_path, noise, write):
    write(tmp_path / "duet.wav", noise())
    for _ in range(2):
        inputs = find_inputs(tmp_path)
        results = separate_files(model, inputs, ["violin"], residual=True, overwrite=True)
    outputs = ["duet_residual.wav", "duet_violin.wav"]
    assert names(tmp_path) == ["duet.wav", *outputs]
    assert list(results.outputs) == [tmp_path / name for name in outputs]


def test_queries_stay_inside_the_folder(model, tmp_path, noise, write):
    path = write(tmp_path / "in" / "duet.wav", noise())
    dots = Query.blend("..", [("violin", 1.0)])
    queries = ["../../violin", "/etc/passwd", dots, 'a "b"', "小提琴", "$(rm) ; *", "q" * 300]
    results = separate_files(model, [path], queries, out=tmp_path / "out")
    assert len(results.written) == len(queries)
    assert names(tmp_path) == ["in", "out"]
    assert len(names(tmp_path / "out")) == len(queries)
    assert {"duet_violin.wav", "duet_etc_passwd.wav", "duet_小提琴.wav"} <= set(
        names(tmp_path / "out")
    )


def test_target_that_cannot_be_written_is_one_sentence(model, tmp_path, noise, write):
    path = write(tmp_path / "duet.wav", noise())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="Expected a folder to write to, found a file"):
        separate_files(model, [path], ["violin"], out=tmp_path / "file")
    results = separate_files(model, [path], ["violin"], out=tmp_path / "file" / "deeper")
    assert "Could not write" in results.failed[path] and "--out" in results.failed[path]
    assert (tmp_path / "file").read_text() == "mine"


SUBTYPES = [
    *(("wav", subtype) for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8")),
    *(("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")),
    *(("opus", "OPUS"), ("aiff", "PCM_16")),
]


@pytest.mark.parametrize(("suffix", "subtype"), SUBTYPES)
def test_formats_of_libsndfile_add_up(model, tmp_path, suffix, subtype, noise):
    path, kind = tmp_path / f"duet.{suffix}", {"opus": "OGG"}.get(suffix, suffix.upper())
    soundfile.write(path, noise(8000, 2), 16000, subtype=subtype, format=kind)
    results = separate_files(model, [path], ["violin"], residual=True)
    tracks = [read(written)[0] for written in results.written]
    np.testing.assert_allclose(sum(tracks), read(path)[0], atol=1e-4)
    assert {soundfile.info(written).subtype for written in results.written} == {"FLOAT"}


def encode_by_ffmpeg(source, target, *options):
    command = [ffmpeg(), "-v", "error", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "aac", "wma", "mkv"])
def test_formats_of_ffmpeg_add_up(model, tmp_path, suffix, short_windows, noise, write):
    source = write(tmp_path / "source.wav", noise(5 * 44100, 2), 44100)
    path = encode_by_ffmpeg(source, tmp_path / f"a duet.{suffix}")
    results = separate_files(model, [path], ["violin"], residual=True)
    tracks = [read(written)[0] for written in results.written]
    expected, rate = read_audio(path)
    assert rate == 44100 and tracks[0].shape == expected.T.shape and not results.failed
    assert abs(len(tracks[0]) - 5 * 44100) < 8192
    np.testing.assert_allclose(sum(tracks), expected.T, atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000, 192000])
def test_estimates_and_residual_add_up_at_every_rate(model, tmp_path, rate, noise, write):
    audio = noise(rate, 2)
    path = write(tmp_path / "duet.wav", audio, rate)
    results = separate_files(model, [path], ["violin", "flute"], residual=True)
    tracks = [read(written)[0] for written in results.written]
    np.testing.assert_allclose(sum(tracks), audio, atol=1e-4)
    results = separate_files(model, [path], [], without=["violin", "flute"], residual=True,
                             out=tmp_path / "out")  # fmt: skip
    tracks = [read(written)[0] for written in results.written]
    assert len(tracks) == 2
    np.testing.assert_allclose(sum(tracks), audio, atol=1e-4)


def test_everything_but_a_sound_is_the_input_less_its_estimate(model, duet):
    separate_files(model, [duet], ["drums"])
    results = separate_files(model, [duet], [], without=["drums"])
    assert results.written == [duet.with_name("duet_without_drums.wav")]
    drums = read(duet.with_name("duet_drums.wav"))[0]
    np.testing.assert_allclose(read(results.written[0])[0], read(duet)[0] - drums, atol=1e-6)


def test_queries_lose_what_is_left_out_and_the_sum_stays_exact(model, duet):
    options = {"without": ["drums"], "residual": True}
    results = separate_files(model, [duet], ["violin"], **options)
    names_ = ["duet_violin_without_drums.wav", "duet_residual.wav"]
    assert [path.name for path in results.written] == names_
    violin, residual = (read(path)[0] for path in results.written)
    alone = model.separate(duet, ["violin"]).estimates.T.numpy()
    assert np.square(violin).sum() < np.square(alone).sum()
    np.testing.assert_allclose(violin + residual, read(duet)[0], atol=1e-6)


def test_scores_are_levels_of_the_files_relative_to_the_input(model, duet):
    results = separate_files(model, [duet], ["violin", "flute"], residual=True)
    assert list(results.scores) == results.written[:2]
    energy = np.square(read(duet)[0]).sum()
    for path, score in results.scores.items():
        level = 10 * np.log10(np.square(read(path)[0]).sum() / energy)
        assert score.level == pytest.approx(level, abs=1e-3) and score.likelihood is None
    in_memory = model.separate(duet, ["violin", "flute"], residual=True)
    assert in_memory.scores == list(results.scores.values())
    assert in_memory.queries == ["violin", "flute"]


def test_finished_inputs_are_skipped_and_others_done(model, tmp_path, noise, write):
    done, new = (write(tmp_path / f"{name}.wav", noise()) for name in ("done", "new"))
    (tmp_path / "done_violin.wav").write_text("mine")
    results = separate_files(model, [done, new], ["violin"], skip_existing=True)
    assert results.skipped == [done] and not results.failed
    assert results.written == [tmp_path / "new_violin.wav"]
    assert (tmp_path / "done_violin.wav").read_text() == "mine"


def test_outputs_that_are_missing_are_added_and_the_others_kept(model, duet):
    violin = duet.with_name("duet_violin.wav")
    violin.write_text("mine")
    results = separate_files(model, [duet], ["violin", "flute"], skip_existing=True)
    assert results.written == [duet.with_name("duet_flute.wav")]
    assert violin.read_text() == "mine"
    expected = model.separate(duet, ["violin", "flute"])[1].numpy()[:, None]
    np.testing.assert_allclose(read(results.written[0])[0], expected)


def test_residual_of_other_queries_is_not_kept(model, duet):
    separate_files(model, [duet], ["violin"], residual=True)
    options = {"residual": True, "skip_existing": True}
    results = separate_files(model, [duet], ["violin", "flute"], **options)
    assert "it is what other queries left" in results.failed[duet]
    assert not duet.with_name("duet_flute.wav").exists()


def test_skipping_and_overwriting_contradict_each_other(model, duet):
    with pytest.raises(ValueError, match="received both. Choose one"):
        separate_files(model, [duet], ["violin"], overwrite=True, skip_existing=True)


def test_inputs_at_the_edge_are_separated(model, tmp_path, noise, write):
    clipped = np.clip(100 * noise(), -1, 1)
    inputs = [
        write(tmp_path / "clipped.wav", clipped, subtype="PCM_16"),
        write(tmp_path / "hundred.wav", noise(4000, 100)),
        write(tmp_path / "slow.wav", noise(), 8000),
        write(tmp_path / "fast.wav", noise(20_000), 192_000),
        write(tmp_path / "silent.wav", np.zeros((4000, 1))),
    ]
    results = separate_files(model, inputs, ["violin"], residual=True)
    assert not results.failed and len(results.written) == 10
    for path in inputs:
        parts = [read(path.with_name(f"{path.stem}_{name}.wav")) for name in ("violin", "residual")]
        audio, rate = read(path)
        assert all(part[1] == rate for part in parts)
        np.testing.assert_allclose(parts[0][0] + parts[1][0], audio, atol=1e-4)
    assert str(results.scores[tmp_path / "silent_violin.wav"]) == "silent"


def test_targets_that_are_in_the_way_stop_one_input_alone(model, tmp_path, noise, write):
    inputs = [write(tmp_path / f"{name}.wav", noise()) for name in ("a", "b")]
    (tmp_path / "a_violin.wav").mkdir()
    results = separate_files(model, inputs, ["violin"], overwrite=True, log=True)
    assert "Could not write" in results.failed[inputs[0]]
    assert results.written == [tmp_path / "b_violin.wav"]
    assert names(tmp_path) == ["a.wav", "a_violin.wav", "b.wav", "b_violin.wav", "separated.csv"]
