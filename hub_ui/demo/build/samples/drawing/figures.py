"""Figures: an astronaut and animals, built from a few flat shapes."""

import math

from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Sheet, leaf, turned
from hub_ui.demo.build.samples.drawing.palettes import RGB, mix


def astronaut(sheet: Sheet) -> None:
    """A round helmet with the horizon in its visor."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.top, p.ink, 0.4), p.mid, slant=0.4)
    for _ in range(70):
        sheet.disc(rng.uniform(0, WIDTH), rng.uniform(0, 420), rng.uniform(0.7, 2), p.light, rng.uniform(0.3, 0.9))
    sheet.disc(rng.choice((70, 380)), 96, 46, p.bold)
    suit = mix(p.light, p.far, 0.18)
    sheet.oval(224, 500, 176, 160, suit)
    sheet.pill(132, 344, 316, 392, 22, mix(suit, p.ink, 0.25))
    sheet.disc(224, 232, 132, suit)
    sheet.disc(224, 238, 106, mix(suit, p.ink, 0.3))
    sheet.disc(224, 238, 97, p.near)
    sheet.wedge(224, 238, 97, 14, 166, mix(p.bold, p.far, 0.4))
    sheet.wedge(224, 238, 97, 38, 142, mix(p.bold, p.ink, 0.35))
    sheet.arc(224, 238, 80, 80, 200, 262, 9, p.light)
    for i, tone in enumerate((p.bold, p.mid, p.light)):
        sheet.pill(176 + i * 36, 424, 200 + i * 36, 440, 6, tone)


def cat(sheet: Sheet) -> None:
    """A cat on a window sill, looking out."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.near, p.ink, 0.25), p.near)
    sheet.pill(70, 44, 378, 404, 10, p.light)
    sheet.box(84, 58, 364, 396, p.bottom)
    sheet.box(84, 58, 364, 210, mix(p.top, p.bottom, 0.45))
    sheet.disc(rng.uniform(150, 300), 140, 38, p.light)
    for i in range(2):
        edge = [(84 + x * 28, 250 + i * 50 + 18 * math.sin(x * 0.9 + i * 2 + rng.uniform(0, 1))) for x in range(11)]
        sheet.polygon([*edge, (364, 396), (84, 396)], mix(p.far, p.mid, i * 0.7))
    sheet.box(220, 58, 228, 396, p.light)
    sheet.box(50, 396, 398, 424, p.light)
    _sitting_cat(sheet, rng.choice((170, 280)), 398, p.ink)
    sheet.polygon(leaf(90, 396, 74, 24, -14), p.bold)


def _sitting_cat(sheet: Sheet, x: float, foot: float, fur: RGB) -> None:
    sheet.oval(x, foot - 62, 52, 66, fur)
    sheet.disc(x, foot - 142, 38, fur)
    for side in (-1, 1):
        sheet.polygon([(x + side * 36, foot - 152), (x + side * 32, foot - 196), (x + side * 4, foot - 172)], fur)
    sheet.arc(x + 56, foot - 40, 48, 40, 20, 170, 15, fur)
    sheet.disc(x + 101, foot - 26, 7.5, fur)


def moth(sheet: Sheet) -> None:
    """A moth with patterned wings, pinned in the middle."""
    p = sheet.palette
    sheet.ground(p.bottom, mix(p.bottom, p.top, 0.6), slant=0.3)
    sheet.disc(224, 236, 176, mix(p.bottom, p.light, 0.5))
    for side in (-1, 1):
        _wing(sheet, side, 112, 196, 118, p.near)
        _wing(sheet, side, 128, 138, 100, mix(p.mid, p.near, 0.3), low=True)
    sheet.oval(224, 262, 15, 82, p.ink)
    sheet.oval(224, 192, 20, 26, mix(p.ink, p.bold, 0.35))
    for side in (-1, 1):
        sheet.arc(224 + side * 32, 172, 32, 62, 180 if side > 0 else 270, 270 if side > 0 else 360, 3.4, p.ink)


def _wing(sheet: Sheet, side: int, spread: float, length: float, width: float, tone: RGB, *, low: bool = False) -> None:
    p = sheet.palette
    angle, y = (side * spread, 262) if low else (side * 58, 226)
    for share, colour in ((1.0, tone), (0.86, p.bold if low else p.mid), (0.7, tone)):
        shape = leaf(224 + side * 8, y, length * share, width * share, 0)
        sheet.polygon(turned(shape, (224 + side * 8, y), angle), colour)
    ((x, at),) = turned([(224 + side * 8, y - length * 0.5)], (224 + side * 8, y), angle)
    sheet.disc(x, at, 17, p.light)
    sheet.disc(x, at, 10, p.bold)
    sheet.disc(x, at, 4, p.ink)


def heron(sheet: Sheet) -> None:
    """A wading bird in reeds."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    sheet.disc(rng.choice((110, 340)), 150, 64, p.light, 0.85)
    sheet.box(0, 372, WIDTH, HEIGHT, mix(p.far, p.mid, 0.5))
    for i in range(5):
        sheet.oval(226, 420 + i * 6, 96 - i * 4, 7, p.light, 0.14)
    body = mix(p.near, p.far, 0.25)
    for x in (214.0, 236.0):
        sheet.line([(x, 300), (x + 6, 360), (x, 430)], 4, p.ink)
    sheet.polygon(turned(leaf(290, 330, 180, 92, 0), (290, 330), -62), body)
    sheet.polygon(turned(leaf(292, 318, 140, 46, 0), (292, 318), -66), p.near)
    neck = [(166, 256), (140, 226), (160, 190), (190, 166), (180, 134)]
    sheet.line(neck, 19, body)
    sheet.oval(176, 126, 24, 18, body)
    sheet.polygon([(158, 116), (84, 134), (158, 138)], p.bold)
    sheet.line([(190, 116), (232, 132)], 4, p.ink)
    sheet.disc(170, 122, 3.4, p.light)
    for _ in range(20):
        x = rng.choice((rng.uniform(-10, 110), rng.uniform(330, 460)))
        sheet.polygon(
            leaf(x, HEIGHT + 4, rng.uniform(120, 300), 13, rng.uniform(-14, 14)), mix(p.near, p.ink, rng.random())
        )


def fox(sheet: Sheet) -> None:
    """A fox's head in bold planes."""
    p = sheet.palette
    sheet.ground(p.top, p.bottom, slant=-0.4)
    sheet.disc(224, 244, 178, mix(p.top, p.light, 0.35))
    fur, dark = p.bold, mix(p.bold, p.ink, 0.4)
    sheet.oval(224, 520, 150, 140, dark)
    for side in (-1, 1):
        sheet.polygon([(224 + side * 44, 168), (224 + side * 122, 74), (224 + side * 128, 226)], fur)
        sheet.polygon([(224 + side * 74, 160), (224 + side * 112, 104), (224 + side * 116, 190)], p.ink)
        sheet.polygon(
            [(224, 150), (224 + side * 128, 212), (224 + side * 150, 286), (224, 400)],
            fur if side < 0 else mix(fur, p.ink, 0.12),
        )
        sheet.polygon([(224, 306), (224 + side * 62, 262), (224 + side * 150, 286), (224, 400)], p.light)
        sheet.polygon([(224 + side * 46, 242), (224 + side * 84, 232), (224 + side * 64, 256)], p.ink)
    sheet.polygon([(224, 214), (252, 340), (224, 392), (196, 340)], mix(fur, p.light, 0.18))
    sheet.polygon([(204, 366), (244, 366), (224, 394)], p.ink)
