"""Machines, signals and hands at work: engines, bells, beeps, blows and clicks."""

from __future__ import annotations

import numpy as np

from .events_dsp import Audio, Synth


def church_bell(s: Synth) -> Audio:
    """Bells with the partials that bell founders tune: hum, prime, tierce, quint, nominal."""
    partials = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.3])
    bells = [
        (s.hertz(180, 500) * partials * s.rng.uniform(0.994, 1.006, 10))
        for _ in range(s.pick(1, 2, 3))
    ]
    decays, gains = s.draw(2.5, 6.0) / (0.4 + partials) ** 0.8, s.rng.uniform(0.2, 1.0, size=10)

    def stroke() -> Audio:
        hertz = bells[int(s.rng.integers(len(bells)))]
        wav = s.modes(hertz, decays, gains) * s.draw(0.7, 1.0)
        clapper = 0.3 * s.band(s.click(0.03), 800, 3500)
        wav[: len(clapper)] += clapper
        return wav

    return s.scatter(s.times(s.draw(0.5, 1.1) * len(bells) ** 0.7, 0.05), stroke)


def alarm_clock(s: Synth) -> Audio:
    """Beeps in fours, or a hammer between two small bells."""
    if s.chance(0.5):
        pitch, length = s.hertz(1000, 2800), s.draw(0.05, 0.11)
        tilt = s.pick(1.0, 2.0, 4.0)

        def beep() -> Audio:
            return s.shape(s.voice(np.full(s.span(length), pitch), tilt), 0.003, 0.004)

        return s.scatter(s.bouts(0.55 / length, (3, 4), (0.25, 0.5)), beep)
    hertz = np.concatenate([s.hertz(1100, 1900) * np.array([1.0, 1.53, 2.1]) for _ in range(2)])
    decay = s.draw(0.3, 0.7)
    ring = s.scatter(
        s.times(s.draw(11, 20), 0.05),
        lambda: s.modes(hertz, [decay] * 6, s.rng.uniform(0.2, 1.0, size=6)),
    )
    return ring * (s.curve(0.4, -0.6, 1.4) > 0) if s.chance(0.3) else ring


def telephone_bell(s: Synth) -> Audio:
    """A bell hammered fast for two seconds or so, then a pause."""
    hertz = np.concatenate([s.hertz(650, 1100) * np.array([1.0, 2.4, 3.3]) for _ in range(2)])
    rate, on = s.draw(18, 28), s.draw(0.9, 2.0)
    decays, gains = [s.draw(0.5, 1.0)] * 6, s.rng.uniform(0.2, 1.0, size=6)
    period, time = on + s.draw(0.6, 1.6), np.array(s.times(rate, 0.02))
    return s.scatter(time[time % period < on], lambda: s.modes(hertz, decays, gains))


def ambulance_siren(s: Synth) -> Audio:
    """Two tones, a wail or a yelp, from near or far."""
    low, ratio = s.hertz(420, 700), s.draw(1.25, 2.0)
    kind, time = s.pick("tones", "wail", "yelp"), np.arange(s.size) / s.rate
    rate = {"tones": s.draw(0.7, 1.2), "wail": s.draw(0.15, 0.4), "yelp": s.draw(2.5, 4.5)}[kind]
    swing = np.sin(2 * np.pi * rate * time + s.draw(0, 6))
    up = np.convolve(swing > 0, np.ones(160) / 160, "same") if kind == "tones" else (swing + 1) / 2
    doppler = s.line([1 + s.draw(0, 0.04), 1.0, 1 - s.draw(0, 0.04)])
    wav = s.voice(low * (1 + (ratio - 1) * up) * doppler, s.draw(0.6, 1.4))
    return s.resonate(wav, [(s.hertz(900, 1500), 900, 1.0), (2400, 900, 0.6)]) * s.curve(
        0.2, 0.3, 1
    )


def car_horn(s: Synth) -> Audio:
    """Two reeds, a third apart, pressed short or long."""
    low = s.hertz(300, 480)
    chord = [low, low * s.draw(1.18, 1.3)][: s.pick(1, 2, 2)]

    def honk() -> Audio:
        seconds = s.pick(s.draw(0.12, 0.3), s.draw(0.4, 1.4))
        pitch = s.line([0.97, 1.0, 1.0, 1.0], seconds)
        wav = sum(s.voice(hertz * pitch, 0.35) for hertz in chord)
        return s.shape(s.resonate(wav, [(1400, 1200, 1.0), (2700, 1200, 0.7)]), 0.015, 0.03)

    return s.scatter(s.bouts(s.draw(0.9, 2.0), (1, 4), (0.2, 1.0)), honk)


def helicopter(s: Synth) -> Audio:
    """Blades that chop the air, over a turbine."""
    rate = s.draw(9, 18) * s.curve(0.3, 0.96, 1.04)
    chop = s.pulses(rate, s.draw(0.01, 0.025), 0.1)
    wash = s.band(s.noise(colour=1.0), 60, s.hertz(700, 2000))
    thump = s.resonate(chop, [(s.hertz(90, 160), 70, 1.0), (s.hertz(220, 420), 160, 1.2)])
    whine = s.voice(s.hertz(700, 1800) * s.curve(0.3, 0.98, 1.02), 2.0)
    wav = thump / thump.std() + wash / wash.std() * (0.25 + chop) * s.draw(0.4, 1.0)
    return (wav + s.draw(0.02, 0.15) * whine) * s.curve(0.2, 0.5, 1.0)


def car_engine(s: Synth) -> Audio:
    """Strokes of an idling engine, slightly uneven, and its fan."""
    rate = s.draw(18, 38) * s.curve(0.7, 0.96, 1.04)
    strokes = s.pulses(rate, 0.008, 0.25) * (1 + 0.3 * s.pulses(rate / 4, 0.03))
    body = [
        (s.hertz(50, 120), 50, 1.2),
        (s.hertz(180, 350), 100, 1.0),
        (s.hertz(500, 900), 250, 0.5),
    ]
    wav = s.resonate(strokes, body)
    rattle = s.band(s.noise(), 900, 3000) * strokes
    fan = s.band(s.noise(colour=1.0), 150, 1500)
    return wav / wav.std() + s.draw(0.1, 0.4) * rattle / rattle.std() + 0.2 * fan / fan.std()


def lawn_mowing(s: Synth) -> Audio:
    """A fast small engine that labours in the grass, and its blade."""
    load = s.curve(s.draw(0.4, 1.0), 0.8, 1.05)
    pitch = s.draw(45, 75) * load
    engine = s.voice(pitch, 0.35, 0.35)
    wav = s.resonate(engine, [(s.hertz(120, 220), 100, 1.0), (s.hertz(450, 800), 300, 0.9)])
    blade = s.band(s.noise(), 600, s.hertz(1800, 3600)) * (0.6 + 0.4 * np.clip(engine, -1, 1))
    whirr = s.voice(8 * pitch, 1.5) * s.draw(0.05, 0.3)
    return wav / wav.std() + s.draw(0.4, 0.9) * blade / blade.std() / load**2 + whirr


def vacuum_cleaner(s: Synth) -> Audio:
    """A whining motor and rushing air, which change as the nozzle moves."""
    pull = s.curve(s.draw(0.5, 1.3), 0.95, 1.05)
    motor = s.voice(s.hertz(180, 420) * pull, 0.9, 0.03)
    air = s.band(s.noise(colour=0.4), s.hertz(250, 600), 3600) * s.curve(1.5, 0.7, 1.0)
    peak = s.hertz(600, 1600)
    hollow = s.band(air, 0.8 * peak, 1.25 * peak)
    wav = air / air.std() + s.draw(0.3, 0.9) * hollow / hollow.std()
    return wav + s.draw(0.3, 0.9) * motor / motor.std()


def typing(s: Synth) -> Audio:
    """Keys that go down and up, each a little different, in bursts."""
    body, decay = s.hertz(900, 2200), s.draw(0.012, 0.03)

    def key() -> Audio:
        centre, level = body * s.draw(0.8, 1.3), s.draw(0.4, 1.0)
        down = s.band(s.click(decay), 0.5 * centre, 2.0 * centre)
        thock = s.modes([s.draw(180, 400)], [0.04], [0.5 * down.std()])
        wav = np.zeros(s.span(0.14))
        wav[: len(down)] += down
        wav[: len(thock)] += thock
        up, start = 0.35 * s.band(s.click(decay), centre, 3 * centre), s.span(s.draw(0.05, 0.09))
        wav[start : start + len(up)] += up
        return level * wav

    return s.scatter(s.bouts(s.draw(5, 10), (4, 18), (0.1, 0.6)), key)


def hammering(s: Synth) -> Audio:
    """Blows on a nail whose pitch rises as it goes in, on wood that resounds."""
    nail, board = s.hertz(1300, 2600), s.hertz(120, 320)
    ring, rise = s.draw(0.05, 0.18), s.draw(1.0, 1.06)
    depth = [1.0]

    def blow() -> Audio:
        depth[0] = depth[0] * rise if depth[0] < 1.4 else 1.0
        metal = s.modes(nail * depth[0] * np.array([1, 1.6, 2.3]), [ring] * 3, [0.5, 0.3, 0.2])
        wood = s.modes(
            board * np.array([1, 1.7, 2.6, 3.9]), [0.12, 0.09, 0.07, 0.05], [1, 0.7, 0.5, 0.3]
        )
        wav = np.zeros(max(len(metal), len(wood)))
        wav[: len(metal)] += metal
        wav[: len(wood)] += wood
        wav[: s.span(0.02)] += s.click(0.02)[: s.span(0.02)]
        return wav * s.draw(0.6, 1.0)

    return s.scatter(s.bouts(s.draw(1.6, 3.2), (3, 9), (0.3, 1.2)), blow)


def reversing_beeps(s: Synth) -> Audio:
    """The warning of a lorry that backs up, over its engine."""
    pitch, rate, duty = s.hertz(900, 1500), s.draw(0.9, 1.5), s.draw(0.4, 0.6)

    def beep() -> Audio:
        wav = s.voice(np.full(s.span(duty / rate), pitch), s.draw(1.5, 2.5))
        return s.shape(wav, 0.006, 0.01)

    engine = car_engine(s)
    return s.scatter(s.times(rate, 0.0), beep) + s.draw(0.02, 0.12) * engine / engine.std()


def horse_steps(s: Synth) -> Audio:
    """Hooves on stone or earth, four to a stride."""
    hollow, hard = s.hertz(450, 1300), s.draw(0.2, 1.0)
    gait = np.sort(s.rng.uniform(0, 0.25, size=4) + np.arange(4) * 0.25) / s.draw(1.1, 2.2)
    stride = float(gait[-1]) + s.draw(0.08, 0.2)

    def step() -> Audio:
        pitch = hollow * s.draw(0.85, 1.2)
        wav = s.modes(
            [pitch, 2.3 * pitch, 3.6 * pitch], [0.07, 0.05, 0.03], [1, 0.5 * hard, 0.3 * hard]
        )
        dull = s.band(s.click(0.05), 100, 800)
        wav[: len(dull)] += 0.6 * dull[: len(wav)]
        return wav * s.draw(0.5, 1.0)

    times = [k * stride + float(foot) for k in range(int(s.seconds / stride) + 1) for foot in gait]
    return s.scatter([time for time in times if time < s.seconds - 0.1], step)


def snow_steps(s: Synth) -> Audio:
    """Steps that crunch: many small grains under each foot."""
    centre = s.hertz(1000, 2400)

    def step() -> Audio:
        seconds = s.draw(0.22, 0.4)
        grains = s.pulses(s.curve(20, 60, 220, seconds), 0.002, 0.8)
        crunch = s.band(s.noise(seconds), 0.4 * centre, 1.8 * centre) * np.abs(grains)
        heel = s.line([0.2, 1.0, 0.5, 0.8, 0.3, 0.0], seconds)
        return s.shape(crunch * heel, 0.01, 0.08) * s.draw(0.7, 1.0)

    return s.scatter(s.times(s.draw(1.3, 2.3), 0.06), step)
