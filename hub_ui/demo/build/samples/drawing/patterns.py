"""Patterns: tiles, cut paper, glass, waves and other things without a horizon."""

import math
from itertools import pairwise

from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Sheet, leaf, turned
from hub_ui.demo.build.samples.drawing.palettes import RGB, mix


def bubbles(sheet: Sheet) -> None:
    """Translucent discs drifting upwards."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom, slant=0.8)
    for _ in range(34):
        x, y, radius = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(8, 30) * rng.choice((1, 1, 2, 2.4))
        tone = rng.choice((p.light, p.far, p.mid, p.bold, p.near))
        sheet.disc(x, y, radius, tone, rng.uniform(0.25, 0.7))
        sheet.arc(x, y, radius * 0.74, radius * 0.74, 200, 250, max(1.2, radius / 14), p.light)


def shards(sheet: Sheet) -> None:
    """Folded paper triangles, each with a lit and a shaded half."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.bottom, p.top, slant=0.5)
    tones = (p.far, p.mid, p.near, p.bold, p.light)
    for i in range(48):
        x, y, size = rng.uniform(-20, WIDTH + 20), rng.uniform(-20, HEIGHT + 20), 96 - i * 1.3
        angle, tone = rng.uniform(0, 360), rng.choice(tones)
        tip, left, right, fold = (
            (x, y - size),
            (x - size * 0.7, y + size * 0.6),
            (x + size * 0.7, y + size * 0.6),
            (x, y + size * 0.35),
        )
        sheet.polygon(turned([(px + 5, py + 6) for px, py in (tip, left, right)], (x, y), angle), p.ink, 0.16)
        sheet.polygon(turned([tip, left, fold], (x, y), angle), mix(tone, p.light, 0.16))
        sheet.polygon(turned([tip, right, fold], (x, y), angle), mix(tone, p.ink, 0.14))
        sheet.polygon(turned([left, right, fold], (x, y), angle), tone)


def cutouts(sheet: Sheet) -> None:
    """Leaves cut from paper on coloured fields."""
    p, rng = sheet.palette, sheet.rng
    fields = [p.light, p.bold, p.far, p.near, mix(p.top, p.light, 0.3), p.mid]
    rng.shuffle(fields)
    for i in range(6):
        left, top = (i % 2) * WIDTH / 2, (i // 2) * HEIGHT / 3
        sheet.box(left, top, left + WIDTH / 2, top + HEIGHT / 3, fields[i])
        other = fields[(i + 1 + rng.randrange(4)) % 6]
        _frond(sheet, left + WIDTH / 4, top + HEIGHT / 6, rng.uniform(-50, 50), other)


def _frond(sheet: Sheet, x: float, y: float, angle: float, tone: RGB) -> None:
    """A stalk with three to five pairs of leaves."""
    pairs = sheet.rng.randint(3, 5)
    sheet.polygon(turned([(x - 3, y + 64), (x + 3, y + 64), (x + 1, y - 60), (x - 1, y - 60)], (x, y), angle), tone)
    for i in range(pairs):
        at, reach = y + 48 - i * 84 / pairs, 62 - i * 26 / pairs
        for side in (-1, 1):
            sheet.polygon(turned(leaf(x, at, reach, 20, side * 52), (x, y), angle), tone)
    sheet.polygon(turned(leaf(x, y - 28, 46, 20, 0), (x, y), angle), tone)


def waves(sheet: Sheet) -> None:
    """Overlapping scales, row upon row."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    sheet.disc(rng.uniform(120, 330), 150, 82, p.bold)
    tones = (p.near, p.mid, p.far)
    for row in range(9):
        for column in range(-1, 7):
            x, y = column * 84 + (row % 2) * 42, 250 + row * 30 + 12 * math.sin(column + row)
            base = mix(tones[(row + column) % 3], p.ink, row * 0.03)
            for radius, tone in ((50, base), (39, p.light), (33, base), (22, p.light), (16, base)):
                sheet.disc(x, y, radius, tone)


def glass(sheet: Sheet) -> None:
    """Stained glass: a sun with rays, leaded into an irregular grid."""
    p, rng = sheet.palette, sheet.rng
    tones = (p.far, p.mid, p.bold, p.light, p.top, p.bottom, p.near)
    nodes = [[_node(sheet, column, row) for column in range(7)] for row in range(8)]
    for row in range(7):
        for column in range(6):
            corner = nodes[row][column], nodes[row][column + 1], nodes[row + 1][column + 1], nodes[row + 1][column]
            halves = (
                (corner[:3], (corner[0], corner[2], corner[3]))
                if rng.random() < 0.5
                else (corner[1:], (corner[0], corner[1], corner[3]))
            )
            for half in halves:
                sheet.polygon(half, mix(rng.choice(tones), p.light, rng.uniform(0, 0.25)))
                sheet.line([*half, half[0]], 4.5, p.ink)
    sheet.disc(224, 220, 86, p.ink)
    for i in range(8):
        sheet.wedge(224, 220, 80, i * 45 + 2, i * 45 + 43, mix(p.bold if i % 2 else p.light, p.light, 0.2))
    sheet.disc(224, 220, 34, p.ink)
    sheet.disc(224, 220, 29, p.bold)


def _node(sheet: Sheet, column: int, row: int) -> tuple[float, float]:
    loose = 0 < column < 6 and 0 < row < 7
    dx, dy = (sheet.rng.uniform(-24, 24), sheet.rng.uniform(-24, 24)) if loose else (0.0, 0.0)
    return column * WIDTH / 6 + dx, row * HEIGHT / 7 + dy


def blocks(sheet: Sheet) -> None:
    """A little world of isometric blocks."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom)
    sheet.oval(224, 392, 190, 60, p.ink, 0.14)
    for row in range(6):
        for column in range(6):
            x, y = 224 + (column - row) * 34, 208 + (column + row) * 19
            height = 26 + rng.choice((0, 0, 14, 28, 52)) * (1 if row + column < 8 else 0.4)
            _block(sheet, x, y - height + 60, height, rng.choice((p.far, p.mid, p.far, p.bold, p.light)))


def _block(sheet: Sheet, x: float, y: float, height: float, tone: RGB) -> None:
    ink, light = sheet.palette.ink, sheet.palette.light
    top = [(x, y - 19), (x + 34, y), (x, y + 19), (x - 34, y)]
    sheet.polygon(top, mix(tone, light, 0.3))
    sheet.polygon([(x - 34, y), (x, y + 19), (x, y + 19 + height), (x - 34, y + height)], mix(tone, ink, 0.12))
    sheet.polygon([(x + 34, y), (x, y + 19), (x, y + 19 + height), (x + 34, y + height)], mix(tone, ink, 0.36))


def quilt(sheet: Sheet) -> None:
    """Quarter circles and half squares, set like a quilt."""
    p, rng = sheet.palette, sheet.rng
    side = WIDTH / 4
    tones = (p.far, p.mid, p.near, p.bold, p.light, p.top)
    for row in range(5):
        for column in range(4):
            x, y = column * side, row * side
            ground, figure = rng.sample(tones, 2)
            sheet.box(x, y, x + side, y + side, ground)
            turn = rng.randrange(4)
            corner = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)][turn]
            if rng.random() < 0.6:
                sheet.wedge(*corner, side, turn * 90, turn * 90 + 90, figure)
                sheet.wedge(*corner, side * 0.5, turn * 90, turn * 90 + 90, rng.choice(tones))
            else:
                sheet.polygon(
                    [
                        corner,
                        (x + side, y + side) if turn == 0 else (x, y),
                        (x, y + side) if turn != 3 else (x + side, y),
                    ],
                    figure,
                )


def contours(sheet: Sheet) -> None:
    """The lines of a map around a few summits."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.bottom, mix(p.bottom, p.far, 0.4), slant=0.4)
    for x, y, size in ((150.0, 170.0, 1.2), (330.0, 330.0, 1.0), (90.0, 420.0, 0.7)):
        shift, lobes = rng.uniform(0, 6), rng.randint(2, 4)
        for i in range(9):
            path = _summit(x, y, (128 - i * 14) * size, lobes, shift + i * 0.12)
            sheet.polygon(path, mix(mix(p.bottom, p.far, 0.3), mix(p.mid, p.near, 0.3), i / 9))
            sheet.line(path, 1.2, p.light, 0.7)
    route = [(60 + k * 36, 96 + 150 * math.sin(k / 2.6) ** 2 + k * 26) for k in range(11)]
    for (start_x, start_y), (x, y) in pairwise(route):
        sheet.line([(start_x, start_y), (start_x + (x - start_x) * 0.6, start_y + (y - start_y) * 0.6)], 4, p.bold)
    sheet.disc(*route[-1], 10, p.bold)
    sheet.disc(*route[-1], 4.5, p.light)


def _summit(x: float, y: float, radius: float, lobes: int, shift: float) -> list[tuple[float, float]]:
    """One height line: a circle with a few soft lobes."""
    angles = [math.tau * k / 72 for k in range(73)]
    reaches = [radius * (1 + 0.14 * math.sin(lobes * a + shift)) for a in angles]
    return [(x + r * math.cos(a), y + r * 0.86 * math.sin(a)) for a, r in zip(angles, reaches, strict=True)]


def velvet(sheet: Sheet) -> None:
    """Soft folds of colour, out of focus."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.mid, slant=0.7)
    for _ in range(16):
        tone = rng.choice((p.near, p.bottom, p.far, p.bold, p.ink))
        x, width, lean = rng.uniform(-60, WIDTH), rng.uniform(24, 92), rng.uniform(-90, 90)
        sheet.polygon(
            [(x, -10), (x + width, -10), (x + width + lean, HEIGHT + 10), (x + lean, HEIGHT + 10)], tone, 0.42
        )
    sheet.soften(15)
    sheet.glow(rng.uniform(120, 330), rng.uniform(120, 260), 240, p.light, 0.4)


def confetti(sheet: Sheet) -> None:
    """Terrazzo: chips of stone in a pale ground."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.bottom, p.light, 0.6), mix(p.bottom, p.light, 0.3))
    for _ in range(120):
        x, y, size = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.choice((5, 8, 12, 20, 27))
        angles = sorted(rng.uniform(0, math.tau) for _ in range(6))
        chip = [
            (x + size * rng.uniform(0.7, 1.1) * math.cos(a), y + size * rng.uniform(0.7, 1.1) * math.sin(a))
            for a in angles
        ]
        sheet.polygon(chip, rng.choice((p.far, p.mid, p.near, p.bold, p.ink)))


def bars(sheet: Sheet) -> None:
    """Upright bars of uneven height, as woven ribbon or a sound seen."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, mix(p.top, p.near, 0.5), slant=0.4)
    count = rng.choice((7, 9, 11))
    width = WIDTH / count
    for i in range(count):
        top = 90 + 190 * abs(math.sin(i * 1.7 + rng.uniform(0, 1.2)))
        tone = mix(p.bold, p.light, rng.uniform(0, 0.75))
        sheet.pill(i * width + 4, top, (i + 1) * width - 4, HEIGHT + 30, width / 2 - 4, tone)
        sheet.pill(
            i * width + 4,
            top + rng.uniform(60, 180),
            (i + 1) * width - 4,
            HEIGHT + 30,
            width / 2 - 4,
            mix(tone, p.near, 0.55),
        )
