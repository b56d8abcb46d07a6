"""Contact sheets: the images of a comparison as one, with labels above its columns and left of its rows.

Their images can be cut out of them again, and a ranking can stand below.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from connectors.errors import UsageError
from hub_ui.base.i18n import N_, _
from hub_ui.base.image_files import open_image
from hub_ui.generate.result import GenerationResult
from hub_ui.images.provenance import Tiles

_PAPER, _INK = (250, 250, 248), (24, 24, 28)
_GAP = 12
# Small images are enlarged, so that there is room for a label above them.
_LEAST = 192
# Of all images together: a larger file could not be opened again.
_MOST_PIXELS = 40_000_000
_LINES = 6
NO_SHEET = N_("{name} is no sheet of a comparison that can be judged. Choose one that hub-ui saved.")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact(result: GenerationResult) -> tuple[Image.Image, Tiles]:
    """Return the contact sheet of a comparison, and the positions of its images."""
    comparison = result.comparison
    width, height = result.images[0].image.size
    scale = float(max(1, -(-_LEAST // width)))
    if (pixels := width * height * len(result.images)) > _MOST_PIXELS:
        scale = (_MOST_PIXELS / pixels) ** 0.5
    width, height = round(width * scale), round(height * scale)
    font = _font(width)
    line = _line(font)
    mark = " · draft" if result.report.draft is not None else ""
    above = [_wrap(f"{label}{mark}", width, font) for label in comparison.columns]
    beside = [_wrap(label, width, font) for label in comparison.rows]
    label_width = max(round(font.getlength(text)) for lines in beside for text in lines)
    top = _GAP + line * max(len(lines) for lines in above) + _GAP // 2
    left = _GAP + (label_width + _GAP if any(comparison.rows) else 0)
    paper = Image.new("RGB", (left + len(above) * (width + _GAP), top + len(beside) * (height + _GAP)), _PAPER)
    for column, lines in enumerate(above):
        _write(paper, lines, left + column * (width + _GAP), _GAP, font)
    for row, lines in enumerate(beside):
        _write(paper, lines, _GAP, top + row * (height + _GAP), font)
    places = [divmod(i, len(above)) for i in range(len(result.images))]
    corners = tuple((left + column * (width + _GAP), top + row * (height + _GAP)) for row, column in places)
    hashes = []
    for picture, corner in zip(result.images, corners, strict=True):
        image = picture.image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        paper.paste(image, corner)
        hashes.append(sha256(image.tobytes()).hexdigest())
    tiles = Tiles(width=width, height=height, corners=corners, sha256=tuple(hashes), paper=paper.height)
    return paper, tiles


def save(sheet: Image.Image, path: Path | BinaryIO, info: PngInfo) -> None:
    # Of 40 million pixels, Pillow's usual level takes a minute for a tenth fewer bytes.
    sheet.save(path, format="PNG", pnginfo=info, compress_level=1)


def open_sheet(path: Path) -> Image.Image:
    """Open a contact sheet. Raises UsageError if the file is not a PNG or has too many pixels."""
    try:
        with open_image(path, formats=("PNG",)) as image:
            return image.convert("RGB")
    except ValueError as error:
        raise UsageError(_(NO_SHEET).format(name=path.name)) from error


def cut(path: Path, tiles: Tiles) -> list[Image.Image]:
    """Cut the images out of a sheet. Raises UsageError if a position is outside the sheet."""
    sheet = open_sheet(path)
    boxes = [(x, y, x + tiles.width, y + tiles.height) for x, y in tiles.corners]
    if min(tiles.width, tiles.height) < 1 or any(
        x < 0 or y < 0 or right > sheet.width or bottom > sheet.height for x, y, right, bottom in boxes
    ):
        raise UsageError(_(NO_SHEET).format(name=path.name))
    return [sheet.crop(box) for box in boxes]


def is_unchanged(images: Sequence[Image.Image], tiles: Tiles) -> bool:
    """Return whether these images have the hashes that the sheet was saved with."""
    return tuple(sha256(image.tobytes()).hexdigest() for image in images) == tiles.sha256


def with_ranking(sheet: Image.Image, tiles: Tiles, ranking: Sequence[str]) -> Image.Image:
    """Return the sheet with the ranking as lines below it, in place of an earlier ranking."""
    font = _font(tiles.width)
    texts = [text for line in ranking for text in _wrap(line, sheet.width - 2 * _GAP, font)]
    paper = min(tiles.paper, sheet.height)
    whole = Image.new("RGB", (sheet.width, paper + _line(font) * len(texts) + _GAP), _PAPER)
    whole.paste(sheet.crop((0, 0, sheet.width, paper)), (0, 0))
    _write(whole, texts, _GAP, paper, font)
    return whole


def _font(width: int) -> Font:
    """Return Pillow's own font, which is the same on every computer."""
    return ImageFont.load_default(max(15, width // 20))


def _line(font: Font) -> int:
    box = font.getbbox("Ág")
    return round((box[3] - box[1]) * 1.35)


def _write(paper: Image.Image, lines: Sequence[str], x: int, y: int, font: Font) -> None:
    for i, text in enumerate(lines):
        ImageDraw.Draw(paper).text((x, y + i * _line(font)), text, fill=_INK, font=font)


def _wrap(text: str, width: int, font: Font) -> list[str]:
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
