"""Where the annotation files are published, and getting those that were not given."""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ...utils.files import atomic_write
from .errors import DownloadStoppedError, disk_watch

_MUSIC = "https://raw.githubusercontent.com/roudimit/MUSIC_dataset/master"
_AUDIOCAPS = "https://raw.githubusercontent.com/cdjkim/audiocaps/master/dataset"

# File by file, with those that a set is fetched from unless others are named.
ADDRESSES = {
    "music": {
        name: f"{_MUSIC}/{name}"
        for name in ("MUSIC_solo_videos.json", "MUSIC_duet_videos.json", "MUSIC21_solo_videos.json")
    },
    "vggsound": {"vggsound.csv": "https://www.robots.ox.ac.uk/~vgg/data/vggsound/vggsound.csv"},
    "audiocaps": {
        f"{split}.csv": f"{_AUDIOCAPS}/{split}.csv" for split in ("train", "val", "test")
    },
}
DEFAULTS = {
    "music": ("MUSIC_solo_videos.json",),
    "vggsound": ("vggsound.csv",),
    "audiocaps": ("train.csv", "val.csv", "test.csv"),
}
FOLDER = "annotations"
_LONGEST = 600.0  # seconds that a file may take


def read_annotations(
    name: str, files: Sequence[str | Path], root: str | Path, *, timeout: float = 30.0
) -> dict[str, str]:
    """The annotation files of a set; published ones are fetched into `<root>/annotations`."""
    texts = {}
    root = Path(root)
    for file in files or DEFAULTS[name]:
        # A published name stands for the copy in the set's folder, unless a file was meant.
        kept = (root / FOLDER / Path(file).name, root / Path(file).name)
        places = (Path(file), *kept) if files else kept
        path = next((place for place in places if _is_annotation(place)), None)
        path = path or _fetch(name, str(file), kept[0], timeout)
        texts[path.name] = _decode(path.read_bytes(), path)
    return texts


def _is_annotation(path: Path) -> bool:
    # Manifests may have the names of annotation files; only those have this header.
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return not file.readline().startswith(b"path,label,caption,")


def _fetch(name: str, file: str, path: Path, timeout: float) -> Path:
    if file not in ADDRESSES[name]:
        raise FileNotFoundError(
            f"{file} does not exist. Published annotations are fetched by name: "
            f"{', '.join(ADDRESSES[name])}."
        )
    address, content, reason = ADDRESSES[name][file], b"", ""
    try:
        with urllib.request.urlopen(address, timeout=timeout) as answer:
            end, length = time.monotonic() + _LONGEST, answer.headers.get("Content-Length")
            while block := answer.read1(2**16):
                content += block
                if time.monotonic() > end:
                    raise TimeoutError(f"not there after {_LONGEST:.0f} s")
            if "html" in answer.headers.get("Content-Type", ""):
                reason = "the answer is a web page"
            elif length and len(content) < int(length):
                reason = f"the answer breaks off after {len(content)} of {length} bytes"
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
    if reason:
        raise DownloadStoppedError(
            f"Cannot fetch {address}: {reason}. Check the network, or get the file by hand and "
            f"put it at {path}, or name it with --annotations."
        )
    with disk_watch(path.parent), atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path


def _decode(content: bytes, source: str | Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} is not text in UTF-8: {error.reason}.") from error
