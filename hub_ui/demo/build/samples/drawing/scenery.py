"""Places: dunes, mountains, forests, shores, towns, skies and ponds."""

import math

from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Sheet, leaf, ragged, swell, turned
from hub_ui.demo.build.samples.drawing.palettes import mix


def _moon(sheet: Sheet, x: float, y: float, radius: float) -> None:
    sheet.glow(x, y, radius * 3.2, sheet.palette.light, 0.45)
    sheet.disc(x, y, radius, sheet.palette.light)


def dunes(sheet: Sheet) -> None:
    """Long soft waves of land under a low sun."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom, slant=0.3)
    _moon(sheet, rng.uniform(110, 340), rng.uniform(110, 190), rng.uniform(38, 58))
    for i in range(5):
        tone = mix(mix(p.far, p.bottom, 0.35), p.near, i / 4)
        edge = swell(270 + i * 46, rng.uniform(16, 34), rng.uniform(0.6, 1.3), rng.uniform(0, 6))
        sheet.hill(edge, tone)
        sheet.hill(lambda x, edge=edge, i=i: edge(x) + 15 + i * 5, mix(tone, p.ink, 0.06))  # type: ignore[misc]


def ridges(sheet: Sheet) -> None:
    """Mountains one behind the other, with mist between them."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    _moon(sheet, rng.uniform(90, 360), rng.uniform(80, 140), rng.uniform(26, 44))
    for i in range(5):
        tone = mix(mix(p.far, p.bottom, 0.5), p.near, i / 4)
        sheet.hill(ragged(sheet, 220 + i * 62, 64 - i * 7, 5 + i), tone)
        sheet.glow(WIDTH / 2, 330 + i * 62, 260, p.bottom, 0.22)
    for x in range(-10, WIDTH + 20, 17):
        _pine(sheet, x + rng.uniform(-5, 5), HEIGHT + 8, rng.uniform(34, 78))


def _pine(sheet: Sheet, x: float, foot: float, height: float) -> None:
    tone = mix(sheet.palette.near, sheet.palette.ink, 0.6)
    for i in range(4):
        top, reach = foot - height + i * height * 0.2, height * (0.11 + i * 0.055)
        sheet.polygon([(x, top), (x + reach, top + height * 0.34), (x - reach, top + height * 0.34)], tone)


def forest(sheet: Sheet) -> None:
    """Trunks in fog, darker the nearer they stand."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.top, p.bottom, 0.5), p.bottom)
    sheet.glow(rng.uniform(120, 330), 150, 300, p.light, 0.75)
    for i in range(4):
        tone = mix(mix(p.far, p.bottom, 0.45), p.near, i / 3)
        for _ in range(9 - i * 2):
            _trunk(sheet, rng.uniform(-10, WIDTH + 10), 6 + i * 7, 440 + i * 20, tone)
        sheet.hill(swell(400 + i * 24, 12, rng.uniform(0.8, 1.6), rng.uniform(0, 6)), tone)
    for _ in range(26):
        x, turn = rng.uniform(0, WIDTH), rng.uniform(-40, 40)
        sheet.polygon(leaf(x, HEIGHT + 6, rng.uniform(30, 70), 12, turn), mix(p.ink, p.near, rng.uniform(0, 0.4)))


def _trunk(sheet: Sheet, x: float, width: float, foot: float, tone: tuple[int, int, int]) -> None:
    lean = sheet.rng.uniform(-14, 14)
    spread = width * 0.75
    sheet.polygon(
        [(x + lean - width / 2, -4), (x + lean + width / 2, -4), (x + spread, foot), (x - spread, foot)], tone
    )
    for _ in range(2):
        at = sheet.rng.uniform(60, 260)
        side = sheet.rng.choice((-1, 1))
        sheet.line([(x + lean * 0.6, at), (x + side * (width + 34), at - 46)], width / 4, tone)


def shore(sheet: Sheet) -> None:
    """A lighthouse on its rock, and its beam."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    x, side = rng.choice(((130, 1), (310, -1)))
    sheet.polygon([(x, 138), (x + side * 480, 40), (x + side * 480, 210)], p.light, 0.28)
    _moon(sheet, x + side * 170, 92, 24)
    sheet.box(0, 352, WIDTH, HEIGHT, p.mid)
    sheet.polygon([(x - 19, 160), (x + 19, 160), (x + 30, 372), (x - 30, 372)], p.light)
    for i in range(3):
        y, half = 190 + i * 64, 20.7 + i * 3.3
        sheet.polygon([(x - half, y), (x + half, y), (x + half + 1.7, y + 32), (x - half - 1.7, y + 32)], p.bold)
    sheet.box(x - 24, 154, x + 24, 162, p.ink)
    sheet.box(x - 13, 122, x + 13, 154, mix(p.light, p.bold, 0.25))
    sheet.polygon([(x, 94), (x + 20, 123), (x - 20, 123)], p.ink)
    sheet.hill(lambda at: 372 + abs(at - x) ** 1.5 * 0.055, p.near)
    for i in range(4):
        sheet.hill(swell(414 + i * 22, 5, 3.5, rng.uniform(0, 6)), mix(p.mid, p.ink, 0.2 + i * 0.2))


def town(sheet: Sheet) -> None:
    """Gabled houses along a street, some windows lit."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    _moon(sheet, rng.uniform(80, 370), 84, 30)
    for row in range(3):
        x, tone = -30.0, mix(mix(p.far, p.bottom, 0.3), p.near, row / 2)
        while x < WIDTH:
            width = rng.uniform(58, 92)
            _house(sheet, x, width, 190 + row * 86 + rng.uniform(-26, 26), tone)
            x += width + rng.choice((0.0, 0.0, 7.0))
    sheet.box(0, HEIGHT - 26, WIDTH, HEIGHT, p.ink)


def _house(sheet: Sheet, x: float, width: float, eaves: float, tone: tuple[int, int, int]) -> None:
    p, rng = sheet.palette, sheet.rng
    shade = mix(tone, rng.choice((p.bold, p.ink, p.light)), rng.uniform(0.04, 0.2))
    sheet.box(x, eaves, x + width, HEIGHT, shade)
    sheet.polygon(
        [(x - 5, eaves), (x + width / 2, eaves - width * 0.62), (x + width + 5, eaves)], mix(shade, p.ink, 0.35)
    )
    for row in range(4):
        for column in range(2):
            left, top = x + width * (0.18 + column * 0.38), eaves + 16 + row * 40
            lit = p.light if rng.random() < 0.4 else mix(shade, p.ink, 0.35)
            sheet.pill(left, top, left + width * 0.25, top + 25, 3, lit)


def towers(sheet: Sheet) -> None:
    """A skyline of bare blocks in haze."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    sheet.disc(rng.uniform(120, 330), rng.uniform(150, 220), rng.uniform(64, 84), p.light, 0.9)
    for row in range(4):
        tone, x = mix(mix(p.far, p.bottom, 0.4), p.near, row / 3), -12.0
        while x < WIDTH:
            width = rng.uniform(26, 58)
            top = rng.uniform(150, 330) + row * 48
            sheet.box(x, top, x + width, HEIGHT, tone)
            sheet.box(x + width * 0.72, top, x + width, HEIGHT, mix(tone, p.ink, 0.14))
            x += width + rng.choice((0, 3, 9))


def planets(sheet: Sheet) -> None:
    """Worlds and their orbits among stars."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.top, p.ink, 0.45), mix(p.bottom, p.top, 0.35), slant=0.6)
    for _ in range(90):
        sheet.disc(rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(0.6, 1.8), p.light, rng.uniform(0.3, 0.9))
    x, y = rng.uniform(150, 300), rng.uniform(210, 300)
    for i in range(3):
        radius, angle = 118 + i * 62, rng.uniform(0, math.tau)
        sheet.ring(x, y, radius, 1.2, p.light, 0.35)
        at = (x + math.cos(angle) * radius, y + math.sin(angle) * radius)
        _ball(sheet, *at, rng.uniform(9, 20), rng.choice((p.bold, p.far, p.mid)))
    _ball(sheet, x, y, 74, p.bold)
    sheet.polygon(_hoop(x, y), p.light, 0.75)


def _ball(sheet: Sheet, x: float, y: float, radius: float, tone: tuple[int, int, int]) -> None:
    steps = 14
    for i in range(steps):
        share = i / steps
        shade = mix(mix(tone, sheet.palette.ink, 0.5), mix(tone, sheet.palette.light, 0.4), share)
        sheet.disc(x - radius * 0.32 * share, y - radius * 0.32 * share, radius * (1 - 0.55 * share), shade)


def _hoop(x: float, y: float) -> list[tuple[float, float]]:
    """The front half of a tilted ring around a planet of radius 74."""
    angles = [math.radians(a) for a in range(-8, 189, 4)]
    outer = [(x + 122 * math.cos(a), y + 26 * math.sin(a)) for a in angles]
    inner = [(x + 104 * math.cos(a), y + 15 * math.sin(a)) for a in reversed(angles)]
    return turned([*outer, *inner], (x, y), -18)


def balloons(sheet: Sheet) -> None:
    """Hot-air balloons over rolling fields."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    for _ in range(5):
        x, y = rng.uniform(0, WIDTH), rng.uniform(40, 300)
        for i in range(4):
            sheet.oval(x + i * 26, y + (i % 2) * 6, 34, 9, p.light, 0.45)
    for i in range(3):
        sheet.hill(swell(390 + i * 34, 16, rng.uniform(0.7, 1.4), rng.uniform(0, 6)), mix(p.far, p.near, i / 2))
    spots = [(120, 330, 34), (338, 262, 46), (196, 178, 84)]
    for x, y, radius in spots:
        _balloon(sheet, x + rng.uniform(-26, 26), y + rng.uniform(-26, 26), radius)


def _balloon(sheet: Sheet, x: float, y: float, radius: float) -> None:
    p = sheet.palette
    first, second = sheet.rng.choice(((p.bold, p.light), (p.near, p.light), (p.light, p.bold)))
    for i, reach in enumerate((1.0, 0.72, 0.4, 0.12)):
        tone = first if i % 2 == 0 else second
        sheet.oval(x, y, radius * reach, radius, tone)
        half = radius * 0.26 * reach
        sheet.polygon(
            [
                (x - radius * reach * 0.9, y + radius * 0.42),
                (x + radius * reach * 0.9, y + radius * 0.42),
                (x + half, y + radius * 1.28),
                (x - half, y + radius * 1.28),
            ],
            tone,
        )
    sheet.box(x - radius * 0.2, y + radius * 1.42, x + radius * 0.2, y + radius * 1.68, p.ink)
    for side in (-1, 1):
        sheet.line(
            [(x + side * radius * 0.2, y + radius * 1.28), (x + side * radius * 0.17, y + radius * 1.45)], 1.3, p.ink
        )


def pond(sheet: Sheet) -> None:
    """Fish under water lilies, from above."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.near, p.mid, 0.4), mix(p.near, p.ink, 0.4), slant=0.5)
    for _ in range(4):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        for i in range(3):
            sheet.ring(x, y, 24 + i * 26, 1.2, p.light, 0.2)
    for i in range(6):
        x, y = 70 + (i % 2) * 230 + rng.uniform(-30, 50), 80 + (i // 2) * 150 + rng.uniform(-40, 40)
        _fish(sheet, x, y, rng.uniform(0, 360), rng.uniform(0.8, 1.3))
    for _ in range(7):
        x, y, radius = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(24, 48)
        start = rng.uniform(0, 360)
        sheet.wedge(x, y, radius, start, start + 325, mix(p.far, p.bottom, 0.25))
        sheet.wedge(x, y, radius * 0.86, start, start + 325, mix(p.far, p.mid, 0.35))


def _fish(sheet: Sheet, x: float, y: float, angle: float, size: float) -> None:
    p = sheet.palette
    body = leaf(x, y + 34 * size, 78 * size, 36 * size, 0)
    tail = [(x, y + 26 * size), (x + 19 * size, y + 58 * size), (x, y + 48 * size), (x - 19 * size, y + 58 * size)]
    fins = [(x - 30 * size, y + 6 * size), (x, y - 16 * size), (x + 30 * size, y + 6 * size), (x, y + 2 * size)]
    for shape, tone in ((fins, mix(p.light, p.bold, 0.4)), (tail, p.bold), (body, p.light)):
        sheet.polygon(turned(shape, (x, y), angle), tone)
    for dx, dy, radius in ((0, -24, 9), (4, 2, 11), (-2, 22, 6)):
        ((px, py),) = turned([(x + dx * size, y + dy * size)], (x, y), angle)
        sheet.disc(px, py, radius * size, p.bold)


def harbour(sheet: Sheet) -> None:
    """Sailing boats and their reflections."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    _moon(sheet, rng.uniform(100, 350), 130, 46)
    sheet.hill(swell(262, 14, 1.3, rng.uniform(0, 6)), mix(p.far, p.bottom, 0.3))
    sheet.box(0, 284, WIDTH, HEIGHT, p.mid)
    for i in range(22):
        y, x, reach = 292 + i * 9, rng.uniform(0, WIDTH), rng.uniform(30, 130)
        sheet.line([(x - reach, y), (x + reach, y)], 2, mix(p.mid, p.bottom, 0.55), 0.5)
    for x, y, size in ((92, 318, 0.7), (330, 340, 0.95), (196, 398, 1.45)):
        _boat(sheet, x + rng.uniform(-28, 28), y, size, rng.choice((p.light, p.bold)))


def _boat(sheet: Sheet, x: float, y: float, size: float, sail: tuple[int, int, int]) -> None:
    p = sheet.palette
    sheet.polygon(
        [(x + 4 * size, y + 16 * size), (x + 40 * size, y + 18 * size), (x + 4 * size, y + 84 * size)], sail, 0.28
    )
    sheet.polygon(
        [(x - 46 * size, y), (x + 50 * size, y), (x + 34 * size, y + 19 * size), (x - 34 * size, y + 19 * size)], p.ink
    )
    sheet.line([(x, y), (x, y - 120 * size)], 2.4 * size, p.ink)
    sheet.polygon([(x + 5 * size, y - 116 * size), (x + 46 * size, y - 8 * size), (x + 5 * size, y - 8 * size)], sail)
    sheet.polygon(
        [(x - 5 * size, y - 96 * size), (x - 5 * size, y - 8 * size), (x - 34 * size, y - 8 * size)],
        mix(sail, p.ink, 0.16),
    )
