"""The latest results, stored as PNGs with their provenance in one folder: one file for each image of a comparison.

    20261124-223801-042-1a2b3c-01.png    the images of a comparison, in the order of its cells
    20261124-223801-042-1a2b3c-control.png
    small/20261124-223801-042-1a2b3c.webp
    unfinished/                          the images of comparisons that were stopped

The user may put other files into the folder: they are ignored, and damaged images are skipped. `Uses` tells the library
when each LoRA last made an image, and has a thumbnail of that image.
"""

import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cachetools import LRUCache
from PIL import Image, ImageSequence

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.ref import Ref
from hub_ui.base.disk import stamp
from hub_ui.base.i18n import _
from hub_ui.base.image_files import open_image
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.compare.lora_axis import Part
from hub_ui.generate.lora.load import identity
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GeneratedImage, GenerationResult
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance, library_versions

_ID = re.compile(r"(?P<second>\d{8}-\d{6})-(?P<ms>\d{3})-[0-9a-f]{6}")
_FILE = re.compile(rf"(?P<id>{_ID.pattern})-(?P<cell>\d\d)\.png")
_MOST = 200
_THUMBNAIL = 320
_MOST_UNFINISHED = 5
GONE = "That image is no longer kept. Make it again."


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One result. `at` is in seconds since 1970, `paths` follow the cells, `thumbnail` is a WebP of the last image."""

    id: str
    at: float
    provenance: Provenance
    paths: tuple[Path, ...]
    thumbnail: Path

    @property
    def title(self) -> str:
        return " + ".join(lora.title or str(lora.ref) for lora in self.provenance.loras) or _("the base alone")


def group_entries(entries: Iterable[HistoryEntry]) -> Sequence[Sequence[HistoryEntry]]:
    """Group results by request: the same LoRAs, prompt, base and seed. A group has the place of its first result.

    Repeated results with the same settings appear once.
    """
    groups: dict[Any, list[HistoryEntry]] = {}
    seen: set[Any] = set()
    for entry in entries:
        image = entry.provenance
        settings = repr(replace(image, report=None, libraries={})), image.report and image.report.place
        if settings not in seen:
            seen.add(settings)
            loras = frozenset(lora.ref.lora for lora in image.loras)
            request = loras, image.typed or image.prompt, image.negative, image.base, image.seed
            groups.setdefault(request, []).append(entry)
    return [*groups.values()]


class History:
    def __init__(self, folder: Path, *, most: int = _MOST) -> None:
        self._folder = folder
        self._most = most
        # An entry's files never change.
        self._read: LRUCache[str, HistoryEntry] = LRUCache(2 * most)
        self._lock = threading.Lock()

    def add(self, result: GenerationResult) -> HistoryEntry:
        """Save the images of a comparison, and remove the oldest entries beyond the limit."""
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}-{secrets.token_hex(3)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for cell in range(len(result.images)):
                path = self._folder / f"{name}-{cell + 1:02}.png"
                part = path.with_suffix(".part")
                png_metadata.save(result, cell, part)
                part.replace(path)
            if result.report.control is not None:
                result.report.control.save(self._control(name), format="PNG")
            self._save_thumbnail(name, result.images[-1].image)
        except OSError as error:
            self.remove(name)
            text = _("The image could not be kept in {folder}: {value}. Save it yourself.")
            raise HubUiError(text.format(folder=self._folder, value=error.strerror or error)) from error
        for old in [*reversed(self._files())][self._most :]:
            self.remove(old)
        return self.entry(name)

    def entries(self) -> list[HistoryEntry]:
        """Return the entries, newest first, without unreadable ones."""
        found: list[HistoryEntry] = []
        for name, paths in reversed(self._files().items()):
            with self._lock:
                entry = self._read.get(name)
            with suppress(UsageError, NotFound):
                if entry is None or entry.paths != tuple(paths):
                    entry = self.entry(name)
                    with self._lock:
                        self._read[name] = entry
                found.append(entry)
        return found

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all entries, newest first."""
        return tuple(reversed(self._files()))

    def load(self, name: str) -> GenerationResult:
        """Rebuild the result that was added. Raises NotFound if images are missing, UsageError if unreadable."""
        entry = self.entry(name)
        provenances = [png_metadata.read(path) for path in entry.paths]
        result = png_metadata.restore(provenances, [_read_picture(path) for path in entry.paths])
        if result is None:
            raise NotFound(_("Some of its images are gone. {gone}").format(gone=GONE))
        if not self._control(name).is_file():
            return result
        return replace(result, report=replace(result.report, control=_read_picture(self._control(name)).image))

    def remove(self, name: str) -> None:
        """Delete an entry's files. Files that are already missing are not an error."""
        for path in (*self._paths(name), self._thumbnail(name)):
            with suppress(OSError):
                path.unlink()

    def trash(self, name: str) -> None:
        """Remove an entry so that `bring_back` can restore it, until the next entry is removed."""
        trash = self._folder / "removed"
        trash.mkdir(parents=True, exist_ok=True)
        for old in trash.iterdir():
            with suppress(OSError):
                old.unlink()
        for path in self._paths(name):
            with suppress(OSError):
                path.replace(trash / path.name)

    def bring_back(self, name: str) -> None:
        """Restore the entry that `trash` removed last."""
        for path in (self._folder / "removed").glob("*.png") if _ID.fullmatch(name) else ():
            if path.name.startswith(name):
                path.replace(self._folder / path.name)

    def _paths(self, name: str) -> tuple[Path, ...]:
        return (*self._files().get(name, ()), self._control(name)) if _ID.fullmatch(name) else ()

    def _control(self, name: str) -> Path:
        return self._folder / f"{name}-control.png"

    def _thumbnail(self, name: str) -> Path:
        return self._folder / "small" / f"{name}.webp"

    def _files(self) -> dict[str, list[Path]]:
        """Return the images of each entry in the order of the cells, with the oldest entry first."""
        files: dict[str, list[Path]] = {}
        with suppress(OSError):
            for match in filter(None, map(_FILE.fullmatch, sorted(os.listdir(self._folder)))):
                files.setdefault(match["id"], []).append(self._folder / match.string)
        return files

    def _save_thumbnail(self, name: str, image: Image.Image) -> None:
        path = self._thumbnail(name)
        path.parent.mkdir(exist_ok=True)
        small = image.convert("RGB")
        small.thumbnail((_THUMBNAIL, _THUMBNAIL))
        small.save(path, format="WEBP", quality=80)

    def entry(self, name: str) -> HistoryEntry:
        """Return the entry with this id. Raises NotFound if it is missing, UsageError if it is unreadable."""
        match = _ID.fullmatch(name)
        paths = tuple(self._files().get(name, ()))
        if match is None or not paths:
            raise NotFound(GONE)
        try:
            second = datetime.strptime(match["second"], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise NotFound(GONE) from error
        thumbnail = self._thumbnail(name)
        if not thumbnail.is_file():
            try:
                self._save_thumbnail(name, _read_picture(paths[-1]).image)
            except OSError:
                thumbnail = paths[-1]  # the disk may be full
        return HistoryEntry(
            id=name,
            at=second + int(match["ms"]) / 1000,
            provenance=png_metadata.read(paths[0]),
            paths=paths,
            thumbnail=thumbnail,
        )


def _read_picture(path: Path) -> GeneratedImage:
    """Read an image, or all frames of a video: `image` is then the middle frame."""
    try:
        with open_image(path) as image:
            frames = tuple(frame.convert("RGB") for frame in ImageSequence.Iterator(image))
    except ValueError as error:
        raise UsageError(_("{name} can't be read as an image.").format(name=path.name)) from error
    return GeneratedImage(image=frames[len(frames) // 2], frames=frames if len(frames) > 1 else (), seconds=0.0)


class Uses:
    """The latest history entry of each LoRA, cached until the history changes."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._ids: tuple[str, ...] = ()
        self._latest: Mapping[Ref, HistoryEntry] = {}
        self._times: Mapping[Ref, float] = MappingProxyType({})

    def latest(self) -> Mapping[Ref, HistoryEntry]:
        """Return the latest entry by LoRA (a ref without version and file)."""
        with self._lock:
            ids = self._history.ids()
            if ids != self._ids:
                entries = reversed(self._history.entries())
                self._latest = {lora.ref.lora: entry for entry in entries for lora in entry.provenance.loras}
                self._times = MappingProxyType({ref: entry.at for ref, entry in self._latest.items()})
                self._ids = ids
            return self._latest

    def times(self) -> Mapping[Ref, float]:
        """Return the time of the latest entry by LoRA. The object is the same until the history changes."""
        self.latest()
        return self._times


class UnfinishedComparison:
    """The parts of one comparison of LoRAs that were generated before it was stopped.

    They are in a folder below `folder`, named by a hash of everything that determines the images. The latest
    _MOST_UNFINISHED comparisons are kept.
    """

    def __init__(self, folder: Path, request: GenerationRequest, comparison: Comparison) -> None:
        files = [identity(adapter) for adapter in request.adapters]
        inputs = [stamp(path) for path in (request.control, request.image) if path is not None]
        # The permission to download a base does not change the image.
        request = replace(request, may_fetch=False)
        said = repr((request, comparison, files, inputs, library_versions()))
        self._all, self._folder = folder, folder / sha256(said.encode()).hexdigest()[:24]

    @property
    def has_begun(self) -> bool:
        return self._folder.is_dir()

    def find(self, part: Part) -> GenerationResult | None:
        """Return the result of a part, or None if it was not generated or its images can't be read."""
        history = self._history(part)
        with suppress(HubUiError):
            for name in history.ids():
                return history.load(name)
        return None

    def add(self, part: Part, made: GenerationResult) -> None:
        """Store the result of a part. Ignore write errors, which only cost generating the part again after a stop."""
        with suppress(HubUiError):
            self._history(part).add(made)
        with suppress(OSError):
            others = sorted(self._all.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            for old in others[_MOST_UNFINISHED:]:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _history(self, part: Part) -> History:
        return History(self._folder / str(part.columns.start))
