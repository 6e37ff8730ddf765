"""The two libraries that read audio files for `audio_file.py`.

libsndfile reads the formats that state their length (WAV, FLAC, Ogg, AIFF and the like): fast, and
with exact seeking. FFmpeg, which comes inside PyAV's wheel, reads everything else: MP3, where
libsndfile stops at the length of the first header though joined files, and those without a header,
go on; what libsndfile lacks (m4a, webm, ...); a FLAC of unknown length; and what follows a damaged
place, where libsndfile gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, BinaryIO

import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor

if TYPE_CHECKING:
    import av

_BLOCK = 2**16  # samples read at a time
# Formats that hold their sound themselves. Playlists name other files of this machine, which are
# not for whoever sends one to the demo.
FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac"),
    *("flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "oma", "tak", "tta"),
    *("w64", "wav", "wv"),
)
_NO_LENGTH = ("aac", "ac3", "amr", "dts", "eac3", "mp3", "mpeg", "mpegts")  # FFmpeg guesses it
UNKNOWN_LENGTH = 2**60  # libsndfile gives this many samples and more to a FLAC of unknown length
_TAGS = (b"ID3", b"TAG", b"APE")  # between files that were joined
_TOLERANCE = 0.25  # seconds by which the length of a container may be off
_PREROLL = 0.5  # seconds that decoders need before the samples are right
_OGG_PAGE = 65_307  # bytes of the longest one

Source = str | PathLike | BinaryIO


class UnreadableAudioError(ValueError):
    """A file that cannot be used; the message says which and why."""


@contextmanager
def open_by_ffmpeg(
    source: Source, name: str, claimed: float | None = None, reason: str = ""
) -> Iterator[FFmpegReader]:
    import av

    with _binary(source) as binary:
        # The file is open already: nothing that it names can be opened by any protocol.
        options = {"protocol_whitelist": "none", "format_whitelist": ",".join(FORMATS)}
        try:
            container = av.open(binary, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            reasons = [why.strip(". ") for why in (reason, getattr(error, "strerror", "")) if why]
            raise UnreadableAudioError(f"Cannot read {name}: {'; '.join(reasons)}.") from error
        with container:
            if not container.streams.audio:
                raise UnreadableAudioError(f"Cannot read {name}: it has no sound.")
            yield FFmpegReader(name, container, claimed)


@contextmanager
def _binary(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, str | PathLike):
        with open(source, "rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


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
        done, told = 0, []
        try:
            while len(samples := self._sound.read(_BLOCK, dtype="float32", always_2d=True)):
                yield torch.from_numpy(samples.T.copy())
                done += len(samples)
        except LibsndfileError:
            for block in self._rest(done, told.append):
                yield block
                done += block.shape[-1]
            told.append("is damaged")
        seconds, stated = done / self.sample_rate, self._stated_seconds()
        if told:
            report(f"{told[0]}; {seconds:.2f} s of {stated:.2f} s can be read")
        elif done < self.frames or seconds < stated - _TOLERANCE:
            report(f"is damaged; {seconds:.2f} s of {stated:.2f} s can be read")
        elif self._is_cut():
            report(f"breaks off at {seconds:.2f} s")

    def _rest(self, skip: int, report: Callable[[str], None]) -> Iterator[Tensor]:
        with open_by_ffmpeg(self._source, self.name) as file:
            for block in file.blocks(report):
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

    def _stated_seconds(self) -> float:
        """The length by the header, or by the last page of an Ogg file."""
        granule = int.from_bytes(self._last_ogg_page()[6:14], "little", signed=True)
        if granule > 0:
            return granule / (48_000 if self._sound.subtype == "OPUS" else self.sample_rate)
        return self.frames / self.sample_rate

    def _is_cut(self) -> bool:
        """Whether a WAV, AIFF or Ogg file lacks its end, of which libsndfile does not speak."""
        if page := self._last_ogg_page():
            return not page[5] & 4  # "end of stream"
        with _binary(self._source) as file:
            head, size = file.read(8), file.seek(0, 2)
        if head[:4] not in (b"RIFF", b"FORM"):
            return False
        length = int.from_bytes(head[4:], "little" if head[:4] == b"RIFF" else "big")
        unknown = 0x7FFF_0000 <= length <= 0x8001_0000 or length >= 0xFFFF_0000
        return size < length + 8 and not unknown

    def _last_ogg_page(self) -> bytes:
        if self._sound.format != "OGG":
            return b""
        with _binary(self._source) as file:
            file.seek(max(0, file.seek(0, 2) - _OGG_PAGE))
            tail = file.read()
        return tail[tail.rfind(b"OggS") :]


class FFmpegReader:
    """A file that FFmpeg reads."""

    exact = False

    def __init__(
        self, name: str, container: av.container.InputContainer, mp3_seconds: float | None
    ) -> None:
        self.name = name
        self._container, self._stream = container, container.streams.audio[0]
        self._mp3_seconds = mp3_seconds
        self.sample_rate, self.channels = self._stream.rate, self._stream.channels
        if self._stream.codec_context.name == "flac":  # frames with errors are not guessed
            self._stream.codec_context.options = {"err_detect": "crccheck+explode"}
        if not (self.sample_rate and self.channels):
            raise UnreadableAudioError(f"Cannot read {name}: it has no sound.")

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
        return round(seconds * self.sample_rate)

    @cached_property
    def _claimed_seconds(self) -> float | None:
        """The length by the header, None where it tells none."""
        stream, kind = self._stream, self._container.format.name
        if kind == "mp3" and stream.start_time:  # a header that tells what encoding added
            return self._mp3_seconds
        if kind in _NO_LENGTH:
            return None
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        if self._container.duration and not self._container.streams.video:
            return self._container.duration / 1_000_000
        return None

    def _scan(self) -> float:
        """Finds the length in seconds by going through the file once, without decoding."""
        packets = [packet for packet in self._packets() if packet and packet.pts is not None]
        end = max((packet.pts + (packet.duration or 0) for packet in packets), default=0)
        self._container.seek(0)
        return float((end - (self._stream.start_time or 0)) * self._stream.time_base)

    def blocks(self, report: Callable[[str], None]) -> Iterator[Tensor]:
        """Yields all samples; what cannot be decoded is left out."""
        held, count, done, damaged = [], 0, 0, None
        for samples, _ in self._decode():
            if samples is None:
                damaged = damaged or (done + count) / self.sample_rate
                continue
            held.append(samples)
            count += samples.shape[-1]
            if count >= _BLOCK:
                yield torch.cat(held, dim=-1)
                done, held, count = done + count, [], 0
        if held:
            yield torch.cat(held, dim=-1)
        seconds, claimed = (done + count) / self.sample_rate, self._claimed_seconds
        if damaged is not None:
            report(f"is damaged at {damaged:.2f} s")
        elif claimed is not None and seconds < claimed - _TOLERANCE:
            report(f"breaks off at {seconds:.2f} s of {claimed:.2f} s")

    def read(self, start: int, length: int) -> Tensor:
        """Reads (C, T) samples."""
        stream, place = self._stream, 0
        begin = start / self.sample_rate - _PREROLL
        if begin > 0:
            origin, place = stream.start_time or 0, None
            self._container.seek(origin + int(begin / stream.time_base), stream=stream)
        pieces = [torch.zeros(self.channels, 0)]
        for samples, pts in self._decode():
            if samples is None:
                if place is not None and place >= start:
                    raise UnreadableAudioError(
                        f"{self.name} is damaged at {place / self.sample_rate:.2f} s."
                    )
                continue
            if place is None:
                place = round((pts - origin) * stream.time_base * self.sample_rate)
            pieces.append(samples[:, max(0, start - place) : max(0, start + length - place)])
            place += samples.shape[-1]
            if place >= start + length:
                break
        return torch.cat(pieces, dim=-1)

    def _decode(self) -> Iterator[tuple[Tensor, int] | tuple[None, None]]:
        """Yields (C, T) samples and their time in the stream's units; None for what is damaged."""
        import av

        kind, resampler = None, None
        for packet in self._packets():
            try:
                frames = packet.decode() if packet else None
            except av.FFmpegError:
                frames = [] if bytes(packet)[:3] in _TAGS else None
            if frames is None:
                yield None, None
                continue
            for frame in frames:
                if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
                    # Also where files of different formats were joined.
                    resampler = av.AudioResampler("fltp", self._stream.layout, self.sample_rate)
                for converted in resampler.resample(frame):
                    yield torch.from_numpy(converted.to_ndarray()), frame.pts

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yields packets, and None where the container breaks off."""
        import av

        packets = self._container.demux(self._stream)
        try:
            yield from packets
        except av.FFmpegError:
            yield None
