"""What sound events are made of: shaped noise, harmonic voices, struck modes, scattered grains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

Audio = NDArray[np.float64]


class Synth:
    """A palette for one sound: how long, at which rate, and the source of all its choices.

    Args:
        seconds: length of the sound.
        rate: sample rate, in hertz.
        rng: the source of all choices.

    Examples:
        >>> synth = Synth(0.5, 8000, np.random.default_rng(0))
        >>> synth.noise().shape
        (4000,)
    """

    def __init__(self, seconds: float, rate: int, rng: np.random.Generator) -> None:
        self.seconds, self.rate, self.rng = seconds, rate, rng
        self.size = round(seconds * rate)

    def span(self, seconds: float | None = None) -> int:
        """Samples of a length; of the whole sound when it is None."""
        return self.size if seconds is None else max(8, round(seconds * self.rate))

    def draw(self, low: float, high: float) -> float:
        """A number between two others."""
        return float(self.rng.uniform(low, high))

    def hertz(self, low: float, high: float) -> float:
        """A frequency between two others, all octaves alike."""
        return float(low * (high / low) ** self.rng.random())

    def chance(self, probability: float) -> bool:
        """Whether something happens."""
        return bool(self.rng.random() < probability)

    def pick(self, *choices):
        """One of several things."""
        return choices[int(self.rng.integers(len(choices)))]

    def noise(self, seconds: float | None = None, colour: float = 0.0) -> Audio:
        """Noise whose power falls with frequency: colour 0 is white, 1 pink, 2 brown; RMS 1."""
        size = self.span(seconds)
        spectrum = np.fft.rfft(self.rng.standard_normal(size))
        hertz = np.maximum(np.fft.rfftfreq(size, 1 / self.rate), 20.0)
        wav = np.fft.irfft(spectrum * hertz ** (-colour / 2), n=size)
        return wav / max(wav.std(), 1e-9)

    def curve(self, hertz: float, low: float, high: float, seconds: float | None = None) -> Audio:
        """A smooth random line between two values that turns about `hertz` times a second."""
        size = self.span(seconds)
        nodes = self.rng.uniform(low, high, size=max(2, int(size / self.rate * hertz) + 2))
        places = np.linspace(0, len(nodes) - 1, size)
        left = np.minimum(places.astype(int), len(nodes) - 2)
        ease = 0.5 - 0.5 * np.cos(np.pi * (places - left))
        return nodes[left] + (nodes[left + 1] - nodes[left]) * ease

    def line(self, points: Sequence[float], seconds: float | None = None) -> Audio:
        """Straight lines through points that are equally far apart."""
        size = self.span(seconds)
        return np.interp(np.linspace(0, len(points) - 1, size), np.arange(len(points)), points)

    def band(self, wav: Audio, low: float, high: float, order: int = 2) -> Audio:
        """Keeps what lies between two frequencies."""
        top = 0.49 * self.rate
        low, high = min(max(low, 15.0), 0.8 * top), min(high, top)
        return sosfilt(
            butter(order, (low, max(high, 1.1 * low)), "bandpass", fs=self.rate, output="sos"), wav
        )

    def resonate(self, wav: Audio, peaks: Sequence[tuple[float, float, float]]) -> Audio:
        """Adds up what resonators make of a signal.

        Args:
            wav: the signal.
            peaks: centre and width in hertz, and gain.
        """
        return sum(
            gain * self.band(wav, centre - width / 2, centre + width / 2, order=1)
            for centre, width, gain in peaks
        )

    def voice(self, pitch: Audio, tilt: float = 1.0, rough: float = 0.0) -> Audio:
        """A harmonic tone.

        Args:
            pitch: its frequency over time, in hertz.
            tilt: harmonic k has the amplitude k^-tilt.
            rough: how far its pitch and level waver from period to period.
        """
        seconds = len(pitch) / self.rate
        shaken = pitch * (1 + rough * self.curve(90, -0.3, 0.3, seconds))
        phase = 2 * np.pi * np.cumsum(shaken) / self.rate
        count = int(np.clip(0.48 * self.rate / max(pitch.min(), 20.0), 1, 60))
        wav = np.zeros_like(pitch)
        for k in range(1, count + 1):
            sounds = k * shaken < 0.48 * self.rate
            wav += np.where(sounds, k**-tilt * np.sin(k * phase + k * k), 0.0)
        return wav * (1 + rough * self.curve(60, -1, 1, seconds))

    def pulses(self, pitch: Audio, width: float, wobble: float = 0.0) -> Audio:
        """Bumps of `width` seconds at a rate over time: strokes of an engine, blades of a rotor."""
        size = len(pitch)
        cycles = np.floor(np.cumsum(pitch) / self.rate)
        starts = np.flatnonzero(np.diff(cycles, prepend=0.0))
        train = np.zeros(size)
        train[starts] = 1 + wobble * self.rng.standard_normal(len(starts))
        length = self.span(width)
        return fftconvolve(train, np.hanning(length + 2)[1:-1])[:size]

    def modes(
        self, hertz: Sequence[float], decays: Sequence[float], gains: Sequence[float]
    ) -> Audio:
        """A struck body: sinusoids that die away.

        Args:
            hertz: frequencies; those above half the sample rate are left out.
            decays: seconds to -60 dB of each.
            gains: of each.
        """
        time = np.arange(self.span(min(max(decays), 12.0))) / self.rate
        wav = np.zeros(len(time))
        for frequency, decay, gain in zip(hertz, decays, gains, strict=True):
            if frequency < 0.48 * self.rate:
                swing = np.sin(2 * np.pi * frequency * time + self.draw(0, 6.28))
                wav += gain * swing * 10 ** (-3 * time / decay)
        return wav

    def shape(self, wav: Audio, attack: float, release: float, curve: float = 1.0) -> Audio:
        """Fades a sound in and out.

        Args:
            wav: the sound.
            attack: seconds from silence to the full level.
            release: seconds from the full level to silence.
            curve: above 1 the ends are longer and quieter.
        """
        time = np.arange(len(wav)) / self.rate
        rise = np.clip(time / max(attack, 1e-4), 0, 1)
        fall = np.clip((time[-1] - time) / max(release, 1e-4), 0, 1)
        return wav * np.minimum(rise, fall) ** curve

    def click(self, decay: float, colour: float = 0.0) -> Audio:
        """A burst of noise that dies away, -60 dB after `decay` seconds."""
        wav = self.noise(decay, colour)
        return wav * 10 ** (-3 * np.arange(len(wav)) / len(wav))

    def times(self, per_second: float, irregular: float = 0.1, start: float = 0.0) -> list[float]:
        """When something happens again and again.

        Args:
            per_second: how often.
            irregular: 0 like a clock, 1 at random.
            start: of the first.
        """
        found, time = [], start + min(self.draw(0, 0.5) / per_second, 0.2 * self.seconds)
        while time < self.seconds - 0.02:
            found.append(time)
            steady, random = 1 / per_second, float(self.rng.exponential(1 / per_second))
            time += max(0.01, (1 - irregular) * steady + irregular * random)
        return found

    def bouts(
        self, per_second: float, count: tuple[int, int], pause: tuple[float, float]
    ) -> list[float]:
        """When something happens that comes in groups with pauses between them.

        Args:
            per_second: how often within a group.
            count: fewest and most in a group.
            pause: shortest and longest pause, in seconds.
        """
        found, time = [], self.draw(0, 0.25 * min(pause[1], self.seconds))
        while time < self.seconds - 0.05:
            for _ in range(int(self.rng.integers(count[0], count[1] + 1))):
                found.append(time)
                time += self.draw(0.8, 1.25) / per_second
            time += self.draw(*pause)
        return [time for time in found if time < self.seconds - 0.05]

    def scatter(self, times: Sequence[float], make: Callable[[], Audio]) -> Audio:
        """Puts sounds at times; what passes the end is cut.

        Args:
            times: when, in seconds.
            make: makes a sound, another one each time.
        """
        track = np.zeros(self.size)
        for time in times:
            start = round(time * self.rate)
            wav = make()[: self.size - start]
            track[start : start + len(wav)] += wav
        return track


def finish(synth: Synth, wav: Audio, *, background: bool = True) -> NDArray[np.float32]:
    """Puts a dry sound into a room, behind a microphone, at a level; a limiter rounds the peaks.

    Args:
        synth: of the sound.
        wav: the dry sound.
        background: whether there is a faint noise of the place.

    Returns:
        (T,) within ±1.
    """
    wav = wav[: synth.size] / max(np.abs(wav).max(), 1e-9)
    wav = _equalise(synth, _room(synth, wav))
    wav = synth.band(wav, synth.hertz(60, 160), synth.rate, order=1)  # as small microphones hear
    level = 10 ** (synth.draw(-27, -17) / 20)
    wav = np.tanh(wav * min(level / max(wav.std(), 1e-9), 2 / max(np.abs(wav).max(), 1e-9)))
    if background:
        hum = synth.noise(colour=synth.draw(0.0, 2.0)) * synth.curve(0.5, 0.5, 1.0)
        wav = wav + hum * 10 ** (synth.draw(-75, -50) / 20)
    return np.clip(wav, -1, 1).astype(np.float32)


def _room(synth: Synth, wav: Audio) -> Audio:
    """A few early reflections and a tail of 0.1 to 1.2 s."""
    decay, wet = synth.hertz(0.1, 1.2), synth.draw(0.0, 0.35)
    tail = synth.click(decay, colour=synth.draw(0.3, 1.2))
    tail *= wet / np.sqrt(np.sum(tail**2))
    for _ in range(4):
        tail[min(synth.span(synth.draw(0.002, 0.03)), len(tail) - 1)] += wet * synth.draw(-0.4, 0.4)
    tail[0] += 1 - wet
    return fftconvolve(wav, tail)[: len(wav)]


def _equalise(synth: Synth, wav: Audio) -> Audio:
    """A smooth gain over log-frequency, within ±4 dB."""
    spectrum = np.fft.rfft(wav)
    octaves = np.linspace(0, 1, spectrum.size) ** 0.4
    gain = np.interp(octaves, np.linspace(0, 1, 7), synth.rng.uniform(-4, 4, size=7))
    return np.fft.irfft(spectrum * 10 ** (gain / 20), n=len(wav))
