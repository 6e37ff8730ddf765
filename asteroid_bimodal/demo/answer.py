"""What the page does with a question, without the page: audio and queries in, tracks out."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import soundfile
from torch import Tensor

from ..models import QueriedSeparator
from ..queries import parse_caption
from ..queries.files import is_file
from ..separate import Query, separate_files
from ..separate.queries import RESIDUAL
from ..utils.audio_file import AudioStream, open_audio
from ..utils.files import safe_name
from .figures import Picture, draw_together

MAX_SECONDS = 600  # of a recording
MAX_DENSITY = 384_000  # samples a second, of all channels: memory is needed for 24 s of each track
MAX_QUERIES = 8
ANSWER_PREFIX = "answer_"  # of folders
_OPTION_SENTENCE = re.compile(r"[^.]*\s--[a-z][^.]*\.")


@dataclass(frozen=True)
class Track:
    """Something to hear and to see.

    Attributes:
        name: "mixture", the query's or "residual".
        path: a float WAV file with the rate, the channels and the length of the input.
        picture: its spectrogram; all of an answer share one scale.
        presence: how surely the sound is there, from 0 to 1; of estimates alone.
    """

    name: str
    path: Path
    picture: Picture
    presence: float | None = None


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        title: the input's name.
        sample_rate: of all tracks, in hertz.
        channels: of each track.
        seconds: that each track lasts.
        mixture: the input.
        estimates: one for each query, in their order.
        residual: what no query took.
    """

    title: str
    sample_rate: int
    channels: int
    seconds: float
    mixture: Track
    estimates: list[Track]
    residual: Track

    @property
    def tracks(self) -> list[Track]:
        """All of them, as the page shows them."""
        return [self.mixture, *self.estimates, self.residual]


def read_queries(
    words: str = "", caption: str = "", like: str | PathLike | None = None
) -> list[str | Query]:
    """Reads what was asked; repetitions count once.

    Args:
        words: queries, one a line or between commas.
        caption: a sentence; each phrase of it is a query.
        like: an audio file with what to look for.

    Raises:
        ValueError: when nothing was asked, or more than `MAX_QUERIES`.

    Examples:
        >>> read_queries("violin, flute", "a man talks while a dog barks")
        ['violin', 'flute', 'a man talks', 'a dog barks']
    """
    texts = [" ".join(text.split()) for text in re.split(r"[\n,;]", words or "")]
    phrases = parse_caption(caption) if (caption or "").strip() else []
    queries: list[str | Query] = list(dict.fromkeys(filter(None, [*texts, *phrases])))
    if like:
        queries.append(Query.like(like, f"like {Path(like).stem}"))
    if not queries:
        raise ValueError(
            "Expected something to look for, received none. Write a query such as 'violin', a "
            "caption, or give an example of the sound."
        )
    if len(queries) > MAX_QUERIES:
        raise ValueError(
            f"Expected at most {MAX_QUERIES} queries on this page, received {len(queries)}. Ask "
            "for some of them at a time, or use `asteroid-bimodal separate`."
        )
    return queries


def find_sounds(
    model: QueriedSeparator,
    audio: str | PathLike | None,
    queries: Sequence[str | Query],
    folder: str | PathLike,
    *,
    max_seconds: float = MAX_SECONDS,
) -> Answer:
    """Separates a file and draws all of its tracks.

    Rate, channels, length and level are the input's; estimates and residual add up to it. Memory
    does not grow with the length.

    Args:
        model: a separator.
        audio: a file of any format that `open_audio` reads.
        queries: what to look for.
        folder: where a new folder for the tracks is made; itself made when missing.
        max_seconds: longer files are refused.

    Raises:
        ValueError: when there is no file, when it is unreadable, too long or too short, or has more
            than `MAX_DENSITY` samples a second, and for queries that the model refuses.
    """
    if not audio:
        raise ValueError("Expected audio to separate, received none. Upload a file or record one.")
    audio, queries = Path(audio), [Query.of(query) for query in queries]
    contents = [part.content for query in queries for part in query.parts]
    examples = [Path(content) for content in contents if is_file(content)]
    with _in_words_of_the_page([audio, *examples]):
        _check_names(queries)
        for example in examples:
            with _open(example):
                pass  # it is not too dense
        with _open(audio) as stream:
            blocks = _at_most(stream, max_seconds)
            Path(folder).mkdir(parents=True, exist_ok=True)
            # Outputs are this name with an ending: none of them can replace it.
            out = tempfile.mkdtemp(prefix=ANSWER_PREFIX, dir=folder)
            source = Path(out) / f"{safe_name(audio.stem)}.wav"
            _write(source, stream, blocks)
        found = separate_files(model, [source], queries, residual=True)
        if found.failed:
            raise ValueError(found.failed[source])
    info = soundfile.info(source)
    paths = [source, *found.written]
    names = ["mixture", *(query.name for query in queries), RESIDUAL]
    scores = [found.presence.get(path) for path in paths]
    mixture, *estimates, residual = map(Track, names, paths, draw_together(paths), scores)
    return Answer(
        audio.name, info.samplerate, info.channels, info.duration, mixture, estimates, residual
    )


@contextmanager
def _in_words_of_the_page(files: Sequence[Path]) -> Iterator[None]:
    """Has errors call files as their owner does, and say nothing of the command line's options."""
    try:
        yield
    except ValueError as error:
        message = _OPTION_SENTENCE.sub("", str(error))
        for path in files:
            message = message.replace(str(path), path.name)
        raise ValueError(message) from error


def _check_names(queries: Sequence[Query]) -> None:
    for query in queries:
        if safe_name(query.name).casefold() == RESIDUAL:
            raise ValueError(
                f"Expected a sound to look for, received {query.name!r}: what no query takes, "
                "which the page shows anyway. Leave it out of the queries."
            )


@contextmanager
def _open(path: Path) -> Iterator[AudioStream]:
    """Opens a file with as many samples a second as there is memory for."""
    with open_audio(path) as stream:
        if stream.channels * stream.sample_rate > MAX_DENSITY:
            raise ValueError(
                f"Expected at most two channels at {MAX_DENSITY / 2000:g} kHz or eight at "
                f"{MAX_DENSITY / 8000:g} kHz on this page, received {path} with {stream.channels} "
                f"channels at {stream.sample_rate} Hz. Upload fewer channels, or a lower rate."
            )
        yield stream


def _at_most(stream: AudioStream, max_seconds: float) -> Iterator[Tensor]:
    """Gives the blocks of a file that is not too long: by its header, or else as they come."""
    longest = round(max_seconds * stream.sample_rate)
    too_long = ValueError(
        f"Expected at most {max_seconds / 60:g} minutes of audio on this page, received more. "
        "`asteroid-bimodal separate FILE QUERY` has no limit."
    )
    if stream.exact and stream.frames > longest:
        raise too_long

    def blocks() -> Iterator[Tensor]:
        done = 0
        for block in stream.blocks:
            done += block.shape[-1]
            if done > longest:
                raise too_long
            yield block

    return blocks()


def _write(target: Path, stream: AudioStream, blocks: Iterator[Tensor]) -> None:
    """Writes what was uploaded as a WAV file that every browser plays."""
    style = {"samplerate": stream.sample_rate, "channels": stream.channels, "subtype": "FLOAT"}
    with soundfile.SoundFile(target, "w", **style) as file:
        for block in blocks:
            file.write(block.T.numpy())
