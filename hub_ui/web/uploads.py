"""The files that people give to the page: one route takes them, and a name that nobody guesses leads back to each.

Each is bounded, and all of an hour fill no more of the disk than their room.
"""

import hmac
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Annotated, BinaryIO

import anyio
from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import FormData
from starlette.types import Message, Receive

from connectors.errors import HubUiError, NotFound
from hub_ui import format
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import N_, _
from hub_ui.settings.policy import WebLimits
from hub_ui.web.images import FORMAT_TYPES, MP4, PRIVATE, TooLarge, open_image
from hub_ui.web.requests import TOO_LARGE, Refused

_SPARE_BYTES = 500_000_000
# What a small file takes of a disk, and of this server.
_LEAST_BYTES = 65_536
# Without a byte for so long, an upload has stopped; and none takes longer than the second.
_SECONDS_BETWEEN_BYTES = 30.0
_SECONDS = 1_800.0
_NO_ROOM = N_("There is no room for another file here just now. Try again in an hour.")
# Beside the generated images, which are swept with it, and two folders deep: no other route serves it.
FOLDER = "uploads"
LONGEST_NAME = 60
MOST_FIELDS = 40
GONE = N_("The file that was uploaded is no longer here. Choose it again.")
_NAME = re.compile(r"[\w-]{20,60}")
_UNSAFE = re.compile(r"[^\w .()+-]")

UploadName = Annotated[str, Query(max_length=60)]


@dataclass(kw_only=True, eq=False)
class Upload:
    """`promised` bytes at most, of which `received` came."""

    began: float
    promised: int
    received: int = 0


class Uploads:
    """What came in the last `keep_seconds`, after which files are deleted. Any thread may call any method."""

    def __init__(
        self,
        folder: Path,
        limits: WebLimits,
        spend: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spend` counts bytes for the present visitor, and raises one of our errors when they are too many."""
        self._folder = folder
        self._limits = limits
        self._spend = spend
        self._clock = clock
        self._uploads: deque[Upload] = deque()
        self._lock = threading.Lock()

    def begin(self, announced: int | None) -> Upload:
        """Reserves room for a request's body. Raises Refused; None is a body that does not say how long it is."""
        most = self._limits.upload_bytes + 1_000_000
        if announced is not None and announced > most:
            raise Refused(_(TOO_LARGE), 413)
        sweep(self._folder, time.time() - self._limits.keep_seconds)
        promised = max(most if announced is None else announced, _LEAST_BYTES)
        if self._folder.exists() and shutil.disk_usage(self._folder).free < promised + _SPARE_BYTES:
            raise Refused(_(_NO_ROOM), 507)
        with self._lock:
            now = self._clock()
            while self._uploads and now - self._uploads[0].began > self._limits.keep_seconds:
                self._uploads.popleft()
            if sum(upload.promised for upload in self._uploads) + promised > self._limits.uploads_bytes:
                raise Refused(_(_NO_ROOM), 507)
            try:
                self._spend(promised)
            except HubUiError as error:
                raise Refused(error.message, 429) from error
            upload = Upload(began=now, promised=promised)
            self._uploads.append(upload)
            return upload

    def end(self, upload: Upload) -> None:
        """From now on it takes what came of it."""
        upload.promised = max(upload.received, _LEAST_BYTES)

    @asynccontextmanager
    async def read_form(
        self, request: Request, max_files: int, *, max_part_size: int = 2**20
    ) -> AsyncIterator[FormData]:
        """The fields and files of a request, within the limits."""
        length = request.headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else None
        upload = await anyio.to_thread.run_sync(self.begin, announced)
        try:
            limited = Request(request.scope, receive_upload(upload, request.receive))
            async with limited.form(max_files=max_files, max_fields=MOST_FIELDS, max_part_size=max_part_size) as form:
                yield form
        finally:
            self.end(upload)


def receive_upload(upload: Upload, receive: Receive) -> Receive:
    """The body, up to what was promised. Raises Refused for more, and for one that has stopped."""

    async def receive_limited() -> Message:
        try:
            with anyio.fail_after(_SECONDS_BETWEEN_BYTES):
                message = await receive()
        except TimeoutError as error:
            raise Refused(_("The file stopped arriving. Choose it again."), 408) from error
        upload.received += len(message.get("body", b""))
        if upload.received > upload.promised or time.monotonic() - upload.began > _SECONDS:
            raise Refused(_(TOO_LARGE), 413)
        return message

    return receive_limited


def sweep(folder: Path, before: float) -> None:
    """Removes images and uploads last changed before a time, including incomplete ones."""
    for path in folder.glob("**/*"):
        with suppress(OSError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()


@dataclass(frozen=True, kw_only=True)
class UploadedFiles:
    """Each in a folder of its own, whose name follows from the upload's name and its visitor: for another visitor the
    same name leads nowhere.
    """

    folder: Path
    pixels: int
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)

    def keep(self, file: BinaryIO, file_name: str) -> str:
        """Returns the upload's name. Raises Refused for an image of too many pixels."""
        name = token_urlsafe(24)
        path = self._folder(name) / plain_name(file_name)
        path.parent.mkdir(parents=True)
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)
        try:
            check_pixels(path, self.pixels)
        except Refused:
            shutil.rmtree(path.parent)
            raise
        return name

    def path(self, name: str) -> Path:
        """Raises NotFound for what is gone, and for a name of somebody else."""
        folder = self._folder(name) if _NAME.fullmatch(name) else None
        found = (
            next((path for path in folder.iterdir() if path.is_file()), None) if folder and folder.is_dir() else None
        )
        if found is None:
            raise NotFound(_(GONE))
        return found

    def _folder(self, name: str) -> Path:
        visitor = current_visitor()
        text = f"{name} {visitor.person if visitor else ''}"
        return self.folder / FOLDER / hmac.digest(self.secret, text.encode(), "sha256").hex()[:40]


def check_pixels(path: Path, most: int) -> None:
    """Reads the header alone. A file that is no image passes. Raises Refused."""
    try:
        with open_image(path, most, formats=None):
            return
    except TooLarge as error:
        text = _("{name} has more than {most_pixels} million pixels. Make it smaller first.")
        raise Refused(text.format(name=path.name, most_pixels=most // 1_000_000), 413) from error
    except ValueError:
        return


def plain_name(text: str, longest: int = LONGEST_NAME) -> str:
    """A file's name without folders, hidden characters and leading dots, which any disk can hold."""
    name = _UNSAFE.sub("_", format.visible(text.replace("\\", "/").rpartition("/")[2])).lstrip(". ")
    stem, dot, suffix = name.rpartition(".")
    short = f"{stem[: longest - 12]}{dot}{suffix[:11]}" if dot else name[:longest]
    return short.strip() or "file"


def text_of(form: FormData, name: str, longest: int = 8000) -> str:
    value = form.get(name)
    return value[:longest] if isinstance(value, str) else ""


def image_response(path: Path) -> Response:
    """The file of an image or an MP4, by what its bytes are. Raises NotFound for all else, which is not handed on."""
    try:
        with path.open("rb") as file:
            if MP4.match(file.read(16)):
                return FileResponse(path, media_type="video/mp4", headers=PRIVATE)
        with open_image(path) as image:
            media_type = FORMAT_TYPES[image.format or ""]
    except (OSError, ValueError) as error:
        raise NotFound(_("This is not an image that can be shown.")) from error
    return FileResponse(path, media_type=media_type, headers=PRIVATE)
