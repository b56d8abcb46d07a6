"""The fictional people of the character samples. The palette changes only the background."""

import math

from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Sheet, leaf
from hub_ui.demo.build.samples.drawing.palettes import RGB, mix, rgb

SILVER, CHESTNUT, COPPER, GREY = rgb("d5d9e3"), rgb("5a3726"), rgb("a2512c"), rgb("8c8f97")
NAVY, MOSS, FLOUR, SLATE, MIDNIGHT = rgb("26365f"), rgb("55683f"), rgb("f7f1e6"), rgb("56606d"), rgb("222a5c")
BRASS = rgb("e0b04a")
PALE, TAN, BROWN, ROSY = rgb("f5d4bf"), rgb("dba982"), rgb("8c5a3c"), rgb("efbfa4")


def odile(sheet: Sheet) -> None:
    """A harbour pilot: peaked cap, navy coat, a silver braid over her shoulder."""
    _backdrop(sheet)
    sheet.oval(224, 214, 84, 92, SILVER)
    _bust(sheet, PALE, NAVY)
    _face(sheet, PALE)
    sheet.polygon([(150, 214), (152, 168), (176, 178), (166, 236)], SILVER)
    sheet.polygon([(298, 214), (296, 168), (272, 178), (282, 236)], SILVER)
    for i in range(7):
        sheet.oval(304 + 5 * math.sin(i * 1.4), 262 + i * 26, 19 - i, 17, mix(SILVER, sheet.palette.ink, 0.1 * (i % 2)))
    sheet.box(291, 430, 317, 440, sheet.palette.bold)
    sheet.polygon([(138, 176), (152, 112), (224, 88), (296, 112), (310, 176)], NAVY)
    sheet.box(144, 160, 304, 182, FLOUR)
    sheet.oval(224, 188, 92, 17, mix(NAVY, sheet.palette.ink, 0.6))
    sheet.disc(224, 138, 15, BRASS)
    for i in range(3):
        sheet.disc(178, 420 + i * 28, 7, BRASS)


def wren(sheet: Sheet) -> None:
    """A botanist: round glasses, a blunt bob, a sprig in her pocket."""
    _backdrop(sheet)
    sheet.oval(224, 206, 96, 100, CHESTNUT)
    sheet.pill(128, 200, 320, 304, 34, CHESTNUT)
    _bust(sheet, ROSY, MOSS)
    _face(sheet, ROSY)
    sheet.polygon([(146, 212), (150, 150), (224, 112), (298, 150), (302, 212), (292, 184), (156, 184)], CHESTNUT)
    for side in (-1, 1):
        sheet.ring(224 + side * 29, 222, 22, 3.4, BRASS)
    sheet.line([(214, 220), (234, 220)], 3, BRASS)
    for turn in (-34, -6, 22):
        sheet.polygon(leaf(300, 452, 66, 20, turn), mix(sheet.palette.bold, MOSS, 0.25))
    sheet.pill(272, 444, 328, 486, 6, mix(MOSS, sheet.palette.ink, 0.25))


def mira(sheet: Sheet) -> None:
    """A baker: copper curls, an apron, flour on her cheek."""
    _backdrop(sheet)
    for i in range(26):
        angle = math.radians(150 + i * 9.4)
        sheet.disc(224 + math.cos(angle) * 90, 206 + math.sin(angle) * 92, 34, COPPER)
    _bust(sheet, TAN, mix(sheet.palette.mid, FLOUR, 0.15))
    _face(sheet, TAN)
    for i in range(9):
        angle = math.radians(198 + i * 18)
        sheet.disc(224 + math.cos(angle) * 70, 202 + math.sin(angle) * 74, 23, mix(COPPER, BRASS, 0.18))
    sheet.polygon([(172, 408), (276, 408), (298, HEIGHT), (150, HEIGHT)], FLOUR)
    for side in (-1, 1):
        sheet.polygon(
            [(224 + side * 52, 412), (224 + side * 40, 412), (224 + side * 62, 352), (224 + side * 74, 358)], FLOUR
        )
    for x, y, radius in ((262, 262, 7), (272, 254, 4), (256, 272, 3)):
        sheet.disc(x, y, radius, FLOUR, 0.9)


def ivo(sheet: Sheet) -> None:
    """A clockmaker: flat cap, moustache, a loupe on his brow."""
    _backdrop(sheet)
    sheet.oval(224, 214, 80, 84, GREY)
    _bust(sheet, BROWN, SLATE)
    _face(sheet, BROWN)
    for side in (-1, 1):
        sheet.polygon(
            [(224, 252), (224 + side * 22, 250), (224 + side * 42, 266), (224 + side * 18, 268), (224, 262)], GREY
        )
    sheet.polygon([(140, 186), (146, 132), (214, 98), (292, 112), (320, 172), (322, 192)], mix(SLATE, MOSS, 0.4))
    sheet.polygon([(146, 186), (322, 180), (340, 200), (220, 204)], mix(SLATE, sheet.palette.ink, 0.5))
    sheet.ring(176, 168, 17, 6, BRASS)
    sheet.disc(176, 168, 13, mix(sheet.palette.light, SLATE, 0.3))
    sheet.line([(186, 414), (206, 452), (240, 462), (264, 440)], 3, BRASS)
    sheet.disc(268, 438, 13, BRASS)
    sheet.disc(268, 438, 9, FLOUR)


def astronomer(sheet: Sheet) -> None:
    """A court astronomer: a tall hat full of stars, and a beard."""
    _backdrop(sheet)
    sheet.oval(224, 222, 80, 80, FLOUR)
    _bust(sheet, ROSY, MIDNIGHT)
    _face(sheet, ROSY)
    sheet.polygon(
        [(152, 232), (170, 272), (224, 262), (278, 272), (296, 232), (284, 342), (224, 412), (164, 342)], FLOUR
    )
    sheet.oval(224, 272, 22, 8, mix(ROSY, sheet.palette.ink, 0.55))
    sheet.polygon([(142, 188), (232, 4), (306, 188)], MIDNIGHT)
    sheet.oval(224, 190, 100, 22, mix(MIDNIGHT, sheet.palette.ink, 0.35))
    sheet.oval(224, 184, 82, 15, BRASS)
    for x, y, radius in ((206, 152, 7), (246, 140, 5), (226, 96, 8), (236, 54, 4), (266, 162, 4), (186, 170, 4)):
        _star(sheet, x, y, radius)
    for x, y in ((130, 430), (316, 424), (296, 466), (160, 468)):
        _star(sheet, x, y, 6)


def _star(sheet: Sheet, x: float, y: float, radius: float) -> None:
    reaches = [radius * 1.5, radius * 0.6] * 5
    points = [(x + r * math.sin(i * math.pi / 5), y - r * math.cos(i * math.pi / 5)) for i, r in enumerate(reaches)]
    sheet.polygon(points, BRASS)


def _backdrop(sheet: Sheet) -> None:
    """A plain ground with a disc, and now and then something beside it."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom, slant=rng.choice((-0.5, 0.5)))
    sheet.disc(224, 216, 160, mix(p.bottom, p.light, 0.45))
    if rng.random() < 0.6:
        for _ in range(9):
            x = rng.choice((rng.uniform(0, 90), rng.uniform(WIDTH - 90, WIDTH)))
            sheet.polygon(
                leaf(x, HEIGHT, rng.uniform(90, 220), 22, rng.uniform(-22, 22)), mix(p.far, p.mid, rng.random())
            )


def _bust(sheet: Sheet, skin: RGB, coat: RGB) -> None:
    """Shoulders, neck and head in the middle of the sheet."""
    sheet.oval(224, 500, 168, 150, coat)
    sheet.polygon([(190, 270), (258, 270), (270, 372), (224, 404), (178, 372)], mix(skin, sheet.palette.ink, 0.16))
    sheet.polygon([(178, 366), (224, 404), (198, 438)], mix(coat, sheet.palette.light, 0.35))
    sheet.polygon([(270, 366), (224, 404), (250, 438)], mix(coat, sheet.palette.light, 0.35))
    sheet.oval(224, 218, 74, 90, skin)


def _face(sheet: Sheet, skin: RGB) -> None:
    ink, blush = sheet.palette.ink, mix(skin, rgb("d9534f"), 0.4)
    for side in (-1, 1):
        sheet.oval(224 + side * 28, 220, 5.4, 7, ink)
        sheet.arc(224 + side * 28, 210, 15, 12, 205, 335, 3, ink)
        sheet.oval(224 + side * 44, 248, 13, 8, blush, 0.45)
    sheet.line([(224, 224), (219, 246), (227, 248)], 2.4, mix(skin, ink, 0.35))
    sheet.arc(224, 258, 20, 13, 25, 155, 3.4, mix(skin, ink, 0.7))
