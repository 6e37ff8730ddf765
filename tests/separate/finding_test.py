"""Finding: sounds whose masks are known, in windows, and what is written of them."""

from __future__ import annotations

import json
import re

import pytest
import torch
from tiny_model import build_tiny

from asteroid_bimodal import cli
from asteroid_bimodal.models.masked_spectra import MaskedSpectra
from asteroid_bimodal.separate import find_sounds, separate_all

RATE = 8000
HERTZ = {"low": 500, "middle": 1500, "high": 3000}
LIKELIHOOD = {"bias": 8.0, "level": 0.5, "mask": 0.0, "spread": 0.0}  # even at -16 dB


@pytest.fixture
def bands():
    """A separator that knows three bands, and has another word for one of them."""
    labels = [*HERTZ, "also high"]
    vocabulary = {"bands": {label: [] for label in labels}}
    model = build_tiny(likelihood=LIKELIHOOD, vocabulary=vocabulary)
    query = model.encode_queries(labels, 1).pooled[0]

    def masks(wav, asked, **_):
        spectrum = model.forward_encoder(wav)
        found = torch.zeros(1, asked.num_queries, spectrum.shape[2] // 2, spectrum.shape[3])
        hertz = torch.linspace(0, RATE / 2, found.shape[2])
        for place, pooled in enumerate(asked.pooled[0]):
            label = labels[int((query - pooled).norm(dim=-1).argmin())]
            centre = HERTZ[label.removeprefix("also ")]
            gain = 0.9 if label.startswith("also") else 1.0
            found[:, place, (hertz - centre).abs() < 500] = gain
        return MaskedSpectra(spectrum, found, wav.shape[-1])

    model.separate_spectra = masks
    return model


def tones(**spans):
    """Twenty seconds in which tones last from and to a second."""
    time = torch.arange(20 * RATE) / RATE
    wav = 1e-4 * torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    for name, (begin, end) in spans.items():
        tone = 0.1 * (2 * torch.pi * HERTZ[name] * time).sin()
        wav += torch.where((time >= begin) & (time < end), tone, 0)
    return wav[:, None].numpy()


@pytest.mark.parametrize("batch_size", [1, 3])
def test_sounds_have_spans_and_levels_and_what_is_the_same_is_told_once(
    bands, tmp_path, write, batch_size
):
    path = write(tmp_path / "a.wav", tones(low=(0, 20), high=(10, 13)))
    low, high = find_sounds(bands, path, batch_size=batch_size)
    assert (low.name, low.spans) == ("low", [(0.0, 20.0)])
    assert (high.name, high.spans) == ("high", [(10.0, 13.0)])
    assert low.score.likelihood >= high.score.likelihood > 0.5
    assert low.score.level == pytest.approx(-0.6, abs=0.1)  # 20 s of 23, of equal tones
    assert high.score.level == pytest.approx(-8.8, abs=0.2)
    assert find_sounds(bands, write(tmp_path / "b.wav", 0 * tones())) == []


def test_a_sound_that_pauses_has_two_spans(bands, tmp_path, write):
    wav = tones(low=(0, 20), middle=(2, 4)) + tones(middle=(16, 20))
    found = {one.name: one.spans for one in find_sounds(bands, write(tmp_path / "a.wav", wav))}
    assert found["middle"] == [(2.0, 4.0), (16.0, 20.0)]


def test_a_tagger_says_which_sounds_are_asked_for(bands, tmp_path, write, monkeypatch):
    """Of four labels, three bands and a twin, two are asked for."""
    masks, asked = bands.separate_spectra, []
    monkeypatch.setattr("asteroid_bimodal.separate.finding.ASKED", 2)
    of_labels = bands.encode_queries(bands.vocabulary.labels, 1).pooled[0]
    logits = torch.tensor([0.0, 3.0, 1.0, 2.0])

    def tagger(magnitudes, pooled):
        return logits[torch.cdist(pooled[0], of_labels).argmin(-1)].unsqueeze(0)

    monkeypatch.setattr(bands, "tagger", tagger)

    def counted(wav, query, **options):
        asked.append(query.num_queries)
        return masks(wav, query, **options)

    bands.separate_spectra = counted
    wav = tones(low=(0, 20), middle=(0, 20), high=(0, 20))
    found = find_sounds(bands, write(tmp_path / "a.wav", wav))
    assert sorted(one.name for one in found) == ["also high", "middle"]
    assert set(asked) == {2}


def test_a_model_must_know_sounds_and_be_calibrated(tmp_path, write):
    path = write(tmp_path / "a.wav", tones())
    with pytest.raises(ValueError, match="does not say which sounds it knows"):
        find_sounds(build_tiny(likelihood=LIKELIHOOD), path)
    with pytest.raises(ValueError, match="has no calibration"):
        list(separate_all(build_tiny(vocabulary={"a": {"violin": []}}), [path]))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_without_sounds(bands, tmp_path, write, batch_size):
    with pytest.raises(ValueError, match=f"batch_size of 1 or more, received {batch_size}"):
        find_sounds(bands, write(tmp_path / "a.wav", tones()), batch_size=batch_size)


def test_all_that_is_there_is_written_with_the_rest(bands, tmp_path, write):
    paths = [
        write(tmp_path / "a.wav", tones(low=(0, 20), high=(0, 20))),
        write(tmp_path / "b.wav", 0 * tones()),
        tmp_path / "missing.wav",
    ]
    done, nothing, missing = separate_all(bands, paths)
    assert {path.name for path in done.written} == {"a_low.wav", "a_high.wav", "a_residual.wav"}
    assert sorted(done.queries) == ["high", "low"]
    assert (nothing.status, nothing.written) == ("skipped", []) and "nothing" in nothing.reason
    assert missing.status == "failed" and "missing.wav" in missing.reason
    again = list(separate_all(bands, done.written))
    assert {result.status for result in again} == {"left out"}


def test_the_command_prints_a_table_or_json(bands, tmp_path, write, monkeypatch, capsys):
    monkeypatch.setattr("asteroid_bimodal.hub.load_model", lambda *args: bands)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.wav", tones(low=(0, 20), high=(10, 13)))
    write(tmp_path / "b.wav", 0 * tones())
    cli.main(["find", "a.wav", "b.wav"])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "a.wav:" and told[3] == ("b.wav: nothing that this model knows was found.")
    assert re.fullmatch(r"  low +\d+% +-0\.\d dB  0:00-0:20", told[1])
    assert told[2].split()[0] == "high" and told[2].endswith("  0:10-0:13")
    cli.main(["find", "a.wav", "--json"])
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert [sound["sound"] for sound in file["sounds"]] == ["low", "high"]
    assert file["sounds"][1]["spans"] == [[10.0, 13.0]]
    cli.main(["separate", "a.wav", "b.wav", "--all"])
    told = capsys.readouterr().out
    assert "a_low.wav  sure" in told and "b.wav  skipped, nothing that this model" in told
    with pytest.raises(SystemExit):
        cli.main(["separate", "a.wav", "violin", "--all"])
    assert "leave other queries out" in capsys.readouterr().err
