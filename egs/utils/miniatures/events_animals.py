"""Voices of animals and people: a source with a pitch contour through moving resonances."""

from __future__ import annotations

import numpy as np

from .events_dsp import Audio, Synth


def dog_barking(s: Synth) -> Audio:
    """Barks in groups: a rough fall in pitch through a muzzle that opens and shuts."""
    pitch, muzzle, rough = s.hertz(220, 750), s.draw(0.7, 1.4), s.draw(0.3, 0.9)

    def bark() -> Audio:
        seconds, top = s.draw(0.09, 0.22), pitch * s.draw(0.9, 1.15)
        contour = s.line([0.7 * top, 1.15 * top, top, 0.6 * top], seconds)
        wav = s.voice(contour, 0.6, rough) + 0.5 * s.noise(seconds)
        peaks = [(650 * muzzle, 350, 1.0), (1300 * muzzle, 500, 0.8), (2500 * muzzle, 800, 0.4)]
        return s.shape(s.resonate(wav, peaks), 0.012, 0.7 * seconds) * s.draw(0.6, 1.0)

    return s.scatter(s.bouts(s.draw(1.8, 4.0), (1, 5), (0.3, 1.5)), bark)


def cat_meowing(s: Synth) -> Audio:
    """Meows: a long rise and fall whose vowel goes from closed to open and back."""
    pitch, size = s.hertz(350, 800), s.draw(0.85, 1.25)

    def meow() -> Audio:
        seconds, top = s.draw(0.45, 1.1), pitch * s.draw(0.85, 1.25)
        contour = s.line([0.75 * top, 1.1 * top, top, 0.95 * top, 0.7 * top], seconds)
        wav = s.voice(contour, s.draw(0.7, 1.0), 0.06)
        opening = np.sin(np.linspace(0, np.pi, len(wav))) ** 2
        dark = s.resonate(wav, [(600 * size, 300, 1.0), (2300 * size, 500, 0.3)])
        open_mouth = s.resonate(wav, [(1100 * size, 350, 1.0), (2900 * size, 700, 0.7)])
        return s.shape((1 - opening) * dark + opening * open_mouth, 0.08, 0.3)

    return s.scatter(s.times(s.draw(0.6, 1.1), 0.4), meow)


def bird_chirping(s: Synth) -> Audio:
    """Songs of short whistled sweeps and trills, of one or two birds."""

    def bird() -> Audio:
        base, shapes = s.hertz(1900, 3300), [s.rng.uniform(0.75, 1.2, 4) for _ in range(3)]
        length, trill = s.draw(0.04, 0.16), s.pick(0.0, 0.0, s.draw(20, 45))

        def chirp() -> Audio:
            seconds = length * s.draw(0.7, 1.3)
            contour = base * s.line(shapes[int(s.rng.integers(3))], seconds)
            time = np.arange(len(contour)) / s.rate
            contour = contour * (1 + 0.08 * (trill > 0) * np.sin(2 * np.pi * trill * time))
            return s.shape(s.voice(contour, 2.5), 0.01, 0.4 * seconds) * s.draw(0.5, 1.0)

        return s.scatter(s.bouts(s.draw(4, 10), (2, 9), (0.2, 1.0)), chirp)

    return bird() + (s.draw(0.2, 0.8) * bird() if s.chance(0.5) else 0.0)


def frog_croaking(s: Synth) -> Audio:
    """Croaks: trains of pulses that ring in a throat sac."""
    rate, throat = s.draw(22, 60), s.hertz(450, 1300)

    def croak() -> Audio:
        seconds = s.draw(0.25, 0.7)
        contour = rate * s.line([0.8, 1.0, 1.1], seconds)
        wav = s.pulses(contour, 0.001, 0.2)
        peaks = [(throat, 0.18 * throat, 1.0), (2.1 * throat, 0.3 * throat, 0.5)]
        return s.shape(s.resonate(wav, peaks), 0.05, 0.12)

    return s.scatter(s.bouts(s.draw(1.2, 2.2), (1, 5), (0.2, 1.0)), croak)


def cricket_chirping(s: Synth) -> Audio:
    """High steady chirps of a few syllables each."""

    def cricket() -> Audio:
        pitch, syllables, rate = s.hertz(2600, 3700), s.draw(25, 55), s.draw(1.5, 4.0)
        time = np.arange(s.size) / s.rate
        chirping = np.sin(2 * np.pi * rate * time + s.draw(0, 6)) > s.draw(-0.6, 0.4)
        beat = np.clip(np.sin(2 * np.pi * syllables * time), 0, 1) ** 0.7
        tone = np.sin(2 * np.pi * pitch * time + s.curve(8, -2, 2))
        smooth = np.convolve(chirping, np.ones(80) / 80, "same")
        return tone * beat * smooth * s.curve(0.5, 0.7, 1.0)

    return sum(s.draw(0.3, 1.0) * cricket() for _ in range(s.pick(1, 1, 2, 3)))


def owl_hooting(s: Synth) -> Audio:
    """Soft low hoots in a rhythm of their own."""
    pitch, breath = s.hertz(240, 480), s.draw(0.02, 0.12)
    lengths = s.rng.uniform(0.15, 0.6, size=int(s.rng.integers(2, 5)))

    def call() -> Audio:
        hoots = []
        for seconds in lengths:
            contour = pitch * s.line([0.93, 1.0, 1.0, 0.92], seconds)
            tone = s.voice(contour, 2.8) + breath * s.band(s.noise(seconds), 0.7 * pitch, 3 * pitch)
            hoots += [s.shape(tone, 0.06, 0.1), np.zeros(s.span(s.draw(0.08, 0.25)))]
        return np.concatenate(hoots)

    return s.scatter(s.times(s.draw(0.35, 0.6), 0.3), call)


def crow_cawing(s: Synth) -> Audio:
    """Harsh caws, more noise than tone."""
    pitch, beak = s.hertz(330, 560), s.draw(0.85, 1.2)

    def caw() -> Audio:
        seconds = s.draw(0.22, 0.45)
        contour = pitch * s.line([1.0, 1.15, 1.05, 0.85], seconds)
        wav = s.voice(contour, 0.35, 1.1) + 0.8 * s.noise(seconds)
        peaks = [(1150 * beak, 350, 1.0), (1750 * beak, 400, 0.9), (2900 * beak, 600, 0.4)]
        return s.shape(s.resonate(wav, peaks), 0.03, 0.12)

    return s.scatter(s.bouts(s.draw(1.5, 2.6), (2, 5), (0.4, 1.6)), caw)


def sheep_bleating(s: Synth) -> Audio:
    """Bleats with the fast tremor that makes them."""
    pitch, size = s.hertz(180, 420), s.draw(0.85, 1.25)

    def bleat() -> Audio:
        seconds, tremor = s.draw(0.6, 1.3), s.draw(7, 13)
        time = np.arange(s.span(seconds)) / s.rate
        shake = np.sin(2 * np.pi * tremor * time + s.draw(0, 6))
        contour = pitch * s.line([0.9, 1.05, 1.0, 0.9], seconds) * (1 + 0.05 * shake)
        wav = s.voice(contour, 0.7, 0.2) * (0.65 + 0.35 * shake)
        peaks = [(700 * size, 250, 1.0), (1650 * size, 400, 0.9), (2600 * size, 500, 0.4)]
        return s.shape(s.resonate(wav, peaks), 0.06, 0.25)

    return s.scatter(s.times(s.draw(0.5, 1.0), 0.5), bleat)


def chicken_crowing(s: Synth) -> Audio:
    """Cock-a-doodle-doo: short notes, then a long one that rises and falls."""
    pitch, size = s.hertz(420, 750), s.draw(0.9, 1.2)

    def crow() -> Audio:
        notes = []
        for seconds, high in ((0.13, 0.9), (0.1, 1.2), (0.16, 1.25), (s.draw(0.7, 1.3), 1.35)):
            seconds *= s.draw(0.85, 1.2)
            contour = pitch * high * s.line([0.85, 1.0, 1.05, 1.0, 0.65], seconds)
            wav = s.voice(contour, 0.5, 0.15)
            peaks = [(1000 * size, 350, 1.0), (2200 * size, 600, 0.8), (3300 * size, 600, 0.4)]
            notes += [s.shape(s.resonate(wav, peaks), 0.02, 0.25 * seconds), np.zeros(s.span(0.04))]
        return np.concatenate(notes)

    return s.scatter(s.times(s.draw(0.3, 0.5), 0.3), crow)


def bee_buzzing(s: Synth) -> Audio:
    """Wings whose pitch drifts as the insect comes and goes."""

    def insect() -> Audio:
        pitch = s.hertz(130, 320) * s.curve(s.draw(0.8, 3), 0.88, 1.14)
        near = s.curve(s.draw(0.4, 1.5), 0.1, 1.0)
        return s.band(s.voice(pitch, 0.5, 0.15), 100, 3500) * near

    return sum(insect() for _ in range(s.pick(1, 1, 2, 4)))


def baby_crying(s: Synth) -> Audio:
    """Wails on one breath each, with a gasp before the next."""
    pitch, strain = s.hertz(330, 560), s.draw(0.1, 0.5)

    def wail() -> Audio:
        seconds = s.draw(0.5, 1.2)
        contour = pitch * s.line([0.85, 1.15, 1.1, 1.05, 0.75], seconds)
        contour = contour * (1 + s.curve(9, -0.03, 0.03, seconds))
        wav = s.voice(contour, 0.6, strain)
        cry = s.resonate(wav, [(1000, 450, 1.0), (1700, 450, 0.7), (3300, 700, 0.5)])
        gasp = 0.1 * cry.std() * s.band(s.noise(0.12), 900, 3000)
        return np.concatenate([s.shape(cry, 0.07, 0.2), s.shape(gasp, 0.04, 0.04)])

    return s.scatter(s.times(s.draw(0.8, 1.15), 0.15), wail)


def people_whistling(s: Synth) -> Audio:
    """A tune on the lips, with slides and vibrato."""
    steps, beat = np.array([0, 2, 4, 5, 7, 9, 12]), s.draw(0.18, 0.4)
    base, breath = s.hertz(750, 1400), s.draw(0.01, 0.05)
    count = int(s.seconds / beat) + 2
    walk = np.abs(np.cumsum(s.rng.integers(-2, 3, size=count))) % len(steps)
    held = np.repeat(base * 2 ** (steps[walk] / 12), s.span(beat))[: s.size]
    glide = np.convolve(held, np.hanning(s.span(0.05)) / np.hanning(s.span(0.05)).sum(), "same")
    time = np.arange(s.size) / s.rate
    contour = np.maximum(glide, 300) * (1 + s.draw(0, 0.015) * np.sin(2 * np.pi * 5.5 * time))
    tone = s.voice(contour, 3.5) + breath * s.band(s.noise(), 900, 3500)
    return tone * np.clip(s.curve(1.2 / beat, -0.15, 1.2), 0, 1)
