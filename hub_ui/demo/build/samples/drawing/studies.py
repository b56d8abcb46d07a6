"""Plants, still lifes, control images, sliders, sprites and film."""

import math
from collections.abc import Callable

from PIL import ImageFilter, ImageOps

from hub_ui.demo.build.samples.drawing import people, scenery
from hub_ui.demo.build.samples.drawing.canvas import HEIGHT, WIDTH, Point, Sheet, leaf
from hub_ui.demo.build.samples.drawing.palettes import RGB, Palette, mix


def herbarium(sheet: Sheet) -> None:
    """Pressed stems on paper."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.bottom, p.light, 0.5), mix(p.bottom, p.light, 0.15))
    for i in range(3):
        x, tone = 96 + i * 128 + rng.uniform(-14, 14), rng.choice((p.near, p.mid, mix(p.near, p.ink, 0.4)))
        _stem(sheet, x, tone, rng.choice((p.bold, mix(p.bold, p.light, 0.4), p.far)))
    sheet.box(0, 0, WIDTH, 14, p.light, 0.6)
    sheet.box(0, HEIGHT - 14, WIDTH, HEIGHT, p.light, 0.6)


def _stem(sheet: Sheet, x: float, tone: RGB, bloom: RGB) -> None:
    rng = sheet.rng
    bend, kind = rng.uniform(-30, 30), rng.choice(("bell", "berry", "daisy"))
    spine = [(x + bend * math.sin(i / 12 * math.pi), 440 - i * 28) for i in range(13)]
    sheet.line(spine, 3.2, tone)
    for i in range(1, 10):
        side = -1 if i % 2 else 1
        sheet.polygon(
            leaf(*spine[i], 62 - i * 3.6, 21, side * rng.uniform(40, 66)),
            mix(tone, sheet.palette.light, 0.08 * (i % 3)),
        )
    top_x, top_y = spine[-1]
    if kind == "daisy":
        for k in range(10):
            sheet.polygon(leaf(top_x, top_y, 36, 15, k * 36), bloom)
        sheet.disc(top_x, top_y, 10, sheet.palette.light)
    for k in range(5 if kind != "daisy" else 0):
        px, py = spine[-1 - k // 2]
        reach = (-1 if k % 2 else 1) * (6 + k * 5)
        if kind == "berry":
            sheet.disc(px + reach, py - 6, 9, bloom)
        else:
            sheet.polygon(leaf(px + reach, py + 22, 38, 24, 0), bloom)


def still(sheet: Sheet) -> None:
    """Jugs and bowls on a table."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(mix(p.top, p.bottom, 0.3), p.bottom)
    sheet.box(0, 350, WIDTH, HEIGHT, mix(p.mid, p.bottom, 0.2))
    tones = [p.light, p.bold, p.far, p.near]
    rng.shuffle(tones)
    shapes: list[Callable[[Sheet, float, float, RGB], None]] = [_bottle, _jug, _bowl]
    rng.shuffle(shapes)
    for i, shape in enumerate(shapes):
        shape(sheet, 96 + i * 126, 386 + (i % 2) * 26, tones[i])
    for _ in range(3):
        x = rng.uniform(70, 380)
        sheet.disc(x, 436 + rng.uniform(-6, 14), 19, tones[3])
        sheet.arc(x, 436, 11, 11, 200, 260, 3, p.light)


def _bottle(sheet: Sheet, x: float, foot: float, tone: RGB) -> None:
    shade = mix(tone, sheet.palette.ink, 0.22)
    sheet.oval(x + 24, foot, 62, 12, sheet.palette.ink, 0.2)
    for left, colour in ((-40, tone), (10, shade)):
        sheet.pill(x + left, foot - 156, x + 40, foot, 16, colour)
    sheet.pill(x - 13, foot - 236, x + 13, foot - 130, 8, tone)
    sheet.pill(x + 3, foot - 230, x + 13, foot - 130, 4, shade)


def _jug(sheet: Sheet, x: float, foot: float, tone: RGB) -> None:
    shade = mix(tone, sheet.palette.ink, 0.22)
    sheet.oval(x + 26, foot, 70, 12, sheet.palette.ink, 0.2)
    sheet.ring(x + 50, foot - 88, 33, 12, shade)
    sheet.oval(x, foot - 64, 56, 66, tone)
    sheet.polygon([(x - 34, foot - 168), (x + 36, foot - 168), (x + 28, foot - 96), (x - 28, foot - 96)], tone)
    sheet.polygon([(x + 12, foot - 168), (x + 36, foot - 168), (x + 28, foot - 96), (x + 8, foot - 96)], shade)
    sheet.oval(x, foot - 168, 35, 8, mix(tone, sheet.palette.ink, 0.5))


def _bowl(sheet: Sheet, x: float, foot: float, tone: RGB) -> None:
    shade = mix(tone, sheet.palette.ink, 0.22)
    sheet.oval(x + 18, foot, 74, 12, sheet.palette.ink, 0.2)
    for k in range(3):
        sheet.disc(x - 34 + k * 34, foot - 76 - (k % 2) * 14, 24, mix(sheet.palette.bold, sheet.palette.light, 0.2 * k))
    sheet.wedge(x, foot - 70, 70, 0, 180, tone)
    sheet.wedge(x, foot - 70, 70, 0, 56, shade)
    sheet.box(x - 26, foot - 8, x + 26, foot + 2, shade)


def edges(sheet: Sheet) -> None:
    """What an edge detector sees: white lines on black."""
    scenery.shore(sheet) if sheet.rng.random() < 0.5 else people.wren(sheet)
    outline = sheet.image.convert("L").filter(ImageFilter.FIND_EDGES)
    lines = outline.point(lambda v: 255 if v > 16 else 0).filter(ImageFilter.MaxFilter(3))
    sheet.image = ImageOps.colorize(lines, (10, 11, 14), (240, 240, 236))


def depth(sheet: Sheet) -> None:
    """What a depth sensor sees: near is light."""
    grey = Palette(*((v, v, v) for v in (22, 40, 60, 120, 190, 34, 150, 235)))
    flat = Sheet(grey, f"depth {sheet.rng.random()}")
    (scenery.ridges if sheet.rng.random() < 0.5 else scenery.forest)(flat)
    flat.soften(2)
    sheet.image = flat.image


def pose(sheet: Sheet) -> None:
    """A stick figure with coloured limbs."""
    rng = sheet.rng
    sheet.ground((12, 13, 16), (12, 13, 16))
    swing = rng.uniform(-26, 26)
    neck, hip = (224 + swing * 0.4, 146.0), (224.0, 270.0)
    joints: dict[str, list[Point]] = {
        "left arm": [neck, (172, 164), (140 - swing, 222 + swing), (118 - swing * 2, 268 - abs(swing) * 3)],
        "right arm": [neck, (276, 164), (312 + swing, 214 - swing), (326 + swing, 150 + swing)],
        "left leg": [hip, (196, 276), (178 - swing, 352), (168 - swing * 2, 436)],
        "right leg": [hip, (252, 276), (276 + swing, 350), (290 + swing * 2, 432)],
        "spine": [(224 + swing * 0.7, 96), neck, hip],
    }
    colours: list[RGB] = [(255, 96, 60), (255, 200, 40), (70, 210, 120), (60, 150, 255), (190, 100, 255)]
    for tone, path in zip(colours, joints.values(), strict=True):
        sheet.line(path, 10, mix(tone, (12, 13, 16), 0.25))
        for x, y in path:
            sheet.disc(x, y, 9, tone)
    sheet.ring(224 + swing * 0.7, 84, 26, 6, (230, 230, 230))


def dial(sheet: Sheet) -> None:
    """One scene twice: plain to the left, rich to the right of a line."""
    scenery.dunes(sheet)
    p, rng = sheet.palette, sheet.rng
    plain = sheet.image.copy()
    for _ in range(150):
        x, y = rng.uniform(224, WIDTH), rng.uniform(250, HEIGHT)
        sheet.polygon(leaf(x, y, rng.uniform(14, 40), 6, rng.uniform(-30, 30)), mix(p.near, p.bold, rng.random()), 0.85)
    for _ in range(46):
        sheet.disc(rng.uniform(224, WIDTH), rng.uniform(10, 240), rng.uniform(0.8, 2.2), p.light)
    sheet.image.paste(plain.crop((0, 0, plain.width // 2, plain.height)))
    sheet.box(222, 0, 226, HEIGHT, p.light)
    sheet.disc(224, 244, 21, p.light)
    for side in (-1, 1):
        sheet.polygon([(224 + side * 5, 236), (224 + side * 13, 244), (224 + side * 5, 252)], p.ink)


def sprite(sheet: Sheet) -> None:
    """A symmetrical creature in large pixels."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.near, p.near)
    for i in range(12):
        sheet.box(0, i * 42, WIDTH, i * 42 + 21, mix(p.near, p.ink, 0.12))
    side, left, top = 26, 224 - 26 * 6, 76
    for row in range(12):
        for column in range(6):
            reach = 6 - abs(row - 5.5) * 0.75
            if column > 6 - reach and rng.random() < 0.86:
                tone = rng.choice((p.bold, p.bold, p.light, mix(p.bold, p.ink, 0.35)))
                for x in (left + column * side, left + (11 - column) * side):
                    sheet.box(x, top + row * side, x + side, top + (row + 1) * side, tone)
    for x in (left + 3 * side, left + 8 * side):
        sheet.box(x, top + 4 * side, x + side, top + 6 * side, p.ink)
    sheet.oval(224, 424, 108, 13, p.ink, 0.45)


def frames(sheet: Sheet) -> None:
    """A strip of film: the sun crossing one landscape."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground((20, 19, 22), (28, 27, 31))
    shift = rng.uniform(0, 6)
    for i in range(3):
        top = 20 + i * 152
        sky = mix(p.top, p.bottom, i / 2)
        sheet.box(58, top, 390, top + 140, sky)
        sheet.disc(120 + i * 104, top + 62 - (i == 1) * 20, 25, p.light)
        for k in range(3):
            edge = [
                (58 + x * 8.3, top + 78 + k * 20 + 9 * math.sin(x * 0.16 + shift + k * 2 - i * 0.5)) for x in range(41)
            ]
            sheet.polygon([*edge, (390, top + 140), (58, top + 140)], mix(p.far, p.near, k / 2))
    for y in range(14, HEIGHT, 38):
        for x in (18, 412):
            sheet.pill(x, y, x + 18, y + 20, 4, p.light)


def speed(sheet: Sheet) -> None:
    """A few broad strokes from left to right: done in four steps."""
    p, rng = sheet.palette, sheet.rng
    sheet.ground(p.top, p.bottom, slant=-0.5)
    for i in range(4):
        y, tone = 78 + i * 100, (p.far, p.mid, p.near, p.bold)[i]
        path = [(30 + k * 12, y + (34 - i * 9) * math.sin(k * 0.42 + rng.uniform(0, 0.2))) for k in range(30)]
        sheet.line(path, 30, tone)
        for x, at in (path[0], path[-1]):
            sheet.disc(x, at, 15, tone)
        sheet.disc(path[-1][0] + 22, path[-1][1], 8, p.light)
