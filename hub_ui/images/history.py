"""What was made lately, kept as stamped PNGs in one folder: an entry a sheet, a file a picture.

    20261124-223801-042-1a2b3c-01.png    the pictures of a sheet, in the order of its cells
    20261124-223801-042-1a2b3c-control.png
    small/20261124-223801-042-1a2b3c.webp

The folder is the person's own: files of other names are left alone, damaged ones passed over.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageSequence

from connectors.errors import HubUiError, NotFound, UsageError
from hub_ui.generate.request import GeneratedImage, GenerationResult
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance

_ID = re.compile(r"(?P<day>\d{8})-(?P<time>\d{6})-(?P<ms>\d{3})-[0-9a-f]{6}")
_FILE = re.compile(rf"(?P<id>{_ID.pattern})-(?P<cell>\d\d)\.png")
_MOST = 200
_SIDE = 320
GONE = "That picture is no longer kept. Make it again."


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """`at` is in seconds since 1970, `paths` in the order of the sheet's cells, `stamp` that of the first.

    `thumbnail` is a small WebP of the last one, which has the LoRAs on.
    """

    id: str
    at: float
    stamp: Provenance
    paths: tuple[Path, ...]
    thumbnail: Path


class History:
    def __init__(self, folder: Path, *, most: int = _MOST) -> None:
        self._folder = folder
        self._most = most

    def add(self, made: GenerationResult) -> Kept:
        """Keeps the pictures of a sheet; the oldest sheets beyond the number that is kept go."""
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}-{secrets.token_hex(3)}"
        try:
            self._small.mkdir(parents=True, exist_ok=True)
            self._write(name, made)
        except OSError as error:
            self.remove(name)
            raise HubUiError(
                f"The picture could not be kept in {self._folder}: {error.strerror or error}. Save it yourself."
            ) from error
        for old in [*self._ids()][self._most :]:
            self.remove(old)
        return self._kept(name)

    def entries(self, limit: int = _MOST) -> list[Kept]:
        """Newest first. What can't be read is passed over."""
        found: list[Kept] = []
        for name in self._ids():
            with suppress(UsageError, NotFound):
                found.append(self._kept(name))
            if len(found) >= limit:
                break
        return found

    def made(self, name: str) -> GenerationResult:
        """A sheet as it was made. Raises NotFound when it is gone, UsageError for one that can't be read."""
        kept = self._kept(name)
        stamps = [png_metadata.read(path) for path in kept.paths]
        whole = png_metadata.made(stamps, [_picture(path) for path in kept.paths])
        if whole is None:
            raise NotFound(f"Some of its pictures are gone. {GONE}")
        control = self._folder / f"{name}-control.png"
        return replace(whole, report=replace(whole.report, control=_image(control))) if control.is_file() else whole

    def remove(self, name: str) -> None:
        """Takes a sheet's files away; one that is gone already is none the less removed."""
        if not _ID.fullmatch(name):
            return
        for path in (*self._files(name), self._folder / f"{name}-control.png", self._small / f"{name}.webp"):
            with suppress(OSError):
                path.unlink()

    @property
    def _small(self) -> Path:
        return self._folder / "small"

    def _ids(self) -> Sequence[str]:
        found = {match["id"] for match in map(_FILE.fullmatch, self._names()) if match}
        return sorted(found, reverse=True)

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except OSError:
            return []

    def _files(self, name: str) -> list[Path]:
        matches = [match for match in map(_FILE.fullmatch, self._names()) if match and match["id"] == name]
        return [self._folder / match.string for match in sorted(matches, key=lambda match: match["cell"])]

    def _write(self, name: str, made: GenerationResult) -> None:
        hashes = png_metadata.hashes_of(made)
        for cell in range(len(made.pictures)):
            path = self._folder / f"{name}-{cell + 1:02}.png"
            part = path.with_suffix(".part")
            png_metadata.save(made, cell, part, hashes)
            part.replace(path)
        if made.report.control is not None:
            made.report.control.save(self._folder / f"{name}-control.png", format="PNG")
        self._shrink(name, made.pictures[-1].image)

    def _shrink(self, name: str, image: Image.Image) -> Path:
        path = self._small / f"{name}.webp"
        small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE))
        small.save(path, format="WEBP", quality=80)
        return path

    def _kept(self, name: str) -> Kept:
        match = _ID.fullmatch(name)
        paths = tuple(self._files(name)) if match else ()
        if match is None or not paths:
            raise NotFound(GONE)
        thumbnail = self._small / f"{name}.webp"
        if not thumbnail.is_file():
            thumbnail = self._again(name, paths[-1])
        when = _when(match)
        return Kept(id=name, at=when, stamp=png_metadata.read(paths[0]), paths=paths, thumbnail=thumbnail)

    def _again(self, name: str, path: Path) -> Path:
        """A thumbnail that someone took away; the picture itself where there is no room for one."""
        try:
            self._small.mkdir(parents=True, exist_ok=True)
            return self._shrink(name, _image(path))
        except OSError:
            return path


def _when(match: re.Match[str]) -> float:
    try:
        second = datetime.strptime(f"{match['day']}{match['time']}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise NotFound(GONE) from error
    return second.timestamp() + int(match["ms"]) / 1000


def _picture(path: Path) -> GeneratedImage:
    """With all its frames, if it is a clip; the middle one stands for it."""
    try:
        with Image.open(path) as image:
            frames = tuple(frame.convert("RGB") for frame in ImageSequence.Iterator(image))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UsageError(f"{path.name} can't be read as a picture.") from error
    return GeneratedImage(image=frames[len(frames) // 2], frames=frames if len(frames) > 1 else (), seconds=0.0)


def _image(path: Path) -> Image.Image:
    return _picture(path).image
