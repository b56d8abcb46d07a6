"""A dozen small things, one at a time on a shelf."""

import math

from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Point, Sheet, leaf
from hub_ui.demo.build.samples.drawing.palettes import RGB, mix, rgb

BRASS, GLASS, CORK = rgb("e0b04a"), rgb("dcebf0"), rgb("b98a5a")
FLOOR = 392


def _shelf(sheet: Sheet) -> RGB:
    """The wall, the board and the shadow on it. Returns the shade for the thing's dark side."""
    p = sheet.palette
    sheet.ground(p.top, mix(p.bottom, p.light, 0.25), slant=0.3)
    sheet.disc(224, 236, 150, p.light, 0.35)
    sheet.box(0, FLOOR, WIDTH, HEIGHT, p.near)
    sheet.box(0, FLOOR, WIDTH, FLOOR + 12, mix(p.near, p.light, 0.25))
    sheet.oval(236, FLOOR + 3, 128, 11, p.ink, 0.3)
    return mix(p.bold, p.ink, 0.28)


def teapot(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.ring(338, 300, 50, 16, shade)
    sheet.polygon([(130, 330), (70, 236), (96, 226), (166, 292)], shade)
    sheet.oval(232, 308, 110, 84, p.bold)
    sheet.oval(232, 232, 54, 14, shade)
    sheet.oval(232, 226, 46, 14, p.bold)
    sheet.disc(232, 206, 14, p.light)
    sheet.arc(232, 308, 82, 58, 195, 250, 8, p.light)


def key(sheet: Sheet) -> None:
    _shelf(sheet)
    dark = mix(BRASS, sheet.palette.ink, 0.35)
    for x, tone in ((6, dark), (0, BRASS)):
        sheet.ring(224 + x, 158, 58, 20, tone)
        sheet.box(215 + x, 212, 233 + x, 388, tone)
        sheet.box(233 + x, 326, 268 + x, 342, tone)
        sheet.box(233 + x, 358, 284 + x, 376, tone)
    sheet.disc(224, 158, 9, sheet.palette.bold)


def boat(sheet: Sheet) -> None:
    p = sheet.palette
    _shelf(sheet)
    fold, paper = mix(p.light, p.ink, 0.14), p.light
    sheet.polygon([(224, 150), (150, 312), (298, 312)], fold)
    sheet.polygon([(224, 150), (224, 312), (298, 312)], mix(fold, p.ink, 0.1))
    sheet.polygon([(84, 292), (224, 340), (364, 292), (306, 390), (142, 390)], paper)
    sheet.polygon([(224, 340), (364, 292), (306, 390), (224, 390)], fold)
    sheet.line([(84, 292), (224, 340), (364, 292)], 2, mix(fold, p.ink, 0.25))


def globe(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.disc(224, 238, 122, GLASS)
    sheet.wedge(224, 238, 116, 20, 160, p.light)
    for x, size in ((190, 78), (256, 104)):
        for i in range(3):
            top = 284 - size + i * size * 0.25
            reach = size * (0.18 + i * 0.08)
            sheet.polygon([(x, top), (x + reach, top + size * 0.4), (x - reach, top + size * 0.4)], p.near)
    for _ in range(34):
        angle, reach = sheet.rng.uniform(0, math.tau), 106 * math.sqrt(sheet.rng.random())
        sheet.disc(224 + reach * math.cos(angle), 232 + reach * math.sin(angle), sheet.rng.uniform(2, 4), p.light)
    sheet.arc(224, 238, 98, 98, 200, 250, 8, p.light)
    sheet.polygon([(140, 336), (308, 336), (336, 390), (112, 390)], p.bold)
    sheet.box(112, 376, 336, 390, shade)


def matches(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    for i in range(6):
        x = 136 + i * 32
        sheet.line([(x, 300), (x + (i - 2.5) * 14, 158 + (i % 2) * 18)], 9, mix(CORK, p.light, 0.5))
        sheet.disc(x + (i - 2.5) * 14, 154 + (i % 2) * 18, 11, p.bold)
    sheet.box(108, 268, 340, 390, mix(p.bold, p.light, 0.1))
    sheet.box(108, 268, 340, 290, shade)
    sheet.box(108, 376, 340, 390, p.ink)
    sheet.disc(224, 332, 34, p.light)
    sheet.polygon(leaf(224, 356, 50, 26, 0), p.bold)


def sock(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.pill(164, 120, 258, 372, 30, p.bold)
    sheet.pill(164, 300, 348, 390, 44, p.bold)
    sheet.pill(300, 300, 348, 390, 34, p.light)
    sheet.wedge(196, 352, 40, 90, 190, p.light)
    for i in range(4):
        sheet.box(164, 186 + i * 30, 258, 198 + i * 30, p.light if i % 2 else shade)
    sheet.pill(156, 112, 266, 164, 12, p.light)
    for i in range(9):
        sheet.line([(166 + i * 11, 118), (166 + i * 11, 158)], 2, mix(p.light, p.ink, 0.2))


def watch(sheet: Sheet) -> None:
    p = sheet.palette
    _shelf(sheet)
    links: list[Point] = [(224 + i * 12, 118 - 40 * math.sin(i / 11 * math.pi)) for i in range(12)]
    for x, y in links:
        sheet.ring(x, y, 8, 3, BRASS)
    sheet.box(214, 124, 234, 152, mix(BRASS, p.ink, 0.3))
    sheet.disc(230, 268, 124, mix(BRASS, p.ink, 0.35))
    sheet.disc(224, 264, 122, BRASS)
    sheet.disc(224, 264, 100, p.light)
    for hour in range(12):
        angle = math.radians(hour * 30)
        sheet.disc(224 + 84 * math.cos(angle), 264 + 84 * math.sin(angle), 6 if hour % 3 == 0 else 3, p.ink)
    sheet.line([(224, 264), (224, 204)], 6, p.ink)
    sheet.line([(224, 264), (276, 290)], 6, p.ink)
    sheet.disc(224, 264, 8, p.bold)


def jar(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.pill(126, 170, 322, 390, 40, GLASS)
    sheet.pill(138, 214, 310, 382, 32, p.bold)
    for _ in range(16):
        sheet.disc(sheet.rng.uniform(158, 290), sheet.rng.uniform(232, 366), sheet.rng.uniform(7, 15), shade, 0.55)
    sheet.pill(150, 262, 298, 336, 8, p.light)
    sheet.polygon(leaf(224, 330, 58, 34, 0), p.mid)
    sheet.pill(120, 130, 328, 178, 12, p.near)
    sheet.pill(112, 166, 336, 190, 10, mix(p.near, p.light, 0.3))
    sheet.line([(148, 206), (148, 350)], 7, p.light, 0.7)


def tram(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.line([(196, 176), (236, 120), (288, 120)], 5, p.ink)
    sheet.pill(70, 176, 378, 196, 8, p.ink)
    sheet.pill(80, 190, 368, 368, 18, p.light)
    sheet.box(80, 284, 368, 352, p.bold)
    sheet.box(80, 344, 368, 358, shade)
    for i in range(4):
        sheet.pill(98 + i * 66, 212, 154 + i * 66, 268, 8, mix(GLASS, p.mid, 0.3))
    for x in (132, 316):
        sheet.disc(x, 368, 22, p.ink)
        sheet.disc(x, 368, 9, BRASS)
    sheet.disc(352, 316, 10, BRASS)


def pen(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.pill(206, 96, 246, 306, 16, p.bold)
    sheet.pill(230, 96, 246, 306, 8, shade)
    sheet.box(206, 168, 246, 178, BRASS)
    sheet.line([(252, 118), (252, 198)], 7, BRASS)
    sheet.polygon([(208, 306), (244, 306), (238, 340), (214, 340)], p.ink)
    sheet.polygon([(214, 340), (238, 340), (226, 390)], BRASS)
    sheet.line([(226, 352), (226, 386)], 2, p.ink)
    curl: list[Point] = [(226 + i * 5, 402 + 12 * math.sin(i / 3.4)) for i in range(32)]
    sheet.line(curl, 4, p.ink)


def shell(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    for i in range(9):
        angle = 200 + i * 15.5
        x, y = 224 + 158 * math.cos(math.radians(angle)), 362 + 190 * math.sin(math.radians(angle))
        side, tone = 24, (p.bold if i % 2 else mix(p.bold, p.light, 0.5))
        sheet.polygon([(206, 372), (242, 372), (x + side, y), (x - side, y)], tone)
        sheet.disc(x, y, side, tone)
    sheet.polygon([(176, 392), (272, 392), (252, 352), (196, 352)], shade)
    for i in range(5):
        sheet.arc(224, 368, 40 + i * 26, 44 + i * 30, 205, 335, 2, shade)


def candle(sheet: Sheet) -> None:
    p, shade = sheet.palette, _shelf(sheet)
    sheet.glow(224, 176, 190, p.light, 0.85)
    sheet.oval(224, 384, 112, 18, shade)
    sheet.oval(224, 376, 112, 16, p.bold)
    sheet.ring(350, 372, 26, 8, shade)
    wax = mix(p.light, rgb("f0dcb4"), 0.5)
    sheet.box(176, 244, 272, 372, wax)
    sheet.oval(224, 372, 48, 12, wax)
    sheet.oval(224, 244, 48, 13, mix(wax, p.ink, 0.12))
    for x, length in ((184, 52), (206, 30), (262, 66)):
        sheet.pill(x - 9, 242, x + 9, 242 + length, 9, mix(wax, p.light, 0.6))
    sheet.line([(224, 244), (226, 214)], 4, p.ink)
    sheet.polygon(leaf(225, 222, 92, 50, 0), rgb("f6a02d"))
    sheet.polygon(leaf(225, 218, 56, 28, 0), rgb("fff0b8"))
