"""Frames of a clip's video: pictures that lie beside the audio.

    <root>/solo/audio/<label>/<id>.wav      a clip
    <root>/solo/frames/<id>/000.jpg, …      its frames, in the order of their names

Frames are evenly spread over the clip, whatever their rate.
"""

from __future__ import annotations

from pathlib import Path

KINDS = (".png", ".jpg", ".jpeg")
Frame = str | bytes  # the path of a picture, or the content of its file


def frames_folder(audio: str | Path) -> Path:
    """The folder of the frames of a clip, which must be in a folder `audio`, or ValueError.

    Examples:
        >>> frames_folder("music/solo/audio/violin/a1b2.wav").as_posix()
        'music/solo/frames/a1b2'
    """
    audio = Path(audio)
    for folder in audio.parents:
        if folder.name == "audio":
            return folder.with_name("frames") / audio.stem
    raise ValueError(
        f"{audio} is in no folder named audio, beside which its frames would be. Arrange the data "
        "set as its recipe's README says."
    )


def frames_of(audio: str | Path) -> list[Path]:
    """The frames of a clip in their order, or ValueError when it has none."""
    folder = frames_folder(audio)
    if folder.is_dir():
        # The names of files that are being written begin with a dot.
        shown = (path for path in folder.iterdir() if not path.name.startswith("."))
        frames = sorted(path for path in shown if path.suffix.lower() in KINDS)
        if frames:
            return frames
    raise ValueError(
        f"There are no frames of {Path(audio).name} in {folder}. Render or extract them "
        "(stage 0 draws the miniature's; for videos, `ffmpeg -i VIDEO -vf fps=1 "
        f"{folder}/%03d.jpg`), or choose a system without image queries."
    )


def frame_at(audio: str | Path, second: float, seconds: float) -> Path:
    """The frame of a clip of `seconds` that shows a moment; after the end it is the last one.

    Raises:
        ValueError: when the clip has no frames.

    Examples:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "frames" / "a1b2").mkdir(parents=True)
        >>> for name in ("000.png", "001.png", "002.png"):
        ...     _ = (root / "frames" / "a1b2" / name).touch()
        >>> frame_at(root / "audio" / "a1b2.wav", 25.0, 30.0).name
        '002.png'
    """
    frames = frames_of(audio)
    return frames[frame_index(second, seconds, len(frames))]


def frame_index(second: float, seconds: float, count: int) -> int:
    """Which of `count` frames of a clip of `seconds` shows a moment."""
    place = int(second / seconds * count) if seconds else 0
    return min(place, count - 1)
