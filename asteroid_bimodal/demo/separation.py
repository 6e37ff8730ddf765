"""What the page does, without the page: audio and queries in, tracks out."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import soundfile
from torch import Tensor

from ..models import QueriedSeparator, Score
from ..queries import parse_caption
from ..queries.files import is_file
from ..queries.naming import RESIDUAL, split_queries
from ..separate import FileResults, Query, separate_files
from ..utils.audio_file import AudioStream, open_audio
from ..utils.files import atomic_write, safe_name
from .figures import Picture, draw_together

MAX_SECONDS = 600  # of a recording
MAX_DENSITY = 384_000  # samples a second, of all channels: memory is needed for 24 s of each track
MAX_QUERIES = 8
_OPTION_SENTENCE = re.compile(r"[^.]*\s--[a-z][^.]*\.")


class QueryError(ValueError):
    """Something is wrong with the queries, not with the recording."""


@dataclass(frozen=True)
class Track:
    """An audio file with its spectrogram.

    Attributes:
        name: "mixture", the query's or "residual".
        path: a float WAV file with the rate, the channels and the length of the input.
        picture: its spectrogram; all of a result share one dB scale.
        score: level and likelihood of an estimate; None for mixture and residual.
    """

    name: str
    path: Path
    picture: Picture
    score: Score | None = None


@dataclass(frozen=True)
class DemoResult:
    """A separated recording.

    Attributes:
        title: the input's name.
        sample_rate: of all tracks, in hertz.
        channels: of each track.
        seconds: that each track lasts.
        mixture: the input.
        estimates: one for each query, in their order.
        residual: what belongs to no query.
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


def parse_queries(
    words: str = "",
    caption: str = "",
    like: str | PathLike | None = None,
    *,
    without: str = "",
) -> list[str | Query]:
    """Collects the queries of all inputs; repetitions count once.

    Args:
        words: queries, one a line or between commas.
        caption: a sentence; each phrase of it is a query.
        like: an audio example of the sound.
        without: negative queries, as words; where there are some, there need be no others.

    Raises:
        QueryError: for no query, and for more than `MAX_QUERIES` with the negative ones.

    Examples:
        >>> parse_queries("violin, flute", "a man talks while a dog barks")
        ['violin', 'flute', 'a man talks', 'a dog barks']
    """
    with _about_queries():
        phrases = parse_caption(caption) if (caption or "").strip() else []
    queries: list[str | Query] = list(dict.fromkeys([*split_queries(words or ""), *phrases]))
    if like:
        queries.append(Query.like(like, f"like {Path(like).stem}"))
    negative = split_queries(without or "")
    if not queries and not negative:
        raise QueryError(
            "There is no query. Write a query such as 'violin', a caption, or give an example of "
            "the sound."
        )
    if (count := len(queries) + len(negative)) > MAX_QUERIES:
        raise QueryError(
            f"This page takes at most {MAX_QUERIES} queries, received {count}. Give some of "
            "them at a time, or use `asteroid-bimodal separate`."
        )
    return queries


def separate_recording(
    model: QueriedSeparator,
    audio: str | PathLike | None,
    queries: Sequence[str | Query],
    folder: str | PathLike,
    *,
    without: Sequence[str | Query] = (),
    max_seconds: float = MAX_SECONDS,
    on_progress: Callable[[int, int], None] | None = None,
) -> DemoResult:
    """Separates a file and draws the spectrograms of all tracks.

    Rate, channels, length and level are the input's; estimates and residual add up to it. Memory
    does not grow with the length.

    Args:
        model: a separator.
        audio: a file of any format that `open_audio` reads.
        queries: texts or `Query` objects.
        folder: where a new folder for the tracks is made; itself made when missing.
        without: negative queries, as `separate_files` takes them.
        max_seconds: longer files are refused.
        on_progress: called after each window with the samples that are done, and how many there
            are.

    Raises:
        ValueError: when there is no file, when it is unreadable, too long or too short, or has more
            than `MAX_DENSITY` samples a second; a `QueryError` for queries that the model refuses.
    """
    if not audio:
        raise ValueError("There is no audio to separate. Upload a file or record one.")
    audio, queries = Path(audio), [Query.of(query) for query in queries]
    contents = [part.content for query in queries for part in query.parts]
    examples = [Path(content) for content in contents if is_file(content)]
    with _without_paths_and_options([audio, *examples]):
        with _about_queries():
            _check_names(queries)
            for example in examples:
                with _open(example):
                    pass  # it is not too dense
        with _open(audio) as stream:
            blocks = _at_most(stream, max_seconds)
            Path(folder).mkdir(parents=True, exist_ok=True)
            # Outputs are this name with an ending: none of them can replace it.
            out = tempfile.mkdtemp(prefix="result_", dir=folder)
            source = Path(out) / f"{safe_name(audio.stem)}.wav"
            try:
                _write(source, stream, blocks)
                found = _separate(model, source, queries, without, on_progress)
                info, paths = soundfile.info(source), [source, *found.written]
                pictures = draw_together(paths)
            except BaseException:
                shutil.rmtree(out)
                raise
    scores = [found.scores.get(path) for path in paths]
    unwanted = "without " + " ".join(Query.of(query).name for query in without)
    asked = [query.name for query in queries] or [unwanted]
    names = ["mixture", *asked, RESIDUAL]
    mixture, *estimates, residual = map(Track, names, paths, pictures, scores)
    return DemoResult(
        audio.name, info.samplerate, info.channels, info.duration, mixture, estimates, residual
    )


def _separate(
    model: QueriedSeparator,
    source: Path,
    queries: Sequence[Query],
    without: Sequence[str | Query],
    on_progress: Callable[[int, int], None] | None,
) -> FileResults:
    with _about_queries():
        found = separate_files(
            model, [source], queries, without=without, residual=True, on_progress=on_progress
        )
    if found.failed:
        raise ValueError(found.failed[source])
    return found


@contextmanager
def _about_queries() -> Iterator[None]:
    """Tells that an error is one of queries."""
    try:
        yield
    except ValueError as error:
        raise QueryError(str(error)) from error


@contextmanager
def _without_paths_and_options(files: Sequence[Path]) -> Iterator[None]:
    """Takes folders and the command line's options out of error messages."""
    try:
        yield
    except ValueError as error:
        message = _OPTION_SENTENCE.sub("", str(error))
        for path in files:
            message = message.replace(str(path), path.name)
        raise type(error)(message) from error


def _check_names(queries: Sequence[Query]) -> None:
    for query in queries:
        if safe_name(query.name).casefold() == RESIDUAL:
            raise ValueError(
                f"{query.name!r} is not a query: the page shows the residual anyway. Leave it out."
            )


@contextmanager
def _open(path: Path) -> Iterator[AudioStream]:
    """Opens a file of at most `MAX_DENSITY` samples a second."""
    with open_audio(path) as stream:
        if stream.channels * stream.sample_rate > MAX_DENSITY:
            raise ValueError(
                f"This page takes at most two channels at {MAX_DENSITY / 2000:g} kHz or eight at "
                f"{MAX_DENSITY / 8000:g} kHz, received {path} with {stream.channels} channels at "
                f"{stream.sample_rate} Hz. Upload fewer channels, or a lower rate."
            )
        yield stream


def _at_most(stream: AudioStream, max_seconds: float) -> Iterator[Tensor]:
    """Blocks of a file; an error when its header or the blocks so far exceed the limit."""
    longest = round(max_seconds * stream.sample_rate)
    too_long = ValueError(
        f"This page takes at most {max_seconds / 60:g} minutes of audio. `asteroid-bimodal "
        "separate FILE QUERY` has no limit."
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
    """Writes the upload as a WAV file, which every browser plays."""
    style = {"samplerate": stream.sample_rate, "channels": stream.channels, "subtype": "FLOAT"}
    with atomic_write(target) as temporary, soundfile.SoundFile(temporary, "w", **style) as file:
        for block in blocks:
            file.write(block.T.numpy())
