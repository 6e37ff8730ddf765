"""What headers of WAV, RF64, AIFF, AU, CAF, W64, Ogg and MP3 files tell of length, right or wrong.

Recorders write sizes last, and some never: libsndfile would end such a file where its header says.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

_SIZES = {b"RIFF": "<I", b"RF64": "<I", b"BW64": "<I", b"FORM": ">I", b"caff": ">q"}  # of chunks
_TOTALS = {  # where the size of all is, in which form, and what is added to it
    **{b"RIFF": (4, "<I", 8), b"FORM": (4, ">I", 8), b"riff": (16, "<q", 0)},
    **{b"RF64": (20, "<q", 8), b"BW64": (20, "<q", 8)},
}
_DS64_SIZE = 28  # where RF64 has the size of its samples
_MOST_CHUNKS = 1000  # that are looked at
_PADDING = 4096  # bytes after the samples that may be anything
TAGS = (b"ID3", b"TAG", b"APE")  # after the sound, or between files that were joined
_OGG_PAGE = 65_307  # bytes of the longest one
_OGG_HEADER = re.compile(rb"OggS\0([\0-\7])(.{8})", re.DOTALL)


_MP3_SYNC = 0xFFE0  # the first bits of a frame


def mp3_start(file: BinaryIO) -> int | None:
    """Where the first frame of an MP3 file begins; None for other files."""
    place = 0
    if _bytes(file, 0, 3) == b"ID3":
        size = _bytes(file, 6, 4)  # seven bits of each byte
        place = 10 + sum((byte & 127) << 7 * (3 - index) for index, byte in enumerate(size))
    sync = _bytes(file, place, 2)
    return place if int.from_bytes(sync, "big") & _MP3_SYNC == _MP3_SYNC else None


def mp3_seconds(file: BinaryIO, start: int) -> float | None:
    """The length by the tag that encoders leave in the first frame, without what they added."""
    head = _bytes(file, start, 4).ljust(4, b"\0")
    version, channels = head[1] >> 3 & 3, head[3] >> 6
    is_first, is_mono = version == 3, channels == 3  # of the versions of MPEG
    tag = start + 4 + (17 if is_first == is_mono else 32 if is_first else 9)
    rates = (44_100, 48_000, 32_000, 0)
    rate = rates[head[2] >> 2 & 3] >> (3 - version if version else 2)
    name, flags = _bytes(file, tag, 4), _number(file, tag + 4, ">I")
    if name not in (b"Xing", b"Info") or flags & 1 == 0 or not rate:
        return None
    lame = tag + 8 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if flags >> bit & 1)
    added = int.from_bytes(_bytes(file, lame + 21, 3), "big")
    frames = _number(file, tag + 8, ">I") * (1152 if is_first else 576)
    return (frames - (added >> 12) - (added & 0xFFF)) / rate


@dataclass(frozen=True)
class SoundChunk:
    """The chunk with the samples."""

    size_at: int  # where its size is written
    form: str  # in which form, of `struct`
    start: int
    size: int  # as written


def sound_chunk(file: BinaryIO) -> SoundChunk | None:
    """Finds the chunk with the samples in a WAV, RF64, AIFF, AU or CAF file."""
    file.seek(0)
    kind = file.read(4)
    if kind == b".snd":
        return SoundChunk(8, ">I", _number(file, 4, ">I"), _number(file, 8, ">I"))
    form = _SIZES.get(kind)
    if form is None:
        return None
    width, place = struct.calcsize(form), 8 if kind == b"caff" else 12
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(4 + width)
        if len(head) < 4 + width or not _is_name(head[:4]):
            return None
        (size,) = struct.unpack(form, head[4:])
        start = place + len(head)
        if head[:4] in (b"data", b"SSND"):
            if kind in (b"RF64", b"BW64") and size == 2**32 - 1:
                return SoundChunk(_DS64_SIZE, "<q", start, _number(file, _DS64_SIZE, "<q"))
            return SoundChunk(place + 4, form, start, size)
        if size < 0:
            return None
        place = start + size + (size % 2 if kind != b"caff" else 0)
    return None


def mended(file: BinaryIO) -> MendedFile | None:
    """A file whose header ends the samples too early, as if it told the truth; None for others."""
    chunk = sound_chunk(file)
    if chunk is None:
        return None
    rest = file.seek(0, 2) - chunk.start
    if not 0 <= chunk.size < rest - _PADDING and not (chunk.form == "<q" and chunk.size < 0):
        return None
    if chunk.size >= 0:  # another chunk or a tag may follow
        width = struct.calcsize(chunk.form)
        for padding in (0, 1):
            file.seek(chunk.start + chunk.size + padding)
            head = file.read(4 + width)
            name, size = head[:4], struct.unpack(chunk.form, head[4:])[0]
            if name[:3] in TAGS or _is_name(name) and 0 <= size <= rest - chunk.size:
                return None
    largest = 2 ** (8 * struct.calcsize(chunk.form) - (chunk.form[1] == "q")) - 1
    return MendedFile(file, chunk.size_at, struct.pack(chunk.form, min(rest, largest)))


class MendedFile:
    """A file with some of its bytes replaced, to be read by libsndfile."""

    def __init__(self, file: BinaryIO, place: int, content: bytes) -> None:
        self._file, self._place, self._content = file, place, content
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for place, value in enumerate(self._content, self._place - start):
            if 0 <= place < len(data):
                data[place] = value
        return bytes(data)


def told_share(file: BinaryIO) -> float:
    """How many times longer a WAV, AIFF, CAF or W64 file should be; 1 where it is whole."""
    file.seek(0)
    kind, total, chunk = file.read(4), file.seek(0, 2), sound_chunk(file)
    if kind in _TOTALS:
        place, form, more = _TOTALS[kind]
        told = _number(file, place, form) + more
        if told <= total or _is_unknown(told):
            return 1
        share = told / total
    elif chunk is None:
        return 1
    if chunk is not None:
        share = chunk.size / max(1, total - chunk.start)
        if _is_unknown(chunk.size):
            return 1
    return max(1, share)


def is_cut_ogg(file: BinaryIO) -> bool:
    """Whether an Ogg file ends inside a page; a recording that was stopped ends after one."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _OGG_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


@dataclass(frozen=True)
class OggLength:
    """What the pages of an Ogg file tell."""

    streams: int
    first: int  # samples up to the end of the first page that has any
    joined: int  # samples of all streams, were they one after another


def ogg_length(file: BinaryIO) -> OggLength:
    """Goes through the headers of an Ogg file's pages."""
    file.seek(0)
    streams = first = total = last = 0
    held = b""
    while block := file.read(2**20):
        held += block
        for flags, granule in _OGG_HEADER.findall(held):
            if ord(flags) & 2:  # it begins a stream
                streams, total, last = streams + 1, total + last, 0
            last = max(last, int.from_bytes(granule, "little", signed=True))
            first = first or last
        held = held[-13:]
    return OggLength(streams, first, total + last)


def _bytes(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _number(file: BinaryIO, place: int, form: str) -> int:
    data = _bytes(file, place, struct.calcsize(form))
    return struct.unpack(form, data)[0] if len(data) == struct.calcsize(form) else 0


def _is_name(name: bytes) -> bool:
    return all(32 <= letter < 127 for letter in name)


def _is_unknown(size: int) -> bool:
    """Whether a size is what programs write that do not know it."""
    return size < 0 or 0x7FFF_0000 <= size <= 0x8001_0000 or 0xFFFF_0000 <= size < 2**32 + 8
