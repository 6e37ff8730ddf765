"""Weather, water and fire: noise whose colour and level never stay the same."""

from __future__ import annotations

import numpy as np

from .events_dsp import Audio, Synth


def raining(s: Synth) -> Audio:
    """A steady hiss of far drops, and near ones on leaves, roofs or puddles."""
    hiss = s.band(s.noise(colour=s.draw(0, 0.8)), s.hertz(400, 1200), 3900) * s.curve(0.4, 0.7, 1)
    place, decay = s.hertz(900, 3000), s.draw(0.008, 0.03)

    def drop() -> Audio:
        return s.band(s.click(decay), 0.6 * place, 1.6 * place) * float(s.rng.exponential(1.0))

    return hiss + s.draw(0.5, 3.0) * s.scatter(s.times(s.hertz(15, 120), 1.0), drop)


def thunder(s: Synth) -> Audio:
    """Claps that break and roll away in the low."""

    def clap() -> Audio:
        seconds, near = s.draw(2.5, 6.0), s.draw(0.0, 1.0)
        roll = s.band(s.noise(seconds, 1.6), 25, s.hertz(120, 350), order=1)
        roll = roll * s.curve(s.draw(2, 5), 0.1, 1.0, seconds) ** 2
        roll /= roll.std()
        crack = s.band(s.click(0.8, 0.6), 80, 1800)
        roll[: len(crack)] += near * 3 * crack / max(crack.std(), 1e-9) * 0.3
        time = np.arange(len(roll)) / s.rate
        return s.shape(roll * np.exp(-time / (0.35 * seconds)), 0.02 + 0.3 * (1 - near), 0.5)

    return s.scatter(s.times(s.draw(0.3, 0.5), 0.4), clap)


def wind_noise(s: Synth) -> Audio:
    """Gusts that rumble in the microphone and whistle round edges."""
    gusts = s.curve(s.draw(0.4, 1.2), 0.15, 1.0)
    low = s.band(s.noise(colour=1.5), 30, s.hertz(300, 700)) * gusts**1.5
    wav = low / low.std()
    for _ in range(s.pick(1, 2, 3)):
        centre = s.hertz(350, 1100)
        howl = s.band(s.noise(), 0.92 * centre, 1.08 * centre) * gusts**3
        lift = s.band(s.noise(), 1.1 * centre, 1.3 * centre) * np.clip(gusts - 0.5, 0, 1) ** 2
        wav = wav + s.draw(0.2, 0.9) * (howl / howl.std() + lift / max(lift.std(), 1e-9) * 0.5)
    return wav


def sea_waves(s: Synth) -> Audio:
    """Waves that swell, break and run back over the sand."""

    def wave() -> Audio:
        rise, fall = s.draw(1.2, 2.5), s.draw(2.0, 4.0)
        swell = s.line([0.05, 0.3, 1.0], rise), s.line([1.0, 0.55, 0.25, 0.1, 0.0], fall)
        level = np.concatenate(swell)
        seconds = len(level) / s.rate
        deep = s.band(s.noise(seconds, 1.2), 60, 700)
        foam = s.band(s.noise(seconds, 0.3), 900, 3900)
        level = level[: len(deep)]
        return deep[: len(level)] * level + 0.7 * foam[: len(level)] * level**2.2

    return s.scatter(s.times(s.draw(0.25, 0.45), 0.3), wave) + 0.1 * s.noise(colour=1.0)


def fire_crackling(s: Synth) -> Audio:
    """Snaps and pops of all sizes over a soft roar."""

    def snap() -> Audio:
        centre = s.hertz(700, 3600)
        pop = s.band(s.click(s.hertz(0.003, 0.025)), 0.6 * centre, 1.5 * centre)
        return pop * float(s.rng.pareto(1.6) + 0.15)

    roar = s.band(s.noise(colour=1.4), 40, 600) * s.curve(4, 0.5, 1.0)
    times = s.times(s.hertz(10, 35), 1.0)
    snaps = np.clip(s.scatter(times, snap), -3, 3)
    return snaps + s.draw(0.03, 0.15) * roar / roar.std()


def stream_burbling(s: Synth) -> Audio:
    """Bubbles whose pitch rises as they shrink, over running water."""
    low, high = s.hertz(300, 600), s.hertz(1300, 2400)

    def bubble() -> Audio:
        seconds, pitch = s.draw(0.015, 0.07), s.hertz(low, high)
        tone = s.voice(s.line([pitch, 1.35 * pitch], seconds), 4.0)
        return s.shape(tone, 0.003, 0.8 * seconds, 1.5) * float(s.rng.exponential(1.0))

    wash = s.band(s.noise(colour=0.7), 300, 3000) * s.curve(3, 0.6, 1.0)
    return s.scatter(s.times(s.hertz(25, 70), 1.0), bubble) + s.draw(0.05, 0.2) * wash


def toilet_flushing(s: Synth) -> Audio:
    """A rush of water that gurgles at its end, then a tank that fills."""
    rush, start = s.draw(2.5, 4.5), s.draw(0.0, 0.4)
    time = np.maximum(np.arange(s.size) / s.rate - start, 0.0)
    flow = np.clip(time / 0.25, 0, 1) * np.clip((rush - time) / 1.2, 0, 1)
    water = s.band(s.noise(colour=0.9), 120, 2600) * (0.7 + 0.3 * s.curve(9, -1, 1))
    deep = s.resonate(s.noise(), [(s.hertz(180, 320), 60, 1.0), (s.hertz(420, 700), 120, 0.6)])
    gurgle = s.resonate(
        s.pulses(s.curve(3, 9, 22), 0.02, 0.4), [(s.hertz(250, 450), 90, 1.0), (900, 200, 0.4)]
    )
    ends = np.clip((time - rush + 1.3) / 0.4, 0, 1) * np.clip((rush + 0.7 - time) / 0.5, 0, 1)
    filling = s.band(s.noise(), 900, 3500) * np.clip((time - rush + 0.8) / 0.8, 0, 1)
    wav = (water + 1.5 * deep / deep.std()) * flow + s.draw(0.1, 0.3) * filling
    return wav + 1.5 * gurgle / max(gurgle.std(), 1e-9) * ends
