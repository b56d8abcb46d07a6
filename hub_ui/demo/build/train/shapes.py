"""How each thing is drawn: one short function a thing, in coordinates from -1 to 1 around its centre."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from PIL import ImageDraw

from hub_ui.demo.build.train.vocabulary import RGB

DARK: RGB = (34, 34, 44)
LIGHT: RGB = (246, 246, 250)
WOOD: RGB = (122, 78, 44)
GLASS: RGB = (190, 226, 246)
METAL: RGB = (150, 158, 172)

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Draws in a thing's own coordinates: x to the right, y downwards, the thing within -1 to 1."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    radius: float
    colour: RGB

    @property
    def detail(self) -> RGB:
        """For marks on the thing itself: dark, or light where the thing is dark."""
        return LIGHT if sum(self.colour) < 200 else DARK

    def oval(self, x: float, y: float, rx: float, ry: float, fill: RGB) -> None:
        self.draw.ellipse([self._at(x - rx, y - ry), self._at(x + rx, y + ry)], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: RGB) -> None:
        self.draw.rectangle([self._at(left, top), self._at(right, bottom)], fill=fill)

    def polygon(self, points: Sequence[Point], fill: RGB) -> None:
        self.draw.polygon([self._at(x, y) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], width: float, fill: RGB) -> None:
        self.draw.line([self._at(x, y) for x, y in points], fill=fill, width=self._pixels(width), joint="curve")

    def smile(self, x: float, y: float, rx: float, ry: float, width: float, fill: RGB) -> None:
        box = [self._at(x - rx, y - ry), self._at(x + rx, y + ry)]
        self.draw.arc(box, 20, 160, fill=fill, width=self._pixels(width))

    def eye(self, x: float, y: float, size: float) -> None:
        self.oval(x, y, size, size, LIGHT)
        self.oval(x, y, size * 0.55, size * 0.55, DARK)

    def hollow_oval(self, rx: float, ry: float, width: float) -> None:
        self.draw.ellipse([self._at(-rx, -ry), self._at(rx, ry)], outline=self.colour, width=self._pixels(width))

    def _at(self, x: float, y: float) -> Point:
        return self.x + x * self.radius, self.y + y * self.radius

    def _pixels(self, width: float) -> int:
        return max(1, round(width * self.radius))


def circle(pen: Pen) -> None:
    pen.oval(0, 0, 0.95, 0.95, pen.colour)


def square(pen: Pen) -> None:
    pen.box(-0.86, -0.86, 0.86, 0.86, pen.colour)


def triangle(pen: Pen) -> None:
    pen.polygon([(0, -0.95), (1, 0.85), (-1, 0.85)], pen.colour)


def star(pen: Pen) -> None:
    radii = [1.0, 0.42] * 5
    points = [(r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate(radii)]
    pen.polygon(points, pen.colour)


def ring(pen: Pen) -> None:
    pen.hollow_oval(0.95, 0.95, 0.32)


def heart(pen: Pen) -> None:
    curve = [math.tau * i / 60 for i in range(60)]
    points = [(math.sin(t) ** 3, -_heart_height(t) / 17) for t in curve]
    pen.polygon(points, pen.colour)


def _heart_height(t: float) -> float:
    return 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)


def face(pen: Pen) -> None:
    pen.oval(0, 0, 0.95, 0.95, pen.colour)
    pen.eye(-0.36, -0.24, 0.22)
    pen.eye(0.36, -0.24, 0.22)
    pen.smile(0, 0.12, 0.52, 0.46, 0.14, pen.detail)


def house(pen: Pen) -> None:
    pen.box(-0.74, -0.1, 0.74, 0.92, pen.colour)
    pen.polygon([(0, -0.98), (1, -0.1), (-1, -0.1)], WOOD)
    pen.box(-0.5, 0.34, -0.04, 0.92, pen.detail)
    pen.box(0.16, 0.16, 0.54, 0.52, GLASS)


def tree(pen: Pen) -> None:
    pen.box(-0.16, 0.2, 0.16, 0.98, WOOD)
    pen.oval(-0.42, 0.02, 0.46, 0.44, pen.colour)
    pen.oval(0.42, 0.02, 0.46, 0.44, pen.colour)
    pen.oval(0, -0.44, 0.56, 0.54, pen.colour)


def cat(pen: Pen) -> None:
    pen.polygon([(-0.82, -0.96), (-0.12, -0.5), (-0.78, 0.2)], pen.colour)
    pen.polygon([(0.82, -0.96), (0.12, -0.5), (0.78, 0.2)], pen.colour)
    pen.oval(0, 0.18, 0.84, 0.76, pen.colour)
    pen.eye(-0.36, 0.0, 0.24)
    pen.eye(0.36, 0.0, 0.24)
    pen.polygon([(-0.16, 0.3), (0.16, 0.3), (0, 0.48)], pen.detail)
    for side in (-1, 1):
        pen.line([(side * 0.34, 0.46), (side * 1.0, 0.36)], 0.09, pen.detail)
        pen.line([(side * 0.34, 0.6), (side * 1.0, 0.7)], 0.09, pen.detail)


def fish(pen: Pen) -> None:
    pen.polygon([(0.4, 0), (1, -0.56), (1, 0.56)], pen.colour)
    pen.oval(-0.24, 0, 0.76, 0.54, pen.colour)
    pen.eye(-0.6, -0.12, 0.16)
    pen.polygon([(-0.14, -0.06), (0.22, -0.3), (0.22, 0.3)], pen.detail)


def car(pen: Pen) -> None:
    pen.polygon([(-0.6, 0), (-0.36, -0.5), (0.34, -0.5), (0.64, 0)], pen.colour)
    pen.polygon([(-0.42, -0.02), (-0.26, -0.36), (-0.04, -0.36), (-0.04, -0.02)], GLASS)
    pen.polygon([(0.06, -0.02), (0.06, -0.36), (0.26, -0.36), (0.46, -0.02)], GLASS)
    pen.box(-1, -0.02, 1, 0.42, pen.colour)
    for x in (-0.54, 0.54):
        pen.oval(x, 0.42, 0.28, 0.28, DARK)
        pen.oval(x, 0.42, 0.13, 0.13, METAL)


def flower(pen: Pen) -> None:
    pen.box(-0.07, 0.1, 0.07, 1, (40, 130, 60))
    pen.polygon([(0, 0.86), (0.5, 0.56), (0.42, 0.84)], (40, 130, 60))
    for i in range(6):
        angle = math.tau * i / 6
        pen.oval(0.42 * math.sin(angle), -0.3 - 0.42 * math.cos(angle), 0.27, 0.27, pen.colour)
    pen.oval(0, -0.3, 0.25, 0.25, (250, 190, 60) if pen.colour[1] < 130 or pen.colour[2] > 200 else (120, 70, 40))


def robot(pen: Pen) -> None:
    """A character the base never sees: a boxy head with an antenna and a grille."""
    pen.line([(0, -0.5), (0, -0.86)], 0.1, METAL)
    pen.oval(0, -0.86, 0.14, 0.14, (240, 60, 60))
    pen.box(-1, -0.12, -0.7, 0.36, METAL)
    pen.box(0.7, -0.12, 1, 0.36, METAL)
    pen.box(-0.78, -0.56, 0.78, 0.92, METAL)
    pen.box(-0.62, -0.4, 0.62, 0.16, pen.colour)
    pen.box(-0.44, -0.26, -0.12, 0.04, LIGHT)
    pen.box(0.12, -0.26, 0.44, 0.04, LIGHT)
    pen.box(-0.5, 0.36, 0.5, 0.74, DARK)
    for x in (-0.26, 0.12):
        pen.box(x, 0.36, x + 0.14, 0.74, LIGHT)


def monster(pen: Pen) -> None:
    """A character the base never sees: one eye, two horns, teeth and stumpy legs."""
    for side in (-1, 1):
        pen.polygon([(side * 0.28, -0.5), (side * 0.76, -0.3), (side * 0.84, -0.98)], LIGHT)
        pen.box(side * 0.4 - 0.16, 0.6, side * 0.4 + 0.16, 0.98, pen.colour)
    pen.oval(0, 0.1, 0.86, 0.74, pen.colour)
    pen.oval(0, -0.1, 0.36, 0.36, LIGHT)
    pen.oval(0, -0.1, 0.18, 0.18, DARK)
    pen.oval(0, 0.5, 0.46, 0.18, DARK)
    for x in (-0.24, 0, 0.24):
        pen.polygon([(x - 0.1, 0.36), (x + 0.1, 0.36), (x, 0.56)], LIGHT)


def top_hat(pen: Pen) -> None:
    """Worn by a thing: it sits on top of the thing's circle."""
    pen.box(-0.44, -1.24, 0.44, -0.62, DARK)
    pen.box(-0.44, -0.84, 0.44, -0.68, (216, 44, 60))
    pen.box(-0.76, -0.68, 0.76, -0.52, DARK)


PAINTERS: dict[str, Callable[[Pen], None]] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "star": star,
    "ring": ring,
    "heart": heart,
    "face": face,
    "house": house,
    "tree": tree,
    "cat": cat,
    "fish": fish,
    "car": car,
    "flower": flower,
    "robot": robot,
    "monster": monster,
    "top hat": top_hat,
}
