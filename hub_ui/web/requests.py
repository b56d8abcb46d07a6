"""Limits of the page's requests: their size, their files, and how many may wait.

Only routes that the page and the named endpoints use take a POST. Gradio's checks differ by component (6.31), and an
image without `meta` is opened unchecked, so each request's body is checked as a whole before Gradio reads it.
"""

import json
import re
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
import anyio.to_thread
from PIL import Image
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.errors import HubUiError, UsageError
from hub_ui.i18n import N_, _
from hub_ui.policy import WebLimits
from hub_ui.web.refused import Refused
from hub_ui.web.uploads import TOO_LARGE, Uploads, receive_upload

_NOT_UPLOADED = N_("Only a file that was uploaded here can be used. Choose the file again.")
# For all of a body that is no upload.
BODY_SECONDS = 60.0
# What Pillow raises for damaged and hostile files while it reads their headers.
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, OverflowError)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_JSON_ROUTES = ("/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset")
_UPLOAD_ROUTE = "/gradio_api/upload"
# `/gradio_api/run` stays closed: its body may name any event of the page.
_CALL = re.compile(r"/gradio_api/call/(v2/)?([a-z]+)")
_ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)")
# Gradio (6.31) reads one range.
_FILE_ROUTE = "/gradio_api/file="
_AGENTS_ROUTE = "/gradio_api/mcp"
# See web/settings/.
KEYS_ROUTE, SETTINGS_ROUTE = "/settings/keys", "/settings/values"
_OWN_ROUTES = (KEYS_ROUTE, SETTINGS_ROUTE)
_CLOSED = re.compile(r"/gradio_api/(deep_link|proxy=|run-history)|/monitoring")
# Gradio would fetch another server's file for anyone. A Windows drive has one letter.
_FETCHED = re.compile(r"/gradio_api/file=\s*[a-z][a-z0-9+.-]+:", re.IGNORECASE)
# Gradio's page (6.31) cancels an event that it has not been given the id of yet, and its server refuses null.
_NO_EVENT = re.compile(rb'"event_id"\s*:\s*null')
_NO_REQUEST = N_("This is no request of the page. Load the page again.")


def check_files(data: Any, uploaded: Callable[[str], bool], most_pixels: int) -> None:
    """Raises Refused for a file of `data` that was not uploaded or has too many pixels."""
    for file in files_in(data):
        path, url = file.get("path"), file.get("url")
        if not isinstance(path, str) or not uploaded(path):
            raise Refused(_(_NOT_UPLOADED), 403)
        # The page sends a file's address on this server with its path. Any other address is foreign.
        named = url.partition("/file=")[2] if isinstance(url, str) and url.startswith(("http", "/")) else ""
        is_own = path in (named, unquote(named))
        if url is not None and not is_own:
            raise Refused(_(_NOT_UPLOADED), 403)
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
    """Reads the header alone. A file that is no image passes."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Refused(_(_NOT_UPLOADED), 403)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                pixels = image.width * image.height
    except FileNotFoundError as error:
        raise Refused(_("The file that was uploaded is no longer here. Choose it again."), 410) from error
    except _BOMBS:
        pixels = most_pixels + 1
    except _UNREADABLE:
        return
    if pixels > most_pixels:
        raise Refused(
            _("{name} has more than {most_pixels} million pixels. Make it smaller first.").format(
                name=path.name, most_pixels=most_pixels // 1_000_000
            ),
            413,
        )


@dataclass(frozen=True, kw_only=True)
class PendingRequests:
    """Requests without an answer: of who asks just now, or of the session, whichever has more, and of their address."""

    own: int
    address: int


@dataclass(frozen=True, kw_only=True)
class RequestRules:
    """`uploaded` tests for an uploaded file; `pending` counts for a session.

    `generates`: whether an event's number makes images, and `check_room` raises where there is no room for more.
    `forget_sessions` is called with every event. `endpoints` are the numbers of the named ones, and `read_call`
    (api.py) reads their calls; `is_open`: whether one has an answer to come. `agents`: whether MCP is on.
    """

    limits: WebLimits
    uploads: Uploads
    uploaded: Callable[[str], bool]
    pending: Callable[[str], PendingRequests]
    generates: Callable[[int], bool]
    check_room: Callable[[], None]
    forget_sessions: Callable[[], None]
    endpoints: Mapping[str, int] = field(default_factory=dict)
    read_call: Callable[[str, Any, bool], Any] = lambda _name, body, _by_name: body
    is_open: Callable[[str], bool] = lambda _id: True
    agents: bool = False

    def check_event(self, body: Any) -> None:
        """Raises Refused for a file that was not uploaded, and for too many waiting requests."""
        self.forget_sessions()
        if not isinstance(body, dict):
            raise Refused(_(_NO_REQUEST))
        check_files(body.get("data"), self.uploaded, self.limits.pixels)
        pending, number = self.pending(str(body.get("session_hash"))), body.get("fn_index")
        if pending.own >= self.limits.events or pending.address >= self.limits.address_events:
            raise Refused(_("This page has asked for too much at once. Wait for its answers, then try again."), 429)
        if isinstance(number, int) and self.generates(number):
            self.uploads.sweep()
            # An event of the page may as well lead back to what is under way.
            if number in self.endpoints.values():
                try:
                    self.check_room()
                except HubUiError as error:
                    raise Refused(error.message, 429) from error


@dataclass(frozen=True)
class RequestCheck:
    """ASGI middleware in front of Gradio's routes."""

    app: ASGIApp
    rules: RequestRules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        uploads, upload = self.rules.uploads, None
        try:
            if scope["method"] == "POST" and path_of(scope) == _UPLOAD_ROUTE:
                length = Headers(scope=scope).get("content-length", "")
                announced = int(length) if length.isascii() and length.isdigit() else None
                upload = await anyio.to_thread.run_sync(uploads.begin, announced)
                receive = receive_upload(upload, receive)
            else:
                receive = await self.check(scope, receive)
            await self.app(scope, receive, send)
        except Refused as refused:
            await refused.response()(scope, receive, send)
        finally:
            if upload is not None:
                uploads.end(upload)

    async def check(self, scope: Scope, receive: Receive) -> Receive:
        """Returns a `receive` for the app, with the checked body."""
        path = path_of(scope)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            if _CLOSED.match(path) or _FETCHED.match(path):
                raise Refused(_("There is no such page."), 404)
            if path.startswith(_FILE_ROUTE) and "," in Headers(scope=scope).get("range", ""):
                raise Refused("Ask for one range of bytes at a time.", 416)
            answer = _ANSWER.fullmatch(path)
            if answer and not self.rules.is_open(answer[1]):
                raise Refused("No call with this id waits for its answer, which is given once. Call it again.", 404)
            return receive
        call = _CALL.fullmatch(path)
        endpoint = self.rules.endpoints.get(call[2]) if call else None
        if call and endpoint is None:
            raise Refused(f"There is no endpoint “{call[2]}”. There are: {', '.join(self.rules.endpoints)}.", 404)
        is_known = path in _JSON_ROUTES or path in _OWN_ROUTES
        if not (is_known or endpoint is not None or (self.rules.agents and path == _AGENTS_ROUTE)):
            raise Refused(_("There is no such page."), 404)
        try:
            with anyio.fail_after(BODY_SECONDS):
                data = await read_body(receive, self.rules.limits.body_bytes)
        except TimeoutError as error:
            raise Refused(_("The request stopped arriving. Try it again."), 408) from error
        if call and endpoint is not None:
            body = read_call(self.rules, call, Headers(scope=scope), data)
            data = json.dumps(body).encode()
            # The second version has the arguments in the place of `data`.
            event = {"data": body, "session_hash": body.get("session_hash"), "fn_index": endpoint}
            await anyio.to_thread.run_sync(self.rules.check_event, event)
        elif path == _JSON_ROUTES[0]:
            try:
                event = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise Refused(_(_NO_REQUEST)) from error
            await anyio.to_thread.run_sync(self.rules.check_event, event)
        else:
            data = _NO_EVENT.sub(b'"event_id":""', data)
        messages = iter([{"type": "http.request", "body": data, "more_body": False}])

        async def replay() -> Message:
            return next(messages, None) or await receive()

        return replay


def read_call(rules: RequestRules, call: re.Match[str], headers: Headers, data: bytes) -> Any:
    """The body of a request to a named endpoint. Raises Refused with a sentence for programs, which is English."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind.startswith("application/") and kind.endswith("json")):
        raise Refused("An endpoint takes JSON. Send it with the header Content-Type: application/json.", 415)
    try:
        return rules.read_call(call[2], json.loads(data), bool(call[1]))
    except UsageError as error:
        raise Refused(error.message, 422) from error
    except (ValueError, RecursionError) as error:
        raise Refused(f"The body of the request is no JSON ({error}). Send a JSON object.") from error


def path_of(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", "")).rstrip("/") or "/"


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body. Raises Refused for more than `most` bytes."""
    data, more = bytearray(), True
    while more:
        message = await receive()
        data += message.get("body", b"")
        more = message.get("more_body", False)
        if len(data) > most:
            raise Refused(_(TOO_LARGE), 413)
    return bytes(data)
