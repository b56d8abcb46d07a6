"""The files that a request names: only those that were uploaded, and no image that is too large to open.

Gradio's own checks differ from component to component (6.31): an image without `meta` is not checked at all, and is
opened and converted before a handler sees it. So a request's body is checked as a whole, before Gradio reads it.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from hub_ui.web.refusal import Refused

_NOT_UPLOADED = "Only a file that was uploaded here can be used. Choose the file again."
# What Pillow says of damaged and hostile files, while it reads their headers.
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, OverflowError)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_files(data: Any, uploaded: Callable[[str], bool], most_pixels: int) -> None:
    """Raises Refused for a file of `data` that was not uploaded, or has more pixels than may be opened."""
    for file in files_in(data):
        path, url = file.get("path"), file.get("url")
        if not isinstance(path, str) or not uploaded(path):
            raise Refused(_NOT_UPLOADED, 403)
        # The page names a file's address on this server beside its path. Any other address leads elsewhere.
        is_own = isinstance(url, str) and url.startswith(("http", "/")) and url.endswith(f"file={path}")
        if url is not None and not is_own:
            raise Refused(_NOT_UPLOADED, 403)
        check_pixels(Path(path), most_pixels)


def files_in(data: Any) -> Iterator[dict[str, Any]]:
    """Everything in a request's data that Gradio may take for a file."""
    if isinstance(data, dict):
        if "path" in data or "url" in data:
            yield data
        for value in data.values():
            yield from files_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from files_in(value)


def check_pixels(path: Path, most_pixels: int) -> None:
    """Reads the header alone. What is no image has no pixels."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Refused(_NOT_UPLOADED, 403)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                pixels = image.width * image.height
    except FileNotFoundError as error:
        raise Refused("The file that was uploaded is no longer here. Choose it again.", 410) from error
    except _BOMBS:
        pixels = most_pixels + 1
    except _UNREADABLE:
        return
    if pixels > most_pixels:
        raise Refused(
            f"{path.name} has more than {most_pixels // 1_000_000} million pixels. Make it smaller first.", 413
        )
