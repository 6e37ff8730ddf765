"""A result as HTML: for each track its level and likelihood, its spectrogram and its player."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from markupsafe import Markup

from ..models import QueriedSeparator
from ..report.figures import color_bar
from ..utils.spectrogram import FLOOR_DB
from .separation import DemoResult, Track

EMPTY = Markup(
    '<p class="abm-empty">Mixture, estimates and residual will be here, to hear and to see.</p>'
)
_MOST_TICKS = 5


def render_result(result: DemoResult) -> str:
    """The HTML of what `separate_recording` returns."""
    facts = f"{_clock(result.seconds)} · {_channels(result.channels)} · {result.sample_rate} Hz"
    play = Markup('<button class="abm-play">Play</button><span class="abm-now">0:00</span>')
    scale = Markup(
        '<span class="abm-scale">{:.0f} dB<i style="background: {}"></i>0 dB</span>'
    ).format(FLOOR_DB, color_bar())
    head = Markup("<header>{}<b>{}</b><span>{}</span>{}</header>").format(
        play, result.title, facts, scale
    )
    tracks = Markup("").join(_track(track, result) for track in result.tracks)
    return Markup('<div class="abm-tracks">{}{}</div>').format(head, tracks)


def render_problems(problems: Iterable[Exception]) -> Markup:
    """What is wrong with a field, below it."""
    texts = dict.fromkeys(" ".join(str(problem).split()) for problem in problems)
    line = Markup('<p class="abm-problem" role="alert">{}</p>')
    return Markup("").join(map(line.format, texts))


def render_model(model: QueriedSeparator) -> Markup:
    """What a model is, and the sounds that it knows."""
    facts = f"{model.sample_rate / 1000:g} kHz, on {model.device}."
    kinds = model.vocabulary and model.vocabulary.kinds
    if kinds is None:
        return Markup("<p>{} It does not say which sounds it knows.</p>").format(facts)
    if not kinds:
        return Markup("<p>{} It takes any word.</p>").format(facts)
    row = Markup("<p>{}: {}.</p>")
    known = [row.format(kind, "; ".join(labels)) for kind, labels in kinds.items()]
    counts = ", ".join(f"{kind} ({len(labels)})" for kind, labels in kinds.items())
    total = sum(map(len, kinds.values()))
    return Markup("<details><summary>{} It knows {} sounds: {}.</summary>{}</details>").format(
        facts, total, counts, Markup("").join(known)
    )


def _track(track: Track, result: DemoResult) -> Markup:
    url = f"gradio_api/file={quote(str(track.path))}"
    return Markup(
        '<section><h3>{name}</h3>{score}<span class="abm-listen">'
        '<button class="abm-solo" aria-label="Solo {name}" aria-pressed="{solo}">Solo</button>'
        '<button class="abm-mute" aria-label="Mute {name}" aria-pressed="{solo}">Mute</button>'
        '</span><a href="{url}" download="{file}">WAV</a>'
        '<div class="abm-axis">{ticks}</div>'
        '<div class="abm-picture"><img src="{uri}" alt="Spectrogram of {name}"><i></i></div>'
        '<div class="abm-time">{times}</div>'
        '<audio preload="auto" src="{url}"{muted}></audio></section>'
    ).format(
        name=track.name,
        score=Markup('<span class="abm-score">{}</span>').format(track.score or ""),
        url=url,
        file=track.path.name,
        ticks=_ticks(track),
        uri=track.picture.uri,
        times=_times(result.seconds),
        # The mixture is heard first, and is muted beside the others: they add up to it.
        solo=str(track is result.mixture).lower(),
        muted="" if track is result.mixture else Markup(" muted"),
    )


def _ticks(track: Track) -> Markup:
    places = list(track.picture.ticks.items())[-_MOST_TICKS:]
    tick = Markup('<span style="bottom: {:.1f}%">{}{}</span>')
    return Markup("").join(
        tick.format(100 * place, label, " kHz" if number == len(places) else "")
        for number, (label, place) in enumerate(places, 1)
    )


def _times(seconds: float) -> Markup:
    span = Markup("<span>{}</span>")
    return Markup("").join(span.format(_clock(part * seconds / 4)) for part in range(5))


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")
