"""Samples that are no audio are refused wherever they come in, and loud ones are taken."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import torch
from tiny_model import build_tiny

from asteroid_bimodal.data.check.files import _probe
from asteroid_bimodal.data.crops import read_crop
from asteroid_bimodal.data.prepare import resample_clip
from asteroid_bimodal.dsp.samples import LOUDEST
from asteroid_bimodal.models import SeparationStream
from asteroid_bimodal.queries.audio import AudioExample
from asteroid_bimodal.separate import separate_files

RATE = 8000


def stream(wav, path):
    list(SeparationStream(build_tiny(), wav[None].split(1000, -1), ["violin"], RATE))


def to_files(wav, path):
    results = separate_files(build_tiny(), [path], ["violin"], out=path.parent, overwrite=True)
    for reason in results.failed.values():
        raise ValueError(reason)


ENTRIES = {
    "forward": lambda wav, path: build_tiny()(wav, ["violin"]),
    "forward of a batch": lambda wav, path: build_tiny()(wav.repeat(2, 3, 1), ["violin"]),
    "tensor": lambda wav, path: build_tiny().separate(wav, ["violin"], sample_rate=RATE),
    "array": lambda wav, path: build_tiny().separate(wav.numpy(), ["violin"], sample_rate=RATE),
    "dictionary": lambda wav, path: build_tiny().separate(
        {"array": wav.numpy(), "sampling_rate": RATE}, ["violin"]
    ),
    "file": lambda wav, path: build_tiny().separate(path, ["violin"]),
    "file to files": to_files,
    "stream": stream,
    "crop": lambda wav, path: read_crop(path, 0, 4000, RATE),
    "crop of a shard": lambda wav, path: read_crop(io.BytesIO(path.read_bytes()), 0, 900, 16000),
    "audio query": lambda wav, path: AudioExample(wav, RATE),
}
WRONG = {
    32768.0: "a sample of 3.28e[+]04; audio lies between -1 and 1: divide 16-bit integers",
    -1.01 * LOUDEST: "a sample of 1.01e[+]03; audio lies between -1 and 1",
    1e30: "a sample of 1e[+]30; audio lies between -1 and 1",
    float("nan"): "NaN or infinite samples",
    float("-inf"): "NaN or infinite samples",
}


def recording(path, value):
    wav = torch.randn(4000, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    wav[100] = value
    soundfile.write(path, wav.numpy(), RATE, subtype="FLOAT")
    return wav


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_is_no_audio_is_refused(entry, tmp_path):
    for value, message in WRONG.items():
        wav = recording(tmp_path / "a.wav", value)
        with pytest.raises(ValueError, match=message):
            entry(wav, tmp_path / "a.wav")


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_twenty_decibels_above_full_scale_are_taken(entry, tmp_path):
    wav = recording(tmp_path / "a.wav", -10.0)
    entry(wav, tmp_path / "a.wav")
    entry(10 * wav, tmp_path / "a.wav")


@pytest.mark.parametrize("value", WRONG)
def test_a_check_finds_what_training_would_pass_over(value, tmp_path):
    recording(tmp_path / "a.wav", value)
    probe = _probe(tmp_path / "a.wav", decode=True)
    assert probe.problem == ("too loud" if np.isfinite(value) else "not finite")
    assert probe.detail.startswith("in second 0: ")


@pytest.mark.parametrize("peak", [10.0, 32768.0, 1e30, 3e38])
def test_preparing_turns_down_or_refuses(peak, tmp_path):
    recording(tmp_path / "a.wav", peak)
    try:
        gain = resample_clip(tmp_path / "a.wav", tmp_path / "a.flac", 4000)
    except ValueError as error:
        assert peak == 3e38 and "NaN or infinite" in str(error)
    else:
        assert 0.3 / peak < gain < 3 / peak
        assert 0.99 < np.abs(soundfile.read(tmp_path / "a.flac")[0]).max() <= 1
