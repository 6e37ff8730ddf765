"""The two libraries that read audio files for `audio_file.py`.

libsndfile reads samples that are not compressed, Ogg files of one stream, and excerpts of FLAC
files: fast, and with exact seeking. FFmpeg, which comes inside PyAV's wheel, reads everything else:
libsndfile stops at the length of the first header though joined files, and those without a header,
go on, and gives up at a damaged place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, BinaryIO

import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor

from .audio_headers import TAGS, is_cut_ogg, ogg_length, told_share

if TYPE_CHECKING:
    import av

_BLOCK = 2**16  # samples read at a time, of up to two channels
# Formats that hold their sound themselves. Playlists name other files of this machine, which are
# not for whoever sends one to the demo.
FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac"),
    *("flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "oma", "tak", "tta"),
    *("w64", "wav", "wv"),
)
_NO_LENGTH = ("aac", "ac3", "amr", "dts", "eac3", "mp3", "mpeg", "mpegts")  # FFmpeg guesses it
UNKNOWN_LENGTH = 2**60  # libsndfile gives this many samples and more to a FLAC of unknown length
_MOST_PER_BYTE = 512  # samples of a channel; a header that tells more is not believed
_TOLERANCE = 0.1  # seconds by which the length of a container may be off
_GAP = 0.015  # seconds between two frames that tell of a loss, where times count samples
_LONGEST_PAGE = 2  # seconds of the first page of an Ogg file that begins with its beginning
_PREROLL = 0.5  # seconds that decoders need before the samples are right

Source = str | PathLike | BinaryIO
_log = logging.getLogger(__name__)


class UnreadableAudioError(ValueError):
    """A file that cannot be used; the message says which and why."""


@contextmanager
def open_by_ffmpeg(
    source: Source, name: str, claimed: float | None = None, reason: str = ""
) -> Iterator[FFmpegReader]:
    import av

    with binary(source) as file:
        is_ogg = file.read(4) == b"OggS"
        pages = ogg_length(file) if is_ogg else None
        is_cut = is_cut_ogg(file) if is_ogg else told_share(file) > 1
        file.seek(0)
        # The file is open already: nothing that it names can be opened by any protocol.
        options = {"protocol_whitelist": "none", "format_whitelist": ",".join(FORMATS)}
        try:
            container = av.open(file, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            reasons = [why.strip(". ") for why in (reason, getattr(error, "strerror", "")) if why]
            _log.debug("%s: %s", name, "; ".join(reasons))
            raise UnreadableAudioError(
                f"Cannot read {name}: it is no audio file, or a damaged one."
            ) from error
        with container:
            if not any(stream.codec_context for stream in container.streams.audio[:1]):
                raise UnreadableAudioError(f"Cannot read {name}: it has no sound.")
            joined = pages.joined if pages and pages.streams > len(container.streams) else 0
            yield FFmpegReader(name, container, claimed, joined=joined, is_cut=is_cut)


@contextmanager
def binary(source: Source) -> Iterator[BinaryIO]:
    """Opens a file at its start."""
    if isinstance(source, str | PathLike):
        with open(source, "rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


class SequentialFile(SoundFile):
    """Read without the seek that soundfile makes after each block: it hides what is missing."""

    def seekable(self) -> bool:
        return False


class SndfileReader:
    """A file that libsndfile reads."""

    exact = True

    def __init__(self, source: Source, name: str, sound: SoundFile) -> None:
        self.name = name
        self.sample_rate, self.channels = sound.samplerate, sound.channels
        self.frames = sound.frames
        self._source, self._sound = source, sound

    def blocks(self, report: Callable[[str], None]) -> Iterator[Tensor]:
        """Yields all samples; where libsndfile gives up, FFmpeg goes on."""
        done, damaged, size = 0, None, max(1, 2 * _BLOCK // max(2, self.channels))
        try:
            while len(samples := self._sound.read(size, dtype="float32", always_2d=True)):
                yield torch.from_numpy(samples.T.copy())
                done += len(samples)
        except LibsndfileError:
            damaged = done / self.sample_rate
            for block in self._rest(done):
                yield block
                done += block.shape[-1]
        seconds, told, is_cut = done / self.sample_rate, self.frames / self.sample_rate, False
        with binary(self._source) as file:
            if self._sound.format == "OGG":
                is_cut, pages = is_cut_ogg(file), ogg_length(file)
                rate = 48_000 if self._sound.subtype == "OPUS" else self.sample_rate
                if pages.first < _LONGEST_PAGE * rate:  # of others the beginning is missing
                    told = max(told, pages.joined / rate)
            else:
                told = max(told, seconds * told_share(file))
        is_short = told > seconds + (_GAP if self._sound.format == "OGG" else 0)
        if damaged is not None or self._sound.format == "OGG" and is_short and not is_cut:
            where = "" if damaged is None else f" at {damaged:.2f} s"
            report(f"is damaged{where}; {seconds:.2f} s of {told:.2f} s can be read")
        elif is_short or is_cut:
            of = f" of {told:.2f} s" if is_short else ""
            report(f"breaks off at {seconds:.2f} s{of}")

    def _rest(self, skip: int) -> Iterator[Tensor]:
        with open_by_ffmpeg(self._source, self.name) as file:
            for block in file.blocks(lambda damage: None):
                if block.shape[-1] > skip:
                    yield block[:, skip:]
                skip = max(0, skip - block.shape[-1])

    def read(self, start: int, length: int) -> Tensor:
        """Reads (C, T) samples."""
        start = min(start, self.frames)
        try:
            self._sound.seek(start)
            samples = self._sound.read(length, dtype="float32", always_2d=True)
        except LibsndfileError as error:
            raise UnreadableAudioError(f"Cannot read {self.name}: {error.error_string}") from error
        if len(samples) < min(length, self.frames - start):
            seconds = (start + len(samples)) / self.sample_rate
            raise UnreadableAudioError(f"{self.name} is damaged at {seconds:.2f} s.")
        return torch.from_numpy(samples).T


class FFmpegReader:
    """A file that FFmpeg reads."""

    def __init__(
        self,
        name: str,
        container: av.container.InputContainer,
        mp3_seconds: float | None,
        *,
        joined: int,
        is_cut: bool,
    ) -> None:
        self.name = name
        self._container, self._stream = container, container.streams.audio[0]
        self._mp3_seconds, self._joined, self._is_cut = mp3_seconds, joined, is_cut
        stream, kind = self._stream, container.format.name
        self.sample_rate, self.channels = stream.rate, stream.channels
        codec = stream.codec_context
        if codec.name == "flac":  # frames with errors are not guessed
            codec.options = {"err_detect": "crccheck+explode"}
        if not (self.sample_rate and self.channels):
            raise UnreadableAudioError(f"Cannot read {name}: it has no sound.")
        self.exact = kind == "flac" and stream.duration is not None
        self._layout, self._origin = stream.layout, stream.start_time or 0
        # Where times start anew, or those of pages are all there is, nothing can be sought.
        self._seeks = not joined and (kind != "ogg" or codec.name in ("vorbis", "opus"))
        self._gap = _GAP if stream.time_base * self.sample_rate <= 1 else _TOLERANCE

    @cached_property
    def frames(self) -> int:
        seconds = self._claimed_seconds
        if self._container.format.name in _NO_LENGTH:
            scanned = self._scan()
            if seconds is None or abs(seconds - scanned) > _TOLERANCE:
                seconds = scanned
        elif seconds is None:
            duration = self._container.duration  # of a video
            seconds = duration / 1_000_000 if duration else self._scan()
        return min(round(seconds * self.sample_rate), _MOST_PER_BYTE * self._container.size)

    @cached_property
    def _claimed_seconds(self) -> float | None:
        """The length by the header, None where it tells none."""
        stream, container, kind = self._stream, self._container, self._container.format.name
        if kind == "mp3" and self._origin:  # a header that tells what encoding added
            return self._mp3_seconds
        if self._joined:
            return float(self._joined * stream.time_base)
        if kind in _NO_LENGTH or kind == "ogg" and self._origin:  # its beginning is missing
            return None
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        if container.duration and not container.streams.video:
            return container.duration / 1_000_000 - float(self._origin * stream.time_base)
        return None

    def _scan(self) -> float:
        """Finds the length in seconds by going through the file once, without decoding."""
        packets = (packet for packet in self._packets() if packet and packet.pts is not None)
        end = max((packet.pts + (packet.duration or 0) for packet in packets), default=0)
        self._container.seek(0)
        return float((end - self._origin) * self._stream.time_base)

    def blocks(self, report: Callable[[str], None]) -> Iterator[Tensor]:
        """Yields all samples; what cannot be decoded is left out."""
        held, count, done, damaged = [], 0, 0, None
        size = max(1, 2 * _BLOCK // max(2, self.channels))
        for samples, _ in self._decode():
            if samples is None:
                damaged = damaged or (done + count) / self.sample_rate
                continue
            held.append(samples)
            count += samples.shape[-1]
            if count >= size:
                yield torch.cat(held, dim=-1)
                done, held, count = done + count, [], 0
        if held:
            yield torch.cat(held, dim=-1)
        seconds, claimed = (done + count) / self.sample_rate, self._claimed_seconds
        is_short = claimed is not None and seconds < claimed - _TOLERANCE
        of = f" of {claimed:.2f} s" if is_short else ""
        if damaged is not None:
            left = f"; {seconds:.2f} s{of} can be read" if of else ""
            report(f"is damaged at {damaged:.2f} s{left}")
        elif is_short or self._is_cut:
            report(f"breaks off at {seconds:.2f} s{of}")

    def read(self, start: int, length: int) -> Tensor:
        """Reads (C, T) samples."""
        place: int | None = 0
        begin = start / self.sample_rate - _PREROLL
        if begin > 0 and self._seeks:
            place = None
            offset = self._origin + int(begin / self._stream.time_base)
            self._container.seek(offset, stream=self._stream)
        pieces = [torch.zeros(self.channels, 0)]
        for samples, time in self._decode():
            if samples is None:
                if place is not None and place >= start:
                    raise UnreadableAudioError(
                        f"{self.name} is damaged at {place / self.sample_rate:.2f} s."
                    )
                place = None if self._seeks else place
                continue
            if place is None:
                place = round(time * self.sample_rate)
            pieces.append(samples[:, max(0, start - place) : max(0, start + length - place)])
            place += samples.shape[-1]
            if place >= start + length:
                break
        return torch.cat(pieces, dim=-1)

    def _decode(self) -> Iterator[tuple[Tensor, Fraction] | tuple[None, None]]:
        """Yields (C, T) samples and their time in seconds; None for what is missing."""
        import av

        kind, resampler, end, time = None, None, None, Fraction()
        for packet in self._packets():
            try:
                frames = packet.decode() if packet else None
            except av.FFmpegError:
                frames, end = [] if bytes(packet)[:3] in TAGS else None, None
            if frames is None:
                yield None, None
                continue
            for frame in frames:
                if frame.pts is not None:
                    time = (frame.pts - self._origin) * self._stream.time_base
                    if end is not None and time > end + self._gap:
                        yield None, None
                end = time + Fraction(frame.samples, frame.sample_rate)
                if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
                    # Also where files of different formats were joined.
                    resampler = av.AudioResampler("fltp", self._layout, self.sample_rate)
                for converted in resampler.resample(frame):
                    yield torch.from_numpy(converted.to_ndarray()), time
                time = end

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yields packets, and None where the container breaks off."""
        import av

        packets = self._container.demux(self._stream)
        try:
            yield from packets
        except av.FFmpegError:
            yield None
