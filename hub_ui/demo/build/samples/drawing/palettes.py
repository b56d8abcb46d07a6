"""The colours of the sample pictures: eight to a palette, named by what they are used for."""

from typing import NamedTuple, TypeAlias

RGB: TypeAlias = tuple[int, int, int]


class Palette(NamedTuple):
    """`top` to `bottom` is the ground, `far` to `near` are layers upon it, `light` and `bold` stand out."""

    top: RGB
    bottom: RGB
    far: RGB
    mid: RGB
    near: RGB
    light: RGB
    bold: RGB
    ink: RGB


def rgb(code: str) -> RGB:
    """`ff8800` as three numbers."""
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """`one` for a share of 0, `other` for 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _palette(codes: str) -> Palette:
    return Palette(*map(rgb, codes.split()))


#                     top    bottom far    mid    near   light  bold   ink
PALETTES: dict[str, Palette] = {
    "citrus": _palette("f7d774 f9efc7 f0a04b e4733c 9c3d2e fff8e1 2f7f79 402218"),
    "dusk": _palette("3a4170 e9876b a9627a 6f4b72 33345c f6cf8f e4573d 1d1c38"),
    "ember": _palette("3b1c32 e35a36 a83a3f 73293f 2c1428 ffd9a0 f39c35 190b18"),
    "frost": _palette("dfeaf2 a9c6db 8fb3cd 5d89ab 2f5475 ffffff e2725b 17304a"),
    "jade": _palette("1d4d4a 6fb393 4b8f79 2c6a62 143c3f f3e3a1 e98a4b 0b2427"),
    "lagoon": _palette("174a63 8ed3cf 53a9b0 2b7a8d 144158 fdf1cf f28f6b 0b2a3c"),
    "lilac": _palette("cdbfe3 f6dfe6 b79bcb 8a6ea9 4f3c72 fffaf3 e98696 2b2044"),
    "meadow": _palette("bfe0c7 f2f0cf 9cc48a 6a9e68 34654d fffdf0 e27d4e 1d3b31"),
    "mono": _palette("d9d7d1 f3f1ec b3b0a8 7f7c75 46443f ffffff b5482f 1f1e1c"),
    "moss": _palette("4a5a3c c9cba0 8d9b6a 64774b 323f2b f5edc9 d97a3a 1b2418"),
    "night": _palette("0f1631 3d4f8a 34427a 222c58 131a38 f7ecc4 ee9b6a 080b1c"),
    "plum": _palette("2c1a4a 9a5cb4 74458f 502e6e 251640 f6d8ec f2a154 150b2b"),
    "rose": _palette("f3c6c4 fbe9dd e39a97 c46a73 7b3a4e fffaf4 3f7d80 3a1a2b"),
    "sand": _palette("ead9bd f8efdf d9b98d b98d5f 77563a fffdf6 38707d 38281b"),
    "slate": _palette("5b6b7c c3ccd2 92a1ad 66788a 36465a f4efe4 e0a03f 1a2430"),
    "tangerine": _palette("f26b3a fbc16a e2512f b53a2c 6d2230 fff2d8 2a6f7c 36121c"),
}
