"""A LoRA's example picture as a PNG small enough to lie beside its file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection

from PIL import Image

from connectors.errors import BadAnswer, HubUiError
from connectors.public_file import fetch_public
from connectors.record import Example, Lora, Nsfw, within
from hub_ui.library.entry import Entry

_MOST_BYTES = 32 * 1024 * 1024
_MOST_PIXELS = 50_000_000
_SIDE = 768
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def example_of(lora: Lora, entry: Entry, ceiling: Nsfw = "soft") -> Example | None:
    """The author's first picture of the entry's version that anyone may see over a shoulder."""
    version = lora.version(entry.ref.version) or lora.version(None)
    shown = [e for e in (version.examples if version else ()) if not e.video and within(e.nsfw, ceiling)]
    safe = [example for example in shown if example.nsfw == "safe"]
    return next(iter(safe or shown), None)


def fetch(example: Example, hosts: Collection[str]) -> bytes:
    """Raises one of our errors when there is no picture to be had. `hosts`: the hubs' own, beside public addresses."""
    return as_png(fetch_public(example.url, hosts=hosts, most=_MOST_BYTES).content)


def as_png(data: bytes) -> bytes:
    """Nothing of the original stays but its pixels: no metadata, no frames after the first."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise _no_picture()
                image.thumbnail((_SIDE, _SIDE))
                small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _no_picture() from error
    target = io.BytesIO()
    Image.frombytes(small.mode, small.size, small.tobytes()).save(target, "PNG")
    return target.getvalue()


def _no_picture() -> HubUiError:
    return BadAnswer("What came is no picture that could be kept.")
