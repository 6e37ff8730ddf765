"""Pictures of the 11 instruments, put together from simple shapes.

Everything is drawn upright on a square from (-1, -1), top left, to (1, 1), bottom right.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

# Hue, saturation and brightness, and by how much each may differ.
MATERIALS = {
    "wood": ((0.07, 0.70, 0.60), (0.03, 0.20, 0.20)),
    "brass": ((0.12, 0.65, 0.80), (0.03, 0.25, 0.15)),
    "silver": ((0.60, 0.05, 0.78), (0.10, 0.05, 0.15)),
    "black": ((0.60, 0.10, 0.14), (0.30, 0.10, 0.08)),
    "paint": ((0.50, 0.75, 0.60), (0.50, 0.20, 0.25)),
    "pale": ((0.12, 0.10, 0.92), (0.05, 0.08, 0.07)),
}


class Pen:
    """Draws on a transparent square.

    Args:
        side: of the square, in pixels.
        rng: the source of all colours.
    """

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        self.image = Image.new("RGBA", (side, side))
        self.rng = rng
        self._draw, self._half = ImageDraw.Draw(self.image), side / 2

    def colour(self, *materials: str) -> Colour:
        """Draws a colour of one of some materials."""
        centre, spread = MATERIALS[materials[int(self.rng.integers(len(materials)))]]
        hue, saturation, value = np.array(centre) + np.array(spread) * self.rng.uniform(-1, 1, 3)
        rgb = colorsys.hsv_to_rgb(hue % 1, *np.clip((saturation, value), 0, 1))
        return tuple(round(255 * part) for part in rgb)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fills a polygon."""
        self._draw.polygon([self._place(*point) for point in points], colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fills a rectangle."""
        self._draw.rectangle([*self._place(left, top), *self._place(right, bottom)], colour)

    def disc(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fills an ellipse, given its half-axes."""
        corners = [*self._place(x - width, y - height), *self._place(x + width, y + height)]
        self._draw.ellipse(corners, colour)

    def ring(self, x: float, y: float, width: float, height: float, thick: float, colour) -> None:
        """Draws the outline of an ellipse."""
        corners = [*self._place(x - width, y - height), *self._place(x + width, y + height)]
        self._draw.ellipse(corners, outline=colour, width=self._stroke(thick))

    def line(self, points: list[tuple[float, float]], thick: float, colour: Colour) -> None:
        """Draws a line through points."""
        places = [self._place(*point) for point in points]
        self._draw.line(places, colour, self._stroke(thick), joint="curve")

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return (1 + x) * self._half, (1 + y) * self._half

    def _stroke(self, thick: float) -> int:
        return max(1, round(thick * self._half))


def _accordion(pen: Pen) -> None:
    body, dark, white = pen.colour("paint", "black"), pen.colour("black"), pen.colour("pale")
    light = pen.colour("pale", "silver", "paint")
    open_to = pen.rng.uniform(0.25, 0.5)
    folds = 2 * int(pen.rng.integers(4, 7))
    edges = np.linspace(-0.4, open_to, folds + 1)
    for fold, (left, right) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        pen.box(left, -0.5, right, 0.5, light if fold % 2 else dark)
    pen.box(-0.85, -0.6, -0.4, 0.6, body)
    pen.box(-0.85, -0.55, -0.65, 0.55, white)
    for y in np.linspace(-0.45, 0.45, 8):
        pen.box(-0.76, y - 0.03, -0.65, y + 0.03, dark)
    pen.box(open_to, -0.55, open_to + 0.35, 0.55, body)
    for x in (0.1, 0.2, 0.28):
        for y in np.linspace(-0.4, 0.4, 6):
            pen.disc(open_to + x, y, 0.03, 0.03, white)


def _acoustic_guitar(pen: Pen) -> None:
    wood, dark, string = pen.colour("wood"), pen.colour("black"), pen.colour("silver")
    waist = pen.rng.uniform(0.3, 0.36)
    pen.disc(0, 0.55, 0.46, 0.4, wood)
    pen.disc(0, 0.05, waist, 0.3, wood)
    pen.disc(0, 0.22, 0.14, 0.14, dark)
    pen.box(-0.06, -0.8, 0.06, 0.12, dark)
    pen.box(-0.11, -1.0, 0.11, -0.78, wood)
    pen.box(-0.18, 0.6, 0.18, 0.67, dark)
    for x in (-0.03, 0.03):
        pen.line([(x, -0.9), (x, 0.62)], 0.012, string)


def _fiddle(pen: Pen, width: float, top: float) -> None:
    """Body with waist and f-holes, fingerboard and scroll, of the violin's family."""
    wood, dark, string = pen.colour("wood"), pen.colour("black"), pen.colour("silver")
    height = 0.75 - top
    pen.disc(0, 0.75 - 0.26 * height, width, 0.28 * height, wood)
    pen.disc(0, top + 0.24 * height, 0.82 * width, 0.25 * height, wood)
    pen.box(-0.55 * width, top + 0.2 * height, 0.55 * width, 0.6, wood)
    middle = top + 0.55 * height
    for side in (-1, 1):
        x = 0.42 * side * width
        pen.line([(x, middle - 0.12), (1.2 * x, middle + 0.1)], 0.035, dark)
    pen.shape([(-0.035, -0.85), (0.035, -0.85), (0.06, middle - 0.1), (-0.06, middle - 0.1)], dark)
    pen.shape([(-0.05, 0.45), (0.05, 0.45), (0.03, 0.74), (-0.03, 0.74)], dark)
    pen.disc(0, -0.9, 0.07, 0.09, wood)
    pen.line([(0, -0.85), (0, 0.5)], 0.012, string)


def _bow(pen: Pen, start: tuple[float, float], end: tuple[float, float]) -> None:
    (left, top), (right, bottom) = start, end
    pen.line([(left, top - 0.05), (right, bottom - 0.05)], 0.03, pen.colour("wood", "black"))
    pen.line([(left, top), (right, bottom)], 0.02, pen.colour("pale"))


def _cello(pen: Pen) -> None:
    pen.line([(0, 0.7), (0, 1.0)], 0.03, pen.colour("silver"))
    _fiddle(pen, width=pen.rng.uniform(0.44, 0.5), top=-0.4)
    _bow(pen, (-0.75, pen.rng.uniform(0.15, 0.3)), (0.85, pen.rng.uniform(0.15, 0.4)))


def _violin(pen: Pen) -> None:
    _fiddle(pen, width=pen.rng.uniform(0.28, 0.33), top=-0.12)
    pen.disc(-0.14, 0.68, 0.14, 0.09, pen.colour("black"))
    tilt = pen.rng.uniform(-0.5, 0.5)
    _bow(pen, (-0.9, 0.2 + tilt), (0.9, 0.2 - tilt))


def _clarinet(pen: Pen) -> None:
    black, silver = pen.colour("black"), pen.colour("silver")
    pen.shape([(-0.02, -1.0), (0.04, -1.0), (0.06, -0.75), (-0.06, -0.75)], black)
    pen.box(-0.07, -0.75, 0.07, 0.72, black)
    pen.shape([(-0.07, 0.68), (0.07, 0.68), (0.2, 1.0), (-0.2, 1.0)], black)
    for y in (-0.75, -0.45, 0.1, 0.68):
        pen.box(-0.085, y - 0.02, 0.085, y + 0.02, silver)
    for y in (-0.3, -0.18, -0.06, 0.25, 0.37, 0.49):
        pen.disc(0, y, 0.04, 0.04, silver)
    pen.line([(0.1, -0.3), (0.1, 0.55)], 0.025, silver)


def _flute(pen: Pen) -> None:
    silver, bright, dark = pen.colour("silver"), pen.colour("pale"), pen.colour("black")
    pen.box(-0.05, -1.0, 0.05, 1.0, silver)
    pen.disc(0, -0.7, 0.1, 0.09, bright)
    pen.disc(0, -0.7, 0.03, 0.03, dark)
    for y in np.linspace(-0.25, 0.85, 9):
        pen.disc(0, y, 0.07, 0.05, dark)
        pen.disc(0, y, 0.055, 0.038, bright)


def _erhu(pen: Pen) -> None:
    wood, skin, string = pen.colour("wood", "black"), pen.colour("pale"), pen.colour("silver")
    pen.line([(0, -0.95), (0, 0.7)], 0.05, wood)
    pen.line([(0, -0.95), (0.1, -1.0)], 0.06, wood)
    for y in (-0.8, -0.6):
        pen.line([(-0.02, y), (0.26, y)], 0.05, wood)
    corners = [(np.cos(angle), np.sin(angle)) for angle in np.arange(6) * np.pi / 3]
    pen.shape([(0.25 * x, 0.68 + 0.25 * y) for x, y in corners], wood)
    pen.disc(0, 0.68, 0.16, 0.16, skin)
    for x in (-0.03, 0.03):
        pen.line([(x, -0.6), (x, 0.65)], 0.012, string)
    height = pen.rng.uniform(0.25, 0.4)
    _bow(pen, (-0.15, height), (0.95, height + pen.rng.uniform(-0.3, 0.2)))


def _saxophone(pen: Pen) -> None:
    brass, dark = pen.colour("brass", "brass", "silver"), pen.colour("black")
    tube = [(-0.45, -0.8), (-0.2, -0.92), (-0.08, -0.8), (-0.05, 0.5), (0.05, 0.75)]
    tube += [(0.25, 0.8), (0.4, 0.6), (0.45, 0.1)]
    places = np.linspace(0, len(tube) - 1, 90)
    path = [np.interp(places, range(len(tube)), axis) for axis in zip(*tube, strict=True)]
    for x, y, radius in zip(*path, np.linspace(0.035, 0.15, 90), strict=True):
        pen.disc(x, y, radius, radius, brass)
    pen.shape([(0.3, 0.15), (0.6, 0.15), (0.78, -0.2), (0.15, -0.2)], brass)
    pen.disc(0.465, -0.2, 0.31, 0.06, dark)
    pen.line([(-0.65, -0.72), (-0.42, -0.82)], 0.09, dark)
    for y in np.linspace(-0.5, 0.45, 6):
        pen.disc(-0.02, y, 0.06, 0.05, pen.colour("pale"))


def _trumpet(pen: Pen) -> None:
    brass, dark, bright = pen.colour("brass", "brass", "silver"), (40, 30, 20), pen.colour("pale")
    pen.line([(-0.95, -0.1), (0.5, -0.1)], 0.07, brass)
    pen.line([(-0.45, 0.22), (0.3, 0.22)], 0.07, brass)
    pen.ring(-0.45, 0.06, 0.17, 0.19, 0.07, brass)
    pen.ring(0.3, 0.06, 0.17, 0.19, 0.07, brass)
    pen.shape(
        [(0.4, -0.14), (0.7, -0.2), (0.95, -0.42), (0.95, 0.22), (0.7, 0.0), (0.4, -0.06)], brass
    )
    pen.disc(0.95, -0.1, 0.05, 0.32, dark)
    for x in (-0.22, -0.06, 0.1):
        pen.box(x - 0.06, -0.2, x + 0.06, 0.38, brass)
        pen.line([(x, -0.33), (x, -0.2)], 0.03, bright)
        pen.disc(x, -0.35, 0.06, 0.03, bright)
    pen.disc(-0.95, -0.1, 0.04, 0.08, bright)


def _tuba(pen: Pen) -> None:
    brass, dark, bright = pen.colour("brass", "brass", "silver"), (40, 30, 20), pen.colour("pale")
    pen.shape(
        [(-0.1, 0.2), (-0.2, -0.4), (-0.6, -0.85), (0.6, -0.85), (0.2, -0.4), (0.1, 0.2)], brass
    )
    pen.disc(0, -0.85, 0.6, 0.12, dark)
    pen.ring(0, 0.35, 0.5, 0.62, 0.2, brass)
    pen.ring(0, 0.4, 0.22, 0.38, 0.1, brass)
    pen.line([(-0.45, 0.1), (-0.75, -0.25)], 0.06, brass)
    for x in (-0.2, 0.0, 0.2):
        pen.box(x - 0.06, 0.15, x + 0.06, 0.6, brass)
        pen.disc(x, 0.13, 0.06, 0.04, bright)


def _xylophone(pen: Pen) -> None:
    bars, dark = int(pen.rng.integers(8, 13)), pen.colour("black", "wood")
    plain, painted = pen.colour("wood"), pen.rng.random() < 0.5
    pen.line([(-0.9, -0.35), (0.9, -0.15)], 0.07, dark)
    pen.line([(-0.9, 0.35), (0.9, 0.15)], 0.07, dark)
    width = 1.8 / bars
    for bar in range(bars):
        left, half = -0.9 + bar * width, 0.55 - 0.3 * bar / bars
        colour = pen.colour("paint") if painted else plain
        pen.box(left, -half, left + 0.75 * width, half, colour)
    stick, head = pen.colour("pale", "wood"), pen.colour("paint", "black")
    for x in pen.rng.uniform(-0.6, 0.6, size=2):
        pen.line([(x, 0.0), (x + 0.35, 0.85)], 0.03, stick)
        pen.disc(x, 0.0, 0.08, 0.08, head)


# Of each instrument, who draws it and the angle at which it is held, in degrees.
PICTURES: dict[str, tuple[Callable[[Pen], None], float]] = {
    "accordion": (_accordion, 0.0),
    "acoustic guitar": (_acoustic_guitar, 60.0),
    "cello": (_cello, 0.0),
    "clarinet": (_clarinet, 20.0),
    "erhu": (_erhu, 0.0),
    "flute": (_flute, 80.0),
    "saxophone": (_saxophone, 0.0),
    "trumpet": (_trumpet, 0.0),
    "tuba": (_tuba, 0.0),
    "violin": (_violin, 70.0),
    "xylophone": (_xylophone, 0.0),
}
