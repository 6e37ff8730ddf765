"""Files with random damage: read, or refused with a sentence; no crash, no end, no lie."""

from __future__ import annotations

import faulthandler
import io
import warnings

import numpy as np
import pytest
import soundfile
import torch

from asteroid_bimodal.data.check.files import probe_files
from asteroid_bimodal.data.prepare import resample_clip
from asteroid_bimodal.utils.audio_file import read_audio, read_segment

RATE, LENGTH, FILES = 16_000, 16_000, 80  # files of each format
SECONDS = 60  # after which a file counts as one that hangs


def mutate(content, rng):
    """Flips bytes anywhere or in the header, writes a number there, cuts off, or takes out."""
    data = bytearray(content)
    kind = rng.integers(5)
    end = min(len(data), 128) if kind in (1, 2) else len(data)
    if kind in (0, 1):
        for place in rng.integers(0, end, rng.integers(1, 30)):
            data[place] = rng.integers(256)
    elif kind == 2:
        place, value = rng.integers(4, end - 4), rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 12345])
        data[place : place + 4] = int(value).to_bytes(4, "little")
    elif kind == 3:
        del data[rng.integers(1, end) :]
    else:
        start = rng.integers(0, end)
        del data[start : start + rng.integers(1, 3000)]
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_damage_is_read_or_refused(tmp_path, kind):
    rng = np.random.default_rng(0)
    whole = io.BytesIO()
    length = 4 * LENGTH if kind == "OGG" else LENGTH  # several pages
    soundfile.write(whole, 0.2 * rng.standard_normal((length, 2)), RATE, format=kind)
    path, out = tmp_path / "a.wav", tmp_path / "out.flac"
    read = refused = 0
    for _ in range(FILES):
        path.write_bytes(mutate(whole.getvalue(), rng))
        seconds = None
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                wav, rate = read_audio(path)
                seconds, read = wav.shape[-1] / rate, read + 1
                assert wav.numel() <= 40 * length
            except ValueError:
                refused += 1
            try:
                segment, rate = read_segment(path, 0.3, 0.25)
                assert 0 < segment.shape[-1] <= np.ceil(0.25 * rate)
            except ValueError:
                pass
            try:
                resample_clip(path, out, RATE)
                assert abs(soundfile.info(out).duration - seconds) < 2 / RATE
                assert torch.isfinite(read_audio(out)[0]).all()
            except ValueError:
                pass
            probe_files(tmp_path, ["a.wav"], decode=True, jobs=1)
        faulthandler.cancel_dump_traceback_later()
    print(f"{kind}: {FILES} files, {read} read, {refused} refused")
    assert read > FILES // 8 and read + refused == FILES
