"""Images as files, and what other programs write into them."""

import io
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def image_bytes(image: Image.Image | int = 8, form: str = "PNG", **options: Any) -> bytes:
    """A number is the side of a square."""
    held = io.BytesIO()
    (Image.new("RGB", (image, image), "teal") if isinstance(image, int) else image).save(held, form, **options)
    return held.getvalue()


def texts(**chunks: str) -> PngInfo:
    """Of a PNG, by their keys, in which "_" stands for "-"."""
    info = PngInfo()
    for key, text in chunks.items():
        info.add_itxt(key.replace("_", "-"), text)
    return info


def write_png(path: Path, **chunks: str) -> Path:
    path.write_bytes(image_bytes(32, pnginfo=texts(**chunks)))
    return path
