"""A canvas that draws at twice the size. Coordinates are in pixels of the final image."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from hub_ui.demo.build.samples.drawing.palettes import RGB, Palette

WIDTH, HEIGHT = 448, 488
SCALE = 2

Point: TypeAlias = tuple[float, float]
Motif: TypeAlias = Callable[["Sheet"], None]


class Sheet:
    """An image being drawn. `alpha` is from 0 to 1."""

    def __init__(self, palette: Palette, seed: str) -> None:
        self.palette = palette
        self.rng = random.Random(seed)
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), palette.bottom)

    def finished(self) -> Image.Image:
        return self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def ground(self, top: RGB, bottom: RGB, *, slant: float = 0.0) -> None:
        """A gradient over the whole sheet; `slant` in -1 to 1 leans it to the left or right."""
        down = np.linspace(0, 1, HEIGHT * SCALE)[:, None]
        across = np.linspace(-0.5, 0.5, WIDTH * SCALE)[None, :]
        share = np.clip(down + across * slant, 0, 1)[..., None]
        pixels = np.array(top) + (np.array(bottom) - np.array(top)) * share
        self.image.paste(Image.fromarray(pixels.round().astype(np.uint8)))

    def glow(self, x: float, y: float, radius: float, colour: RGB, alpha: float = 0.5) -> None:
        """Light that fades out at `radius`."""
        down = np.arange(HEIGHT * SCALE)[:, None] / SCALE - y
        across = np.arange(WIDTH * SCALE)[None, :] / SCALE - x
        strength = np.clip(1 - np.hypot(down, across) / radius, 0, 1) ** 2 * alpha * 255
        self._stamp(Image.fromarray(strength.astype(np.uint8)), colour)

    def disc(self, x: float, y: float, radius: float, colour: RGB, alpha: float = 1.0) -> None:
        self.oval(x, y, radius, radius, colour, alpha)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: RGB, alpha: float = 1.0) -> None:
        box = [self._at((x - rx, y - ry)), self._at((x + rx, y + ry))]
        self._pen().ellipse(box, fill=self._ink(colour, alpha))

    def ring(self, x: float, y: float, radius: float, width: float, colour: RGB, alpha: float = 1.0) -> None:
        box = [self._at((x - radius, y - radius)), self._at((x + radius, y + radius))]
        self._pen().ellipse(box, outline=self._ink(colour, alpha), width=max(1, round(width * SCALE)))

    def wedge(self, x: float, y: float, radius: float, start: float, end: float, colour: RGB) -> None:
        """A slice of a disc, in degrees clockwise from three o'clock."""
        box = [self._at((x - radius, y - radius)), self._at((x + radius, y + radius))]
        self._pen().pieslice(box, start, end, fill=colour)

    def arc(
        self, x: float, y: float, rx: float, ry: float, start: float, end: float, width: float, colour: RGB
    ) -> None:
        box = [self._at((x - rx, y - ry)), self._at((x + rx, y + ry))]
        self._pen().arc(box, start, end, fill=colour, width=max(1, round(width * SCALE)))

    def box(self, left: float, top: float, right: float, bottom: float, colour: RGB, alpha: float = 1.0) -> None:
        self._pen().rectangle([self._at((left, top)), self._at((right, bottom))], fill=self._ink(colour, alpha))

    def pill(self, left: float, top: float, right: float, bottom: float, radius: float, colour: RGB) -> None:
        corners = [self._at((left, top)), self._at((right, bottom))]
        self._pen().rounded_rectangle(corners, radius * SCALE, fill=colour)

    def polygon(self, points: Iterable[Point], colour: RGB, alpha: float = 1.0) -> None:
        self._pen().polygon([self._at(point) for point in points], fill=self._ink(colour, alpha))

    def line(self, points: Iterable[Point], width: float, colour: RGB, alpha: float = 1.0) -> None:
        path = [self._at(point) for point in points]
        self._pen().line(path, fill=self._ink(colour, alpha), width=max(1, round(width * SCALE)), joint="curve")

    def hill(self, edge: Callable[[float], float], colour: RGB, alpha: float = 1.0) -> None:
        """Everything below `edge(x)`."""
        ridge = [(x, edge(x)) for x in np.linspace(-2, WIDTH + 2, 120)]
        self.polygon([*ridge, (WIDTH + 2, HEIGHT + 2), (-2, HEIGHT + 2)], colour, alpha)

    def soften(self, radius: float) -> None:
        """Blurs what is drawn so far."""
        self.image = self.image.filter(ImageFilter.GaussianBlur(radius * SCALE))

    def _stamp(self, mask: Image.Image, colour: RGB) -> None:
        self.image.paste(Image.new("RGB", self.image.size, colour), mask=mask)

    def _pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image, "RGBA")

    def _at(self, point: Point) -> Point:
        return point[0] * SCALE, point[1] * SCALE

    def _ink(self, colour: RGB, alpha: float) -> tuple[int, int, int, int]:
        return (*colour, round(alpha * 255))


def turned(points: Sequence[Point], centre: Point, degrees: float) -> list[Point]:
    """The points, rotated clockwise about `centre`."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    moved = [(x - centre[0], y - centre[1]) for x, y in points]
    return [(centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in moved]


def leaf(x: float, y: float, length: float, width: float, degrees: float) -> list[Point]:
    """The outline of a leaf whose stem end is at (x, y); 0 degrees points upwards."""
    shares = [i / 16 for i in range(17)]
    right = [(x + math.sin(math.pi * t**0.8) * width / 2, y - t * length) for t in shares]
    left = [(2 * x - px, py) for px, py in reversed(right)]
    return turned([*right, *left], (x, y), degrees)


def swell(height: float, lift: float, waves: float, shift: float) -> Callable[[float], float]:
    """A rolling edge for `Sheet.hill`: `waves` of them across, `lift` pixels high."""
    return lambda x: height - lift * math.sin(x / WIDTH * math.tau * waves + shift)


def ragged(sheet: Sheet, height: float, lift: float, steps: int) -> Callable[[float], float]:
    """A mountain edge for `Sheet.hill`: straight slopes between random peaks."""
    marks = [sheet.rng.uniform(-lift, lift) * (1 if i % 2 else -0.4) for i in range(steps + 2)]
    xs = np.linspace(-4, WIDTH + 4, steps + 2)
    return lambda x: height - float(np.interp(x, xs, marks))
