"""Open images safely: with a limit of pixels, upright, in RGB, and with one error for all damaged files."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps

from connectors.errors import UsageError
from hub_ui.base.i18n import _

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MOST_PIXELS = 100_000_000
# The errors that Pillow raises for damaged and hostile files, in addition to ValueError.
_UNREADABLE = (
    OSError, SyntaxError, EOFError, OverflowError, TypeError, KeyError, IndexError, struct.error, zlib.error,
)  # fmt: skip
# The formats and limits of a visitor's image that is an input of a generation.
_INPUT_FORMATS = (*FORMATS, "BMP", "TIFF")
_MOST_INPUT_BYTES = 100 * 1024 * 1024
_MOST_INPUT_PIXELS = 80_000_000
# Cropping a smaller share of a side is not mentioned in the notes.
_CROP_TO_MENTION = 0.02
_ORIENTATION = 0x0112
# The transformation that turns an image upright, by its EXIF orientation.
_TURNS: Mapping[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TooLarge(ValueError):
    """The error for an image with too many pixels."""


@contextmanager
def open_image(
    source: Path | io.BytesIO, most: int = MOST_PIXELS, formats: tuple[str, ...] | None = FORMATS
) -> Iterator[Image.Image]:
    """Open an image and read its header.

    Raises TooLarge if it has more than `most` pixels, and ValueError if it is not a valid image. Errors while the block
    decodes the pixels become ValueError too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=formats) as image:
                if image.width * image.height > most:
                    raise TooLarge
                yield image
    except Image.DecompressionBombError as error:
        raise TooLarge from error
    except _UNREADABLE as error:
        raise ValueError(str(error)) from error


def plain(image: Image.Image) -> Image.Image:
    """Return the image upright, in RGB, and on white if it is transparent."""
    # Don't use ImageOps.exif_transpose: it rewrites the EXIF, and fails if any of it is damaged.
    turn = _TURNS.get(image.getexif().get(_ORIENTATION))
    image = image.transpose(turn) if turn is not None else image
    if image.mode.startswith(("I", "F")):
        # Scale depth maps of 16 bits, because Pillow's convert("L") clips their values.
        values = image if image.mode == "F" else image.convert("I").convert("F")
        low, high = (float(value) for value in values.getextrema())  # type: ignore[arg-type]
        if not math.isfinite(high - low):
            raise ValueError("values that are no numbers")
        scale = 255.0 / (high - low or 1.0)
        return values.point(lambda value: value * scale + (0.5 - low * scale)).convert("L").convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", with_alpha.size, "white"), with_alpha).convert("RGB")
    return image.convert("RGB")


def read_input(path: Path, what: str) -> tuple[Image.Image, list[str]]:
    """Read a visitor's image that is an input of a generation. Return the image and notes.

    `what` names the image in messages. Raises UsageError for an unusable file.
    """
    try:
        if path.stat().st_size > _MOST_INPUT_BYTES:
            text = _("{name} is too large for a {what}. Make it smaller first.")
            raise UsageError(text.format(name=path.name, what=what))
        with open_image(path, _MOST_INPUT_PIXELS, _INPUT_FORMATS) as image:
            notes = [f"{path.name} moves: its first frame was used."] if getattr(image, "n_frames", 1) > 1 else []
            return plain(image), notes
    except TooLarge as error:
        text = _("{name} has too many pixels for a {what}. Make it smaller first.")
        raise UsageError(text.format(name=path.name, what=what)) from error
    except (OSError, ValueError) as error:
        text = _("{name} can't be read as an image. Give a PNG, JPEG or WebP.")
        raise UsageError(text.format(name=path.name)) from error


def fit_input(path: Path, what: str, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """Read an image as `read_input` does, and resize it, cropping two sides if the proportions differ."""
    image, notes = read_input(path, what)
    scale = max(width / image.width, height / image.height)
    cropped = 1 - min(width / (image.width * scale), height / (image.height * scale))
    if cropped > _CROP_TO_MENTION:
        sides = "left and right" if image.width * scale - width > image.height * scale - height else "top and bottom"
        notes.append(f"The {what} was cut {sides} to fit {width} x {height}.")
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), notes
