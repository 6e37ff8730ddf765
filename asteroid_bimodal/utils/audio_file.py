"""Audio files as streams, as excerpts and whole: one reader for all formats.

libsndfile reads the formats that state their length (WAV, FLAC, Ogg, AIFF and the like): fast, and
with exact seeking. FFmpeg, which comes inside PyAV's wheel, reads everything else: MP3, where
libsndfile stops at the length of the first header though joined files, and those without a header,
go on; what libsndfile lacks (m4a, webm, ...); a FLAC of unknown length; and what follows a damaged
place, where libsndfile gives up.

A file that is damaged or cut off gives what there is, with a warning that tells the second.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import torch
from soundfile import LibsndfileError, SoundFile
from torch import Tensor

if TYPE_CHECKING:
    import av

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"),
    *(".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mov"),
)
_BLOCK = 2**16  # samples read at a time
# Formats that hold their sound themselves. Playlists name other files of this machine, which are
# not for whoever sends one to the demo.
_FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac"),
    *("flv", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "oma", "tak", "tta"),
    *("w64", "wav", "wv"),
)
_NO_LENGTH = ("aac", "ac3", "amr", "dts", "eac3", "mp3", "mpeg", "mpegts")  # FFmpeg guesses it
_UNKNOWN = 2**60  # libsndfile gives this many samples and more to a FLAC of unknown length
_TAGS = (b"ID3", b"TAG", b"APE")  # between files that were joined
_TOLERANCE = 0.25  # seconds by which the length of a container may be off
_PREROLL = 0.5  # seconds that decoders need before the samples are right
_OGG_PAGE = 65_307  # bytes of the longest one

Source = str | PathLike | BinaryIO


class UnreadableAudioError(ValueError):
    """A file that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class AudioStream:
    """An open audio file.

    Attributes:
        sample_rate: in hertz.
        channels: C.
        frames: how many samples each channel has, an estimate unless `exact`.
        exact: whether the file states its length in samples.
        blocks: the samples, (C, T) at a time.
    """

    sample_rate: int
    channels: int
    frames: int
    exact: bool
    blocks: Iterator[Tensor]


@contextmanager
def open_audio(source: Source, *, strict: bool = False) -> Iterator[AudioStream]:
    """Opens an audio file; memory does not grow with its length.

    Args:
        source: wav, flac, ogg, mp3, m4a, webm or any other format that libsndfile or FFmpeg read,
            of a video the first audio track: a path, or an open binary file.
        strict: refuse files that are damaged or cut off, rather than warn and give what there is.

    Raises:
        UnreadableAudioError: for a file that is missing or not audio, when there are no samples at
            all, and where `strict` refuses.

    Examples:
        >>> import tempfile, soundfile
        >>> path = f"{tempfile.mkdtemp()}/tone.wav"
        >>> soundfile.write(path, torch.zeros(100_000, 2).numpy(), 8000)
        >>> with open_audio(path) as audio:
        ...     print(audio.sample_rate, [tuple(block.shape) for block in audio.blocks])
        8000 [(2, 65536), (2, 34464)]
    """
    with _open(source) as file:

        def report(damage: str) -> None:
            if strict:
                raise UnreadableAudioError(f"{file.name} {damage}.")
            warnings.warn(f"{file.name} {damage}. What can be read is used.", stacklevel=2)

        blocks = _not_none(file.blocks(report), file.name)
        yield AudioStream(file.sample_rate, file.channels, file.frames, file.exact, blocks)


def read_audio(source: Source) -> tuple[Tensor, int]:
    """Reads a whole audio file.

    Args:
        source: as for `open_audio`.

    Returns:
        Samples (C, T) and their rate in hertz.

    Raises:
        UnreadableAudioError: for a file that is missing, empty or not audio.
    """
    with open_audio(source) as audio:
        return torch.cat(list(audio.blocks), dim=-1), audio.sample_rate


def read_segment(
    source: Source, start: float | None, seconds: float | Fraction, name: str | None = None
) -> tuple[Tensor, int]:
    """Reads a part of an audio file; nothing else is decoded.

    Args:
        source: as for `open_audio`.
        start: where the part begins, in seconds; None for the middle of the file.
        seconds: how long it is; it is shorter where the file ends before.
        name: what messages call the file, by default its path.

    Returns:
        Samples (C, T), at least one, and their rate in hertz.

    Raises:
        UnreadableAudioError: for a file that is missing, not audio, over before `start`, or damaged
            in this part.
    """
    with _open(source, name) as file:
        length = math.ceil(seconds * file.sample_rate)
        if start is None:
            first = max(0, (file.frames - length) // 2)
        else:
            first = max(0, round(start * file.sample_rate))
        wav = file.read(first, length)
        if not wav.shape[-1]:
            begin = first / file.sample_rate if start is None else start
            raise UnreadableAudioError(f"{file.name} has no audio from {begin:.2f} s on.")
        return wav, file.sample_rate


def audio_seconds(source: Source) -> float:
    """Tells the length of an audio file without decoding it.

    Args:
        source: as for `open_audio`.

    Raises:
        UnreadableAudioError: for a file that is missing or not audio.
    """
    with _open(source) as file:
        return file.frames / file.sample_rate


def to_mono(wav: Tensor) -> Tensor:
    """Averages channels; where they cancel each other, the loudest one stands for all.

    Shape:
        - wav: (C, T)
        - returns: (T,)

    Examples:
        >>> to_mono(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([2., 3.])
        >>> to_mono(torch.tensor([[1.0, 2.0], [-1.0, -2.0]]))
        tensor([1., 2.])
    """
    channels = len(wav)
    # A product is several times faster here than a mean.
    mono = wav.T.mv(wav.new_full((channels,), 1 / channels))
    if channels > 1 and cancels(mono.square().sum(), energies := wav.square().sum(-1)):
        return wav[energies.argmax()]
    return mono


def cancels(mean_energy: Tensor, energies: Tensor) -> bool:
    """Whether a mean is 20 dB weaker than that of unrelated channels of these energies (C,)."""
    return bool(mean_energy < 0.01 * energies.sum() / len(energies) ** 2)


@contextmanager
def _open(source: Source, name: str | None = None) -> Iterator[_Sndfile | _FFmpeg]:
    """Opens a file with the library that is to read it."""
    is_path = isinstance(source, str | PathLike)
    name = name or str(source)
    if is_path and not (path := Path(source)).is_file():
        raise UnreadableAudioError(f"{name} {'is no file' if path.exists() else 'does not exist'}.")
    if is_path and not path.stat().st_size:
        raise UnreadableAudioError(f"Cannot read {name}: the file is empty.")
    claimed, reason = None, ""
    try:
        sound = SoundFile(str(source) if is_path else source)
    except (LibsndfileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", str(error))
    else:
        with sound:
            if sound.format != "MP3" and sound.frames < _UNKNOWN:
                yield _Sndfile(source, name, sound)
                return
            claimed = sound.frames / sound.samplerate
    with _open_by_ffmpeg(source, name, claimed, reason) as file:
        yield file


@contextmanager
def _open_by_ffmpeg(
    source: Source, name: str, claimed: float | None = None, reason: str = ""
) -> Iterator[_FFmpeg]:
    import av

    with _binary(source) as binary:
        # The file is open already: nothing that it names can be opened by any protocol.
        options = {"protocol_whitelist": "none", "format_whitelist": ",".join(_FORMATS)}
        try:
            container = av.open(binary, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            reasons = [why.strip(". ") for why in (reason, getattr(error, "strerror", "")) if why]
            raise UnreadableAudioError(f"Cannot read {name}: {'; '.join(reasons)}.") from error
        with container:
            if not container.streams.audio:
                raise UnreadableAudioError(f"Cannot read {name}: it has no sound.")
            yield _FFmpeg(name, container, claimed)


@contextmanager
def _binary(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, str | PathLike):
        with open(source, "rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


class _Sndfile:
    """A file that libsndfile reads."""

    exact = True

    def __init__(self, source: Source, name: str, sound: SoundFile) -> None:
        self.name = name
        self.sample_rate, self.channels, self.frames = (
            sound.samplerate,
            sound.channels,
            sound.frames,
        )
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
        with _open_by_ffmpeg(self._source, self.name) as file:
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


class _FFmpeg:
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


def _not_none(blocks: Iterator[Tensor], name: str) -> Iterator[Tensor]:
    first = next(blocks, None)
    if first is None:
        raise UnreadableAudioError(f"{name} has no audio.")
    yield first
    yield from blocks
