"""A whole sheet as one picture: labels above the columns and left of the rows, dark on light."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from hub_ui.generate.request import GenerationResult

_PAPER, _INK = (250, 250, 248), (24, 24, 28)
_GAP = 12
# Small pictures are shown larger, so that a label has room above them.
_LEAST = 192
_LINES = 6


def contact(made: GenerationResult) -> Image.Image:
    """The sheet's pictures in their rows and columns, with its labels."""
    sheet = made.sheet
    width, height = _size(made)
    font = _font(max(15, width // 20))
    above = [_wrapped(label, width, font) for label in sheet.columns]
    beside = [_wrapped(label, width, font) for label in sheet.rows]
    top = _GAP + _line(font) * max(len(lines) for lines in above) + _GAP // 2
    left = _GAP + (max(_widths(lines, font) for lines in beside) + _GAP if any(sheet.rows) else 0)
    paper = Image.new("RGB", (left + len(above) * (width + _GAP), top + len(beside) * (height + _GAP)), _PAPER)
    ink = ImageDraw.Draw(paper)
    for column, lines in enumerate(above):
        _write(ink, lines, (left + column * (width + _GAP), _GAP), font)
    for row, lines in enumerate(beside):
        _write(ink, lines, (_GAP, top + row * (height + _GAP)), font)
    for i, picture in enumerate(made.pictures):
        row, column = divmod(i, len(above))
        shown = picture.image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        paper.paste(shown, (left + column * (width + _GAP), top + row * (height + _GAP)))
    return paper


def _size(made: GenerationResult) -> tuple[int, int]:
    """That of the pictures; many times as large where they are tiny."""
    width, height = made.pictures[0].image.size
    times = max(1, -(-_LEAST // width))
    return width * times, height * times


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Lines no wider than that; a word that is too long alone is cut, and so is what comes after the last line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"{lines[_LINES - 1]} …"]
    return [_cut(line, width, font) for line in lines]


def _cut(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"


def _write(
    ink: ImageDraw.ImageDraw,
    lines: Sequence[str],
    at: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    for i, line in enumerate(lines):
        ink.text((at[0], at[1] + i * _line(font)), line, fill=_INK, font=font)


def _line(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    box = font.getbbox("Ág")
    return round((box[3] - box[1]) * 1.35)


def _widths(lines: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return max(round(font.getlength(line)) for line in lines)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow brings one, so that it is the same everywhere."""
    return ImageFont.load_default(size)
