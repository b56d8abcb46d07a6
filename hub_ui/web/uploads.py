"""The files that people give to the page: one route takes them, and a name that nobody guesses leads back to each.

Each is bounded, and all of an hour fill no more of the disk than their room. Of an image, a page says how it was made.
"""

import hmac
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Annotated, Any, BinaryIO

import anyio
from anyio import to_thread
from fastapi import Form, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from connectors.errors import HubUiError, NotFound, UsageError
from hub_ui.access.visitor import current_visitor
from hub_ui.app.dropped_images import read_dropped
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.base.image_files import TooLarge, open_image, read_input
from hub_ui.settings import WebLimits
from hub_ui.web.images import FORMAT_TYPES, MP4, PRIVATE, sweep
from hub_ui.web.layout.pages import Room, is_part, page_address, route
from hub_ui.web.requests import TOO_LARGE, Refused
from hub_ui.web.try_page.form import PageState, read_address
from hub_ui.web.view import StackedLora, View

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
NOTHING = N_("Choose a file first.")
GONE = N_("The file that was uploaded is no longer here. Choose it again.")
_UNSAFE = re.compile(r"[^\w .()+-]")

UploadName = Annotated[str, Query(max_length=60)]


@dataclass(kw_only=True, eq=False)
class Upload:
    """`promised` bytes at most, of which `received` came."""

    began: float
    promised: int
    received: int = 0


@dataclass(kw_only=True, eq=False)
class Uploads:
    """What came in the last `keep_seconds`, after which files are deleted. Any thread may call any method.

    Each file is in a folder of its own, whose name follows from the upload's name and its visitor: for another visitor
    the same name leads nowhere. `spend` counts bytes for the present visitor, and raises one of our errors when they
    are too many.
    """

    folder: Path
    limits: WebLimits
    spend: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    _uploads: deque[Upload] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, announced: int | None, most: int | None = None) -> Upload:
        """Reserves room for a request's body. Raises Refused; None is a body that does not say how long it is."""
        most = (most or self.limits.upload_bytes) + 1_000_000
        if announced is not None and announced > most:
            raise Refused(_(TOO_LARGE), 413)
        sweep(self.folder, self.limits.keep_seconds)
        promised = max(most if announced is None else announced, _LEAST_BYTES)
        if self.folder.exists() and shutil.disk_usage(self.folder).free < promised + _SPARE_BYTES:
            raise Refused(_(_NO_ROOM), 507)
        with self._lock:
            now = self.clock()
            while self._uploads and now - self._uploads[0].began > self.limits.keep_seconds:
                self._uploads.popleft()
            if sum(upload.promised for upload in self._uploads) + promised > self.limits.uploads_bytes:
                raise Refused(_(_NO_ROOM), 507)
            try:
                self.spend(promised)
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
        self, request: Request, max_files: int, *, most: int | None = None, max_part_size: int = 2**20
    ) -> AsyncIterator[FormData]:
        """The fields and files of a request, within the limits. `most` bytes, if they are others than of an upload.

        Raises UsageError for a body that is no form, or ends before it is whole.
        """
        length = request.headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else None
        upload = await to_thread.run_sync(self.begin, announced, most)
        try:
            limited = Request(request.scope, receive_upload(upload, request.receive))
            async with limited.form(max_files=max_files, max_fields=MOST_FIELDS, max_part_size=max_part_size) as form:
                yield form
        except (HTTPException, ClientDisconnect) as error:
            raise UsageError(_(NOTHING)) from error
        finally:
            self.end(upload)

    def keep(self, file: BinaryIO, file_name: str) -> str:
        """Returns the upload's name. Raises Refused for an image of too many pixels."""
        name = token_urlsafe(24)
        path = self._folder(name) / plain_name(file_name)
        path.parent.mkdir(parents=True)
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)
        try:
            check_pixels(path, self.limits.pixels)
        except Refused:
            shutil.rmtree(path.parent)
            raise
        return name

    def path(self, name: str) -> Path:
        """Raises NotFound for what is gone, and for a name of somebody else."""
        folder = self._folder(name)
        found = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        if not found:
            raise NotFound(_(GONE))
        return found[0]

    def _folder(self, name: str) -> Path:
        visitor = current_visitor()
        text = f"{name} {visitor.person if visitor else ''}"
        return self.folder / FOLDER / hmac.digest(self.secret, text.encode(), "sha256").hex()[:40]


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


MOST_FILES = 3
# The file fields of our forms.
FIELDS = ("file", "image_file", "control_file")


@dataclass(frozen=True, kw_only=True)
class DroppedRoutes(Room):
    uploads: Uploads

    # Hubs may be asked for each LoRA of an image.
    most_at_once = 16

    @route("GET /uploaded")
    def show(self, name: UploadName) -> Response:
        return image_response(self.uploads.path(name))

    @route("GET /image", waits=True)
    def image(self, request: Request, name: UploadName = "") -> Response:
        values = self.values(name, self.uploads.path(name)) if name else {}
        if name and is_part(request):
            return self.pages.part("try_page/dropped", **values)
        title = _("How was this image made?")
        return self.pages.own(request, "try_page/image_page", "image", title, **{"name": "", **values})

    @route("POST /image/forget")
    def forget(self, request: Request, name: Annotated[str, Form(max_length=60)]) -> Response:
        with suppress(NotFound):
            shutil.rmtree(self.uploads.path(name).parent, ignore_errors=True)
        return HTMLResponse("") if is_part(request) else RedirectResponse("../image", 303)

    @route("POST /upload")
    async def receive(self, request: Request) -> Response:
        async with self.uploads.read_form(request, MOST_FILES) as form:
            return await to_thread.run_sync(self.answer, request, form)

    def answer(self, request: Request, form: FormData) -> Response:
        """To the first field with a file, or to one that is emptied."""
        given = ((name, file) for name, file in form.multi_items() if isinstance(file, UploadFile) and file.size)
        field, file = next(given, (text_of(form, "remove"), None))
        if field not in FIELDS or (field == "file" and file is None):
            raise UsageError(_(NOTHING))
        name = self.uploads.keep(file.file, file.filename or "") if file is not None else ""
        if field != "file":
            return self.answer_choice(request, form, field.removesuffix("_file"), name)
        # It stands on the page at once, and what it was made with comes when it is known.
        shown = {"name": name, "file": self.uploads.path(name).name, "problem": "", "waits": True}
        return self.pages.after_act(request, "try_page/dropped", page_address(f"name={name}", "image"), **shown)

    def answer_choice(self, request: Request, form: FormData, field: str, name: str) -> Response:
        """The form's images as they are now, an empty name for none; without JavaScript, the page with them.

        Hidden fields hold what was chosen before.
        """
        if name:
            read_input(self.uploads.path(name), "picture")
        chosen = {"image": text_of(form, "image", 60), "control": text_of(form, "control", 60), field: name}
        state = replace(read_address(text_of(form, "back")), image=chosen["image"], control=chosen["control"])
        return self.pages.after_act(request, "try_page/chosen_images", state.link(), state=state)

    def values(self, name: str, path: Path) -> dict[str, Any]:
        shown = {"name": name, "file": path.name, "problem": "", "waits": False}
        try:
            found = read_dropped(self.services, path)
        except UsageError as error:
            return {**shown, "problem": error.message}
        stack = tuple(StackedLora(ref=lora.ref, weight=lora.weight) for lora in found.loras if lora.ref)
        filled = PageState(view=View(page="try", stack=stack, settings=found.settings))
        # A sheet is compared with nothing, and neither is a clip: the same is made.
        again = filled if found.is_sheet or path.suffix.lower() == ".mp4" else replace(filled, again=name)
        addresses = {"fill": filled.link(), "again": again.link()}
        return {**shown, "dropped": found, **addresses}
