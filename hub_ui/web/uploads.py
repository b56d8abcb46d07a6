"""Storage and routes for uploaded files. Each has an unguessable name, a size limit, and a share of the disk space.

The page /image shows how an uploaded image was generated.
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
# The bytes that a small file counts for, because each file costs disk blocks and memory.
_LEAST_BYTES = 65_536
# An upload is cancelled after the first if no byte arrives, and after the second in any case.
_SECONDS_BETWEEN_BYTES = 30.0
_SECONDS = 1_800.0
_NO_ROOM = N_("There is no room for another file here just now. Try again in an hour.")
# Within the folder of generated images, so that one sweep cleans both. Files are too deep for the images' route.
FOLDER = "uploads"
LONGEST_NAME = 60
MOST_FIELDS = 40
NOTHING = N_("Choose a file first.")
GONE = N_("The file that was uploaded is no longer here. Choose it again.")
_UNSAFE = re.compile(r"[^\w .()+-]")

UploadName = Annotated[str, Query(max_length=60)]


@dataclass(kw_only=True, eq=False)
class Upload:
    """An upload that reserved `promised` bytes, of which `received` have arrived."""

    began: float
    promised: int
    received: int = 0


@dataclass(kw_only=True, eq=False)
class Uploads:
    """The uploads of the last `keep_seconds`. Older files are deleted. All methods are thread-safe.

    Each file is in a folder named by a digest of the upload's name and the visitor, so that other visitors can't use
    the name. `spend` counts bytes against the visitor's quota, and raises HubUiError if the quota is used up.
    """

    folder: Path
    limits: WebLimits
    spend: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    _uploads: deque[Upload] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, announced: int | None, most: int | None = None) -> Upload:
        """Reserve disk space for a request's body. Raise Refused if there is too little.

        `announced` is the Content-Length, None if it is missing. `most` replaces the limit of an upload.
        """
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
        """Reduce the reservation to the received bytes."""
        upload.promised = max(upload.received, _LEAST_BYTES)

    @asynccontextmanager
    async def read_form(
        self, request: Request, max_files: int, *, most: int | None = None, max_part_size: int = 2**20
    ) -> AsyncIterator[FormData]:
        """Yield the fields and files of a request. `most` replaces the limit of an upload, in bytes.

        Raise UsageError if the body is not a form or is truncated, and Refused if it exceeds a limit.
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
        """Store a file and return the upload's name. Raise Refused for an image of too many pixels."""
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
        """Return the path of an upload. Raise NotFound if it was deleted or belongs to another visitor."""
        folder = self._folder(name)
        files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        if not files:
            raise NotFound(_(GONE))
        return files[0]

    def _folder(self, name: str) -> Path:
        visitor = current_visitor()
        text = f"{name} {visitor.person if visitor else ''}"
        return self.folder / FOLDER / hmac.digest(self.secret, text.encode(), "sha256").hex()[:40]


def receive_upload(upload: Upload, receive: Receive) -> Receive:
    """Return a `receive` that counts the bytes of the body. It raises Refused if the body is too large or too slow."""

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
    """Raise Refused for an image of more than `most` pixels. Only the header is read; other files pass."""
    try:
        with open_image(path, most, formats=None):
            return
    except TooLarge as error:
        text = _("{name} has more than {most_pixels} million pixels. Make it smaller first.")
        raise Refused(text.format(name=path.name, most_pixels=most // 1_000_000), 413) from error
    except ValueError:
        return


def plain_name(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a file name that is valid on any disk: no folders, hidden characters or leading dots, and not too long."""
    name = _UNSAFE.sub("_", format.visible(text.replace("\\", "/").rpartition("/")[2])).lstrip(". ")
    stem, dot, suffix = name.rpartition(".")
    short = f"{stem[: longest - 12]}{dot}{suffix[:11]}" if dot else name[:longest]
    return short.strip() or "file"


def text_of(form: FormData, name: str, longest: int = 8000) -> str:
    value = form.get(name)
    return value[:longest] if isinstance(value, str) else ""


def image_response(path: Path) -> Response:
    """Return the response for an image or an MP4, recognised by its bytes. Raise NotFound for other files."""
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

    # Reading an image may query the hubs for each of its LoRAs.
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
        """Store the first uploaded file, or remove the image of the field in `remove`. Raise UsageError if neither."""
        given = ((name, file) for name, file in form.multi_items() if isinstance(file, UploadFile) and file.size)
        field, file = next(given, (text_of(form, "remove"), None))
        if field not in FIELDS or (field == "file" and file is None):
            raise UsageError(_(NOTHING))
        name = self.uploads.keep(file.file, file.filename or "") if file is not None else ""
        if field != "file":
            return self.answer_choice(request, form, field.removesuffix("_file"), name)
        # Show the image at once. A second request fills in how it was made, because that may query the hubs.
        shown = {"name": name, "file": self.uploads.path(name).name, "problem": "", "waits": True}
        return self.pages.after_act(request, "try_page/dropped", page_address(f"name={name}", "image"), **shown)

    def answer_choice(self, request: Request, form: FormData, field: str, name: str) -> Response:
        """Return the form's images after a change of `field`. An empty `name` removes the image.

        Hidden fields hold the previous choices. The response is a redirect if the browser has no JavaScript.
        """
        if name:
            read_input(self.uploads.path(name), "picture")
        chosen = {"image": text_of(form, "image", 60), "control": text_of(form, "control", 60), field: name}
        state = replace(read_address(text_of(form, "back")), image=chosen["image"], control=chosen["control"])
        return self.pages.after_act(request, "try_page/chosen_images", state.link(), state=state)

    def values(self, name: str, path: Path) -> dict[str, Any]:
        shown = {"name": name, "file": path.name, "problem": "", "waits": False}
        try:
            dropped = read_dropped(self.services, path)
        except UsageError as error:
            return {**shown, "problem": error.message}
        stack = tuple(StackedLora(ref=lora.ref, weight=lora.weight) for lora in dropped.loras if lora.ref)
        filled = PageState(view=View(page="try", stack=stack, settings=dropped.settings))
        # Only single images are compared with their original; sheets and videos are just generated again.
        again = filled if dropped.is_sheet or path.suffix.lower() == ".mp4" else replace(filled, again=name)
        addresses = {"fill": filled.link(), "again": again.link()}
        return {**shown, "dropped": dropped, **addresses}
