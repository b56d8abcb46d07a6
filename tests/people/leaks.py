"""Looks for what must not be where it is: keys, what belongs to another person, and folders of the server.

Words are looked for as they stand and in base64, also within what is packed: gzip, zstd, rows of SQLite, texts of
images, data URLs. Images are looked at too: a person's own have colours that no other image has.
"""

import base64
import gzip
import io
import re
import sqlite3
import warnings
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import zstandard
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
# A picture is "words" too: what a person put in.
Kind = Literal["key", "words", "folder"]
_DATA_URL = re.compile(rb"data:image/[a-z+]+;base64,([A-Za-z0-9+/]{40,}=*)")
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_GZIP, _ZSTD, _ZLIB, _SQLITE = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    (b"\x78\x01", b"\x78\x9c", b"\x78\xda"),
    b"SQLite format 3",
)
_DEEPEST = 4
_AROUND = 60
# How far a colour may be off after a JPEG or another size, and how much of the image has to have each.
_OFF, _SHARE = 14, 0.04


@dataclass(frozen=True, kw_only=True)
class Secret:
    """`of` may receive it; "" is nobody."""

    text: str
    what: str
    of: str = ""
    kind: Kind = "words"


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Those of a person's own images."""

    of: str
    three: tuple[Colour, Colour, Colour]

    def image(self, width: int = 96, height: int = 96) -> Image.Image:
        image = Image.new("RGB", (width, height), self.three[0])
        draw = ImageDraw.Draw(image)
        draw.rectangle((width // 4, height // 4, width // 2, height * 3 // 4), fill=self.three[1])
        draw.ellipse((width // 2, height // 3, width * 7 // 8, height * 7 // 8), fill=self.three[2])
        return image

    def are_in(self, data: bytes) -> bool:
        try:
            with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
                warnings.simplefilter("ignore")
                small = image.convert("RGB").resize((64, 64), Image.Resampling.NEAREST)
        except (OSError, ValueError, SyntaxError):
            return False
        pixels = np.asarray(small, dtype=int).reshape(-1, 3)
        return all((abs(pixels - colour).max(axis=1) <= _OFF).mean() >= _SHARE for colour in self.three)


@dataclass(frozen=True, kw_only=True)
class Finding:
    where: str
    what: str
    kind: Kind = "words"
    around: str = ""

    def __str__(self) -> str:
        return f"{self.what} in {self.where}: …{self.around}…" if self.around else f"{self.what} in {self.where}"


@dataclass(frozen=True, kw_only=True)
class Scan:
    secrets: Sequence[Secret]
    colours: Sequence[Colours] = field(default=())

    def find(
        self, where: str, data: bytes, *, reader: str = "", kinds: Collection[Kind] = ("key", "words", "folder")
    ) -> list[Finding]:
        """What of `data` is not `reader`'s, once each. No reader: nobody may find it there."""
        found: dict[str, Finding] = {}
        wanted = [each for each in self.secrets if each.kind in kinds and not (reader and each.of == reader)]
        palettes = [each for each in self.colours if "words" in kinds and each.of != reader]
        for inside, layer in _layers(where, data):
            small = layer.lower()
            for secret in wanted:
                at = next(_places(secret.text, layer, small), -1)
                if at >= 0 and secret.what not in found:
                    around = layer[max(0, at - _AROUND) : at + len(secret.text) + _AROUND].decode("latin-1")
                    found[secret.what] = Finding(
                        where=inside, what=secret.what, kind=secret.kind, around=repr(around)[1:-1]
                    )
            for colours in palettes if layer.startswith(_IMAGES) else ():
                if colours.are_in(layer):
                    what = f"an image of {colours.of}"
                    found.setdefault(what, Finding(where=inside, what=what))
        return list(found.values())

    def find_in_files(self, folder: Path, *, kinds: Collection[Kind] = ("key", "words")) -> list[Finding]:
        """In their bytes and names, and in what the rows of databases hold."""
        found = []
        for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
            where = str(path.relative_to(folder))
            found += self.find(f"the name of {where}", where.encode(), kinds=kinds)
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            found += self.find(where, data, kinds=kinds)
            if data.startswith(_SQLITE):
                for place, value in _rows(path):
                    found += self.find(f"{where}, {place}", value, kinds=kinds)
        return list({(each.where, each.what): each for each in found}.values())


def _places(text: str, layer: bytes, small: bytes) -> Iterator[int]:
    """Where it stands, in whatever case, or in base64 wherever that begins in a group of three bytes."""
    if (at := small.find(text.lower().encode())) >= 0:
        yield at
    for form in _packed(text):
        if (at := layer.find(form)) >= 0:
            yield at


@cache
def _packed(text: str) -> tuple[bytes, ...]:
    packed = (base64.b64encode(b"\0" * before + text.encode()).rstrip(b"=") for before in range(3))
    # The first and last characters also hold bits of the neighbours.
    return tuple(each[(before * 8 + 5) // 6 : -1] for before, each in enumerate(packed))


def _layers(where: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """The data itself, and whatever is packed in it."""
    yield where, data
    if depth == _DEEPEST:
        return
    for name, inner in _unpacked(data):
        yield from _layers(f"{where}, {name}", inner, depth + 1)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        if data.startswith(_GZIP):
            yield "unpacked", gzip.decompress(data)
        elif data.startswith(_ZSTD):
            yield "unpacked", zstandard.ZstdDecompressor().stream_reader(data).read()
        elif data.startswith(_ZLIB):
            yield "unpacked", zlib.decompress(data)
        elif data.startswith(_IMAGES):
            yield from _texts_of_image(data)
    except (OSError, EOFError, ValueError, SyntaxError, zlib.error, zstandard.ZstdError):
        return
    for match in _DATA_URL.finditer(data):
        yield "a data URL", base64.b64decode(match[1] + b"=" * (-len(match[1]) % 4))


def _texts_of_image(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Texts may be compressed, and those of EXIF are of two bytes a letter."""
    with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
        warnings.simplefilter("ignore")
        image.load()
        for name, value in image.info.items():
            text = value if isinstance(value, bytes) else str(value).encode()
            yield f"text {name}", text.replace(b"\0", b"") if name == "exif" else text


def _rows(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, str | bytes):
                        yield f"table {table}", value if isinstance(value, bytes) else value.encode("utf-8", "replace")
