"""Frames of the miniature's "videos": who plays, where, in which light, drawn from scratch.

Same folder layout as the full set with one frame a second, only with fewer frames:

    <root>/solo/frames/<id>/000.png, 001.png, …
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance
from tqdm import tqdm

from asteroid_bimodal.data.frames import frames_folder
from asteroid_bimodal.data.manifest import read_manifest
from asteroid_bimodal.utils.files import atomic_write

from .pictures import PICTURES, Pen

SIZE = 64  # side of a frame, in pixels
COUNTS = (5, 8)  # fewest and most frames of a video
_DETAIL = 2  # everything is drawn this much larger, then made smaller for smooth edges


def render_frames(root: str | Path, *, seed: int = 0) -> int:
    """Draws the frames of a rendered set, or what is missing of them.

    A video's frames depend on its name and the seed alone.

    Args:
        root: folder of the set, with its manifests.
        seed: another seed gives other pictures.

    Returns:
        How many frames were drawn.
    """
    root, missing = Path(root), {}
    for manifest in sorted(root.glob("*.csv")):
        for clip in read_manifest(manifest):
            folder = frames_folder(root / clip.path)
            numbers = (seed, zlib.crc32(folder.name.encode()))
            count = int(np.random.default_rng(numbers).integers(COUNTS[0], COUNTS[1] + 1))
            paths = [folder / f"{index:03d}.png" for index in range(count)]
            if not all(path.exists() for path in paths):
                missing[clip.label, numbers] = paths
    drawn = 0
    for (label, numbers), paths in tqdm(
        missing.items(), desc="drawing frames", unit="video", disable=None if missing else True
    ):
        pictures = draw_frames([label], len(paths), np.random.default_rng((*numbers, 1)))
        for path, picture in zip(paths, pictures, strict=True):
            with atomic_write(path) as temporary:
                picture.save(temporary)
        drawn += len(paths)
    return drawn


def draw_frames(
    labels: Sequence[str], count: int, rng: np.random.Generator, size: int = SIZE
) -> list[Image.Image]:
    """Draws frames of one video: the same players in the same place, moving a little.

    Args:
        labels: instruments that are played together, from left to right.
        count: how many frames.
        rng: the source of all choices.
        size: side of a frame, in pixels.

    Raises:
        ValueError: for an instrument that the miniature does not have, and for none.

    Examples:
        >>> frames = draw_frames(["violin"], 3, np.random.default_rng(0))
        >>> [frame.size for frame in frames]
        [(64, 64), (64, 64), (64, 64)]
    """
    unknown = [label for label in labels if label not in PICTURES]
    if unknown or not labels:
        received = repr(unknown[0]) if unknown else "none"
        raise ValueError(f"Expected labels of {', '.join(PICTURES)}, received {received}.")
    side = _DETAIL * size
    room, light = _backdrop(side, rng), rng.uniform(0.65, 1.25)
    players = [_Player(label, side, rng) for label in labels]
    centres = (np.arange(len(labels)) + 0.5) / len(labels) + rng.uniform(-0.08, 0.08, len(labels))
    return [_frame(room, players, centres, light, size, rng) for _ in range(count)]


class _Player:
    """An instrument as one player holds it: its picture, its size, its angle."""

    def __init__(self, label: str, side: int, rng: np.random.Generator) -> None:
        draw, angle = PICTURES[label]
        pen = Pen(side, rng)
        draw(pen)
        self.picture = pen.image
        if rng.random() < 0.5:
            self.picture = self.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            angle = -angle
        self.angle = angle + rng.uniform(-30, 30)
        self.scale, self.height = rng.uniform(0.65, 1.0), rng.uniform(0.42, 0.58)
        self.skin = pen.colour("wood", "pale")
        self.clothes = pen.colour("paint", "black", "pale")
        self.seen = rng.random() < 0.6

    def pose(self, side: int, rng: np.random.Generator) -> Image.Image:
        """Turns and resizes the picture a little differently each time."""
        side = round(side * self.scale * rng.uniform(0.93, 1.07))
        picture = self.picture.resize((side, side), Image.Resampling.BILINEAR)
        angle = self.angle + rng.uniform(-10, 10)
        return picture.rotate(angle, Image.Resampling.BILINEAR, expand=True)


def _frame(
    room: Image.Image,
    players: list[_Player],
    centres: np.ndarray,
    light: float,
    size: int,
    rng: np.random.Generator,
) -> Image.Image:
    frame, side = room.copy(), room.width
    share = len(players) ** -0.6  # several players leave less room for each
    for player, centre in zip(players, centres, strict=True):
        x, y = side * (np.array([centre, player.height]) + rng.uniform(-0.05, 0.05, 2))
        if player.seen:
            _draw_person(frame, x + rng.uniform(-4, 4), y, share * side, player)
        picture = player.pose(round(share * side), rng)
        corner = (round(x - picture.width / 2), round(y - picture.height / 2))
        frame.paste(picture, corner, picture)
    frame = frame.resize((size, size), Image.Resampling.BOX)
    return ImageEnhance.Brightness(frame).enhance(light * rng.uniform(0.92, 1.08))


def _draw_person(frame: Image.Image, x: float, y: float, side: float, player: _Player) -> None:
    """Draws head and body behind an instrument."""
    draw, head = ImageDraw.Draw(frame), 0.11 * side
    draw.ellipse([x - 0.24 * side, y - 0.12 * side, x + 0.24 * side, y + side], player.clothes)
    top = y - 0.32 * side
    draw.ellipse([x - head, top - 1.2 * head, x + head, top + 1.2 * head], player.skin)


def _backdrop(side: int, rng: np.random.Generator) -> Image.Image:
    """A wall and a floor, with some things about."""
    wall, floor = (tuple(rng.integers(40, 230, 3).tolist()) for _ in range(2))
    image = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, round(side * rng.uniform(0.6, 0.95)), side, side], floor)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(0, side, 2)
        width, height = rng.uniform(0.04, 0.25, 2) * side
        thing, colour = rng.integers(3), tuple(rng.integers(0, 256, 3).tolist())
        if thing == 0:
            draw.rectangle([x - width, y - height, x + width, y + height], colour)
        elif thing == 1:
            draw.ellipse([x - width, y - height, x + width, y + height], colour)
        else:
            draw.line([x - width, y - height, x + width, y + height], colour, int(side * 0.03))
    return image
