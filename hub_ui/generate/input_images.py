"""Images of the user as inputs of a generation: any file is opened safely, upright and in the size of the result."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from connectors.errors import UsageError
from hub_ui.i18n import _

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_BYTES = 100 * 1024 * 1024
_MOST_PIXELS = 80_000_000
# A smaller cut of a side is not worth a note.
_WORTH_SAYING = 0.02


def fit_image(path: Path, what: str, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """The image in that size, cut at two sides if it has other proportions, and notes. `what` it is, in messages."""
    image, notes = open_image(path, what)
    scale = max(width / image.width, height / image.height)
    lost = 1 - min(width / (image.width * scale), height / (image.height * scale))
    if lost > _WORTH_SAYING:
        sides = "left and right" if image.width * scale - width > image.height * scale - height else "top and bottom"
        notes.append(f"The {what} was cut {sides} to fit {width} x {height}.")
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), notes


def open_image(path: Path, what: str) -> tuple[Image.Image, list[str]]:
    """The image upright, in RGB, without transparency. Raises UsageError for other files and for very large images."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            text = _("{name} is too large for a {what}. Make it smaller first.")
            raise UsageError(text.format(name=path.name, what=what))
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise Image.DecompressionBombError
                notes = [f"{path.name} moves: its first frame was used."] if getattr(image, "n_frames", 1) > 1 else []
                image.load()
                return _to_rgb(ImageOps.exif_transpose(image)), notes
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        text = _("{name} has too many pixels for a {what}. Make it smaller first.")
        raise UsageError(text.format(name=path.name, what=what)) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        text = _("{name} can't be read as an image. Give a PNG, JPEG or WebP.")
        raise UsageError(text.format(name=path.name)) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Depth is often saved in 16 bits, which Pillow would cut off instead of scaling."""
    if image.mode.startswith(("I", "F")):
        return to_grey(np.asarray(image, dtype=np.float64))
    if "A" in image.getbands() or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", with_alpha.size, "white"), with_alpha).convert("RGB")
    return image.convert("RGB")


def to_grey(values: NDArray[np.float64]) -> Image.Image:
    """Scales any range of numbers to black and white."""
    finite = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    scaled = (finite - low) * (255.0 / (high - low)) if high > low else np.zeros_like(finite)
    return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
