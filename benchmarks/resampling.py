"""What resampling a recording costs, and how far libsoxr and the differentiable filters differ.

CPU times of ten seconds, in turns, one thread. *First* is the first call for a pair of rates, which
computes filters. Differences are of noise below a part of the lower Nyquist frequency.

    python benchmarks/resampling.py
"""

from __future__ import annotations

import torch
from paired import cpu_seconds, medians, ratio

from asteroid_bimodal.dsp.resample import resample, resample_recording

PAIRS = [(44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (16_000, 8000), (44_101, 16_000)]
SECONDS, BELOW = 10, (0.8, 0.9, 0.95)


def noise(rate: int, nyquist: float, below: float) -> torch.Tensor:
    """Noise up to a part of a frequency in hertz."""
    wav = torch.randn(SECONDS * rate, generator=torch.Generator().manual_seed(0))
    hertz = torch.fft.rfftfreq(len(wav), 1 / rate)
    return torch.fft.irfft(torch.fft.rfft(wav) * (hertz < below * nyquist), len(wav))


def decibels(from_rate: int, to_rate: int, below: float) -> float:
    """Energy of the difference over that of the signal, without the ends."""
    wav = noise(from_rate, min(from_rate, to_rate) / 2, below)
    ours, other = resample_recording(wav, from_rate, to_rate), resample(wav, from_rate, to_rate)
    error, energy = (x[1000:-1000].square().sum() for x in (ours - other, other))
    return float(10 * (error / energy).log10())


def short() -> dict[str, float]:
    """Time of libsoxr over that of the filters, for `benchmarks.check`."""
    torch.set_num_threads(1)
    wav = torch.randn(48_000 * SECONDS)
    by_soxr, by_filter = (
        lambda f=f: f(wav, 48_000, 16_000) for f in (resample_recording, resample)
    )
    return {"resampling 48 to 16 kHz, torchaudio = 1": ratio(by_soxr, by_filter)}


def main() -> None:
    """Prints a row for each pair of rates."""
    torch.set_num_threads(1)
    print("| from, to | first, ms | filters, ms | soxr, ms | difference below 80 / 90 / 95 %, dB |")
    print("|-|-:|-:|-:|-|")
    for from_rate, to_rate in PAIRS:
        wav = torch.randn(SECONDS * from_rate)
        works = {
            "filters": lambda wav=wav, rates=(from_rate, to_rate): resample(wav, *rates),
            "soxr": lambda wav=wav, rates=(from_rate, to_rate): resample_recording(wav, *rates),
        }
        first, times = cpu_seconds(works["filters"]), medians(works)
        figures = " | ".join(f"{1000 * x:.1f}" for x in (first, times["filters"], times["soxr"]))
        errors = " / ".join(f"{decibels(from_rate, to_rate, below):.0f}" for below in BELOW)
        print(f"| {from_rate}, {to_rate} | {figures} | {errors} |")


if __name__ == "__main__":
    main()
