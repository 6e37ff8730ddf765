"""Estimates and residual add up to the input, as it was; what cannot be answered is explained."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asteroid_bimodal.demo import MAX_QUERIES, parse_queries, separate_recording
from asteroid_bimodal.separate import Query


def read(track):
    return soundfile.read(track.path, dtype="float32", always_2d=True)[0]


def refused(model, audio, folder, queries=("violin",), **options):
    with pytest.raises(ValueError) as error:
        separate_recording(model, audio, queries, folder, **options)
    assert str(folder) not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("subtype, scale", [("PCM_16", 0.2), ("FLOAT", 0.01)])
def test_estimates_and_residual_add_up_to_the_input(model, noise, tmp_path, subtype, scale):
    path = noise(subtype=subtype, scale=scale)
    result = separate_recording(model, path, ["violin", "flute", "tuba"], tmp_path)
    expected = soundfile.read(path, dtype="float32")[0]
    np.testing.assert_array_equal(read(result.mixture), expected)
    parts = [read(track) for track in (*result.estimates, result.residual)]
    np.testing.assert_allclose(sum(parts), expected, atol=1e-6)
    assert all(np.abs(part).max() > 0.01 * scale for part in parts)


def test_tracks_keep_rate_channels_and_length(model, noise, tmp_path):
    result = separate_recording(model, noise(length=44_101, rate=44_100), ["violin"], tmp_path)
    for track in result.tracks:
        info = soundfile.info(track.path)
        assert (info.samplerate, info.channels, info.frames) == (44_100, 2, 44_101)
    assert (result.sample_rate, result.channels) == (44_100, 2)
    assert result.seconds == pytest.approx(44_101 / 44_100)


def test_scores_are_those_of_the_model_in_the_order_of_the_queries(model, noise, tmp_path):
    path, names = noise(rate=8000), ["violin", "flute", "tuba"]
    expected = dict(zip(names, model.separate(path, names).scores, strict=True))
    for order in (names, names[::-1]):
        estimates = separate_recording(model, path, order, tmp_path).estimates
        assert [track.name for track in estimates] == order
        for track in estimates:
            assert track.score.level == pytest.approx(expected[track.name].level, abs=1e-3)


def test_mixture_and_residual_have_no_score(model, noise, tmp_path):
    result = separate_recording(model, noise(), ["violin"], tmp_path)
    assert [track.name for track in result.tracks] == ["mixture", "violin", "residual"]
    assert result.mixture.score is None and result.residual.score is None


def test_a_query_may_be_called_as_the_file_or_as_the_mixture(model, noise, tmp_path):
    result = separate_recording(
        model, noise("mixture.wav"), ["mixture", "../mixture mixture"], tmp_path
    )
    assert len({track.path for track in result.tracks}) == 4
    (folder,) = {track.path.parent for track in result.tracks}
    assert folder.parent == tmp_path


def test_silence_is_answered(model, noise, tmp_path):
    result = separate_recording(model, noise(scale=0.0), ["violin"], tmp_path)
    assert not any(read(track).any() for track in result.tracks)
    assert str(result.estimates[0].score) == "silent"


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_no_file(model, out):
    assert "Upload a file or record one" in refused(model, None, out)


def test_a_file_that_is_no_audio(model, tmp_path, out):
    path = tmp_path / "words.wav"
    path.write_text("no audio")
    message = refused(model, path, out)
    assert "words.wav" in message and str(tmp_path) not in message


def test_a_file_that_is_too_short(model, noise, out):
    assert "one frame of the model" in refused(model, noise(length=50), out)


def test_an_empty_file(model, noise, out):
    assert "has no audio" in refused(model, noise(length=0), out)


def test_a_file_that_is_too_long_belongs_on_the_command_line(model, noise, out):
    message = refused(model, noise(length=11_026), out, max_seconds=1)
    assert "0.0166667 minutes" in message and "asteroid-bimodal separate" in message
    assert (
        separate_recording(model, noise(length=11_025), ["violin"], out, max_seconds=1).seconds == 1
    )


def test_a_file_that_is_too_long_is_not_decoded(model, noise, out, monkeypatch):
    path = noise(length=11_026)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert "minutes" in refused(model, path, out, max_seconds=1)
    assert not list(out.iterdir())


@pytest.mark.parametrize("rate, channels", [(48_001, 8), (384_001, 1), (8000, 1000)])
def test_more_samples_a_second_than_memory_is_meant_for(model, tmp_path, out, rate, channels):
    path = tmp_path / "dense.wav"
    soundfile.write(path, np.zeros((800, channels)), rate)
    message = refused(model, path, out)
    assert f"{channels} channels at {rate} Hz" in message and str(tmp_path) not in message
    assert not list(out.iterdir())
    like = Query.like(path, "like dense")
    assert f"{channels} channels at {rate} Hz" in refused(
        model, tmp_path / "dense.wav", out, [like]
    )


def test_stereo_at_192_khz_is_answered(model, noise, out):
    result = separate_recording(model, noise(rate=192_000, length=19_200), ["violin"], out)
    assert (result.sample_rate, result.channels) == (192_000, 2)


@pytest.mark.parametrize("word", ["residual", "Residual!"])
def test_the_residual_is_shown_without_being_asked_for(model, noise, out, word):
    message = refused(model, noise(), out, ["violin", word])
    assert repr(word) in message and "shows the residual anyway" in message and "--" not in message


def test_options_of_the_command_line_are_not_spoken_of(model, noise, out, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("Could not write to a.b (disk full). Choose another folder with --out.")

    monkeypatch.setattr("asteroid_bimodal.separate.files.write_outputs", refuse)
    assert refused(model, noise(), out) == "Could not write to a.b (disk full)."


def test_a_file_with_nan(model, tmp_path, out):
    samples = np.zeros((4000, 1), np.float32)
    samples[2000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 8000, subtype="FLOAT")
    assert "NaN" in refused(model, tmp_path / "nan.wav", out)


def test_an_example_of_the_sound_for_a_model_of_texts(model, noise, out):
    message = refused(model, noise(), out, [Query.like(noise("violin.wav"))])
    assert "Expected texts for this model" in message


def test_an_example_of_too_many_samples_a_second(model, noise, tmp_path, out):
    soundfile.write(tmp_path / "dense.wav", np.zeros((800, 9)), 48_000)
    message = refused(model, noise(), out, [Query.like(tmp_path / "dense.wav")])
    assert "received dense.wav with 9 channels at 48000 Hz" in message


def test_an_example_that_is_no_audio_is_called_by_its_name(model, noise, tmp_path, out):
    (tmp_path / "like.wav").write_text("no audio")
    message = refused(model, noise(), out, [Query.like(tmp_path / "like.wav")])
    assert "like.wav" in message and str(tmp_path) not in message


def test_queries_are_lines_commas_and_phrases_of_a_caption():
    assert parse_queries(" violin ,\n\nacoustic   guitar;violin,") == ["violin", "acoustic guitar"]
    assert parse_queries("", "a man talks while a dog barks") == ["a man talks", "a dog barks"]
    assert parse_queries("rain", "a dog barks", None) == ["rain", "a dog barks"]


def test_an_example_is_a_query_with_its_own_name():
    assert parse_queries("violin", like="takes/my violin.wav") == [
        "violin",
        Query.like("takes/my violin.wav", "like my violin"),
    ]


@pytest.mark.parametrize("words", ["", "  \n , ;", None])
def test_nothing_asked(words):
    with pytest.raises(ValueError, match="Write a query such as 'violin'"):
        parse_queries(words)


def test_too_much_asked():
    with pytest.raises(ValueError, match=f"at most {MAX_QUERIES} queries, received 9"):
        parse_queries(",".join("abcdefghi"))


def test_a_caption_without_a_sound():
    with pytest.raises(ValueError, match="no letter"):
        parse_queries("", "123")
