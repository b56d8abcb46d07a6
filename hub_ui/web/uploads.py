"""How much of the disk uploads take: each is bounded, and so are all of an hour."""

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from starlette.responses import JSONResponse
from starlette.types import Message, Receive

from connectors.errors import HubUiError
from hub_ui.i18n import N_, _
from hub_ui.policy import WebLimits


class Refused(Exception):
    """`message` says what to do next."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def response(self) -> JSONResponse:
        return JSONResponse({"detail": self.message}, status_code=self.status)


_SPARE_BYTES = 500_000_000
# What a small file takes of a disk, and of this server.
_LEAST_BYTES = 65_536
# Without a byte for so long, an upload has stopped; and none takes longer than the second.
_SECONDS_BETWEEN_BYTES = 30.0
_SECONDS = 1_800.0
_NO_ROOM = N_("There is no room for another file here just now. Try again in an hour.")
TOO_LARGE = N_("This is too much for one request. Shorten it, or choose a smaller file.")


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
        self.sweep()
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

    def sweep(self) -> None:
        sweep(self._folder, time.time() - self._limits.keep_seconds)


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
