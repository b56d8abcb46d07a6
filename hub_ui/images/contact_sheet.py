"""A whole comparison as one image, with labels above the columns and left of the rows."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from hub_ui.generate.result import GenerationResult

_PAPER, _INK = (250, 250, 248), (24, 24, 28)
_GAP = 12
# Small images are enlarged, so that there is room for a label above them.
_LEAST = 192
_LINES = 6

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact(made: GenerationResult) -> Image.Image:
    sheet = made.comparison
    width, height = made.images[0].image.size
    times = max(1, -(-_LEAST // width))
    width, height = width * times, height * times
    # Pillow brings this font, so it is the same everywhere.
    font = ImageFont.load_default(max(15, width // 20))
    box = font.getbbox("Ág")
    line = round((box[3] - box[1]) * 1.35)
    above = [_wrap(label, width, font) for label in sheet.columns]
    beside = [_wrap(label, width, font) for label in sheet.rows]
    label_width = max(round(font.getlength(text)) for lines in beside for text in lines)
    top = _GAP + line * max(len(lines) for lines in above) + _GAP // 2
    left = _GAP + (label_width + _GAP if any(sheet.rows) else 0)
    paper = Image.new("RGB", (left + len(above) * (width + _GAP), top + len(beside) * (height + _GAP)), _PAPER)
    ink = ImageDraw.Draw(paper)
    labels = [(lines, left + column * (width + _GAP), _GAP) for column, lines in enumerate(above)]
    labels += [(lines, _GAP, top + row * (height + _GAP)) for row, lines in enumerate(beside)]
    for lines, x, y in labels:
        for i, text in enumerate(lines):
            ink.text((x, y + i * line), text, fill=_INK, font=font)
    for i, picture in enumerate(made.images):
        row, column = divmod(i, len(above))
        image = picture.image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        paper.paste(image, (left + column * (width + _GAP), top + row * (height + _GAP)))
    return paper


def _wrap(text: str, width: int, font: _Font) -> list[str]:
    """Lines of at most this width. A word that is too long is cut, and so is everything after the last line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"{lines[_LINES - 1]} …"]
    for i, line in enumerate(lines):
        if font.getlength(line) > width:
            while line and font.getlength(f"{line}…") > width:
                line = line[:-1]
            lines[i] = f"{line}…"
    return lines
