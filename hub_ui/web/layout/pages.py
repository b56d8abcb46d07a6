"""Responses of all pages: a whole page, a part of a page for htmx, or a stream of parts (server-sent events).

Also the hubs' status in the header, and the routes of the hubs' menu, About, and the glossary.
"""

import hashlib
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property, partial, wraps
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from connectors.errors import AccessError, HubUiError, NotFound, RateLimited, UsageError
from connectors.federation import Answer
from connectors.ref import HubName
from connectors.registry import HUBS
from hub_ui.app.lookup import Lookup
from hub_ui.app.services import Services
from hub_ui.base.i18n import _, language
from hub_ui.settings import Action
from hub_ui.web.downloads.drawer import drawer_values
from hub_ui.web.layout.render import WORDS, Renderer
from hub_ui.web.requests import Refused, path_of
from hub_ui.web.view import LONGEST_ADDRESS, PATHS, PageName, View
from hub_ui.web.visitors import cookie_of

Handler = TypeVar("Handler", bound=Callable[..., Any])
STATIC = Path(__file__).parent.parent / "static"
# Not /static or /assets, which are Gradio's.
STATIC_PATH = "/web"
SCRIPTS = ("htmx.min.js", "hx-sse.min.js")
# The modules of every page. Templates add the modules of a single page.
MODULES = ("navigation", "keyboard", "search_box", "tray", "panel", "gallery", "terms")
THEMES = ("light", "dark")
THEME_COOKIE, LEVEL_COOKIE = "hub-ui-theme", "hub-ui-mature"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri {base}; form-action 'self'; "
    "frame-ancestors {frames}"
)
# The lifetime of a cookie that stores a choice.
_YEAR = 365 * 86_400
# Types of form fields.
RefText = Annotated[str, Form(max_length=500)]
Address = Annotated[str, Form(max_length=LONGEST_ADDRESS)]
# Shows the response as a toast, regardless of the target of the request.
TOAST = {"HX-Retarget": "#toast", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
_STATUSES = ((RateLimited, 429), (AccessError, 403), (NotFound, 404), (UsageError, 422))
# Each stream may wait for a hub in its own thread, and Starlette's pool has only 40.
MOST_STREAMS = 400
_END = object()


@dataclass(frozen=True)
class Signal:
    """A step of a stream without HTML: htmx triggers the event `name` on the element that reads the stream."""

    name: str


class Streams:
    """The open streams of a server, in one event loop. htmx's SSE extension swaps each part on arrival."""

    def __init__(self, render: Renderer) -> None:
        self._render = render
        self._limiter = CapacityLimiter(MOST_STREAMS)

    def answer(self, parts: Iterator[str | Signal]) -> StreamingResponse:
        """Stream `parts`, which are HTML. If the client disconnects, close the iterator in a worker thread."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(parts), media_type="text/event-stream", headers=headers)

    async def _events(self, parts: Iterator[str | Signal]) -> AsyncIterator[str]:
        disconnected, part = threading.Event(), object()

        def step() -> object:
            try:
                part: object = next(parts, _END)
            except HubUiError as error:
                # Send the error as the last part. Otherwise the page would wait without a message.
                part = self._render("layout/told", text=error.message)
            if disconnected.is_set():
                close(parts)
            return part

        try:
            while (part := await to_thread.run_sync(step, limiter=self._limiter, abandon_on_cancel=True)) is not _END:
                yield f"event: {part.name}\n\n" if isinstance(part, Signal) else event(str(part))
        finally:
            disconnected.set()
            # An exhausted iterator needs no closing, and a thread for it would cost more than the response.
            if part is not _END:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(close, parts)


def close(parts: Iterator[str | Signal]) -> None:
    """Close a generator. If it is running in another thread, that thread closes it after the step."""
    try:
        getattr(parts, "close", lambda: None)()
    except ValueError:  # "generator already executing"
        return


def event(html: str) -> str:
    """Format a server-sent event. See https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The preview that other sites show for a link to a page (Open Graph). `image` is a path on this server."""

    title: str
    text: str = ""
    image: str = ""


@dataclass(frozen=True, kw_only=True)
class Pages:
    """The services and the renderer that all pages share."""

    services: Services
    render: Renderer = field(default_factory=Renderer)

    @cached_property
    def streams(self) -> Streams:
        return Streams(self.render)

    def whole(
        self, request: Request, template: str, view: View, /, *, preview: Preview, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Render a whole page. The template extends layout/page.html."""
        policy, path = self.services.policy, request.url.path.removeprefix(request.scope.get("root_path", ""))
        is_deep = path.count("/") > 1
        frame = {
            # A form's own address is a level deeper. Only errors are shown there.
            "base": "../" if is_deep else "",
            "view": view,
            "preview": preview,
            "origin": str(request.base_url),
            "by_htmx": request.headers.get("hx-request") == "true",
            "may_train": policy.allows("train"),
            "statuses": values.get("statuses")
            or [hub_status(self.services.lookup, connector.name) for connector in self.services.connectors],
            "theme": request.cookies.get(THEME_COOKIE, ""),
            "lang": language().code,
            "version": static_version(),
            "scripts": SCRIPTS,
            "modules": (*MODULES, *(("quota",) if self.services.settings.hosted else ())),
            "takes_files": policy.allows("use own files") and policy.allows("see library"),
            "downloads": drawer_values(self.services) if policy.allows("pull") else None,
        }
        text = self.render(template, **{"view": view, "frame": frame, **values})
        return self.html(text, status=status, base="'self'" if is_deep else "'none'")

    def own(
        self, request: Request, template: str, page: PageName, title: str, text: str = "", **values: Any
    ) -> HTMLResponse:
        """Render the page `page`, with the state in the request's address."""
        view = own_view(page, request.url.query)
        return self.whole(request, template, view, preview=Preview(title=title, text=text), **values)

    def part(self, template: str, *, push: str = "", status: int = 200, **values: Any) -> HTMLResponse:
        """Render a part of a page. The browser adds the address `push`, if any, to its history."""
        response = self.html(self.render(template, **values), status=status)
        if push:
            response.headers["HX-Push-Url"] = push
        return response

    def after_act(self, request: Request, template: str, place: str, **values: Any) -> Response:
        """Return the part that an action has changed, or redirect to `place` if the browser has no JavaScript."""
        return self.part(template, **values) if is_part(request) else RedirectResponse(place, 303)

    def html(self, text: str, *, status: int = 200, base: str = "'none'") -> HTMLResponse:
        policy = _POLICY.format(frames=self.services.policy.frames, base=base)
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", "Vary": "HX-Request, HX-Target"}
        return HTMLResponse(text, status, headers)

    def router(self) -> APIRouter:
        """Return a router that shows errors as a page or a part."""
        answer_error = self.answer_error

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Any]:
                handle = super().get_route_handler()

                async def answer(request: Request) -> Response:
                    try:
                        return await handle(request)
                    except HubUiError as error:
                        return answer_error(request, error)
                    except RequestValidationError as error:
                        return answer_error(request, UsageError(validation_text(error)))

                return answer

        return APIRouter(route_class=PageRoute)

    def answer_error(self, request: Request, error: HubUiError) -> Response:
        default = next((number for kind, number in _STATUSES if isinstance(error, kind)), 502)
        status = error.status if isinstance(error, Refused) else default
        if is_part(request):
            response = self.part("layout/toast", text=error.message, status=status)
            response.headers.update(TOAST)
            return response
        view = View.from_address(request.url.query)
        return self.whole(
            request, "layout/message", view, preview=Preview(title="hub-ui"), text=error.message, status=status
        )


@dataclass(frozen=True, kw_only=True)
class Room:
    """A group of routes. Its methods with the decorator `route` are the handlers."""

    pages: Pages
    # Limits the handlers that wait.
    most_at_once: ClassVar[int] = 1

    @property
    def services(self) -> Services:
        return self.pages.services

    @cached_property
    def limiter(self) -> CapacityLimiter:
        return CapacityLimiter(self.most_at_once)

    def add_to(self, router: APIRouter) -> None:
        """Add the methods that are marked by `route`."""
        for name, function in vars(type(self)).items():
            if mark := getattr(function, "answers", None):
                method, path, may, waits = mark
                handle: Callable[..., Any] = getattr(self, name)
                rights = [Depends(self.right(may))] if may else []
                handle = self.in_thread(handle) if waits else handle
                router.add_api_route(path, handle, methods=[method], dependencies=rights)

    def right(self, action: Action) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            self.services.policy.check(action)

        return check

    def in_thread(self, handle: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
        @wraps(handle)
        async def answer(*args: Any, **named: Any) -> Response:
            return await to_thread.run_sync(partial(handle, *args, **named), limiter=self.limiter)

        return answer


def route(address: str, *, may: Action | None = None, waits: bool = False) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of `address`, such as "GET /history". `may` is the right that it needs.

    A handler that `waits` (for a hub, for example) runs in a separate pool of the room's `most_at_once` threads.
    """

    def mark(handle: Handler) -> Handler:
        setattr(handle, "answers", (*address.split(), may, waits))  # noqa: B010
        return handle

    return mark


def validation_text(error: RequestValidationError) -> str:
    """Return a sentence about the first invalid value."""
    first: Mapping[str, Any] = next(iter(error.errors()), {})
    # Keep only names: for a value in a list, its index follows the field's name.
    names = [str(part) for part in first.get("loc", ())[1:] if isinstance(part, str)]
    kind = str(first.get("type", ""))
    reason = next(
        (_(reason) for part, reason in WORDS["wrong"].items() if part in kind), _("It is none of the choices.")
    )
    return _("The field “{name}” is not right. {reason} Load the page again.").format(
        name=names[0][:40] if names else "", reason=reason
    )


def is_part(request: Request) -> bool:
    """Return whether htmx requests a part of the page. Navigation and history restores need the whole page."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-request-type") == "partial"


def target_of(request: Request, header: str = "hx-target") -> str:
    """Return the id of the element that htmx swaps, or that sent the request if `header` is "hx-source".

    Return "" for a request for a whole page.
    """
    return request.headers.get(header, "").partition("#")[2] if is_part(request) else ""


HubState = Literal["idle", "asked", "good", "key", "down"]


@dataclass(frozen=True, kw_only=True)
class HubStatus:
    """The last known state of a hub. `hits` counts its LoRAs in the list. `seconds` is its response time."""

    hub: HubName
    state: HubState = "idle"
    seconds: float = 0.0
    hits: int | None = None
    error: HubUiError | None = None
    down_since: datetime | None = None

    @property
    def label(self) -> str:
        return HUBS[self.hub].label

    @property
    def wait(self) -> int:
        """The seconds until the hub may be queried again, or 0 if they are unknown."""
        return math.ceil(self.error.retry_after or 0) if self.error else 0


def answer_status(answer: Answer, down_since: datetime | None = None) -> HubStatus:
    if answer.error is not None:
        return error_status(answer.hub, answer.error, down_since)
    return HubStatus(hub=answer.hub, state="good", seconds=answer.seconds)


def error_status(hub: HubName, error: HubUiError, down_since: datetime | None = None) -> HubStatus:
    state: HubState = "key" if isinstance(error, AccessError) else "down"
    return HubStatus(hub=hub, state=state, error=error, down_since=down_since)


def hub_status(lookup: Lookup, hub: HubName) -> HubStatus:
    """Return the status of a hub without querying it: "idle", or an error if its circuit breaker is open."""
    try:
        if hub in lookup.guards:
            lookup.guards[hub].breaker.check()
    except HubUiError as error:
        return error_status(hub, error, lookup.down_since.get(hub))
    return HubStatus(hub=hub)


async def address_view(request: Request) -> View:
    """Return the view of the request's address. The default level of mature images is read from a cookie."""
    view = View.from_address(request.url.query, request.cookies.get(LEVEL_COOKIE))
    # The path of a part is not in PATHS. Keep the page from the query in that case.
    return replace(view, page=PATHS.get(path_of(request.scope).removeprefix("/"), view.page))


async def back_view(request: Request, back: Address = "") -> View:
    """Return the view of the page that a form was sent from."""
    return View.from_address(back, request.cookies.get(LEVEL_COOKIE))


Shown = Annotated[View, Depends(address_view)]
Back = Annotated[View, Depends(back_view)]


def own_view(page: PageName, query: str) -> View:
    """Return the view of `page`. It keeps the state of `query`, so that links to other pages restore that state."""
    return replace(View.from_address(query), page=page, open="")


def page_address(query: str, page: str = "./") -> str:
    """Return a relative address, because a page may be served below another path."""
    return f"{page}?{query}" if query else page


def prefix(address: str, name: str) -> str:
    """Return an address that ends in the parameter `name`, so that its value can be appended."""
    return f"{address}{'&' if '?' in address else '?'}{name}="


def keep_choice(request: Request, answer: Response, name: str, value: str) -> None:
    """Store a choice in a cookie. An empty value deletes the cookie."""
    cookie = cookie_of(value, request.headers, request.url.scheme, name)
    answer.headers.append("Set-Cookie", f"{cookie}; Max-Age={_YEAR if value else 0}")


@cache
def static_version() -> str:
    """Return a digest of all static files, so that browsers can cache the files forever."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class StaticPages(StaticFiles):
    """Stylesheets and scripts. The version is a folder in their address, so that relative imports contain it too."""

    def get_path(self, scope: Scope) -> str:
        return super().get_path(scope).removeprefix(f"{static_version()}/")

    def file_response(self, *args: Any, **named: Any) -> Response:
        response = super().file_response(*args, **named)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


@dataclass(frozen=True, kw_only=True)
class LayoutRoutes(Room):
    @route("POST /hubs/again")
    async def again(self, hub: Annotated[str, Form(max_length=40)], view: Back) -> Response:
        """Reset the circuit breaker of a hub on the visitor's request, so that the next search queries the hub."""
        if hub not in self.services.settings.endpoints:
            raise UsageError(_("There is no such hub. Load the page again."))
        self.services.lookup.ask_again(hub)
        return RedirectResponse(view.link("../"), 303)

    @route("GET /about")
    def about(self, request: Request) -> Response:
        # The version is empty if the source is not installed as a package, as on a Space.
        program = next((distribution.version for distribution in distributions(name="hub-ui")), "")
        own, settings = self.pages.own, self.services.settings
        return own(request, "layout/about", "about", _("About"), program=program, settings=settings)

    @route("GET /glossary")
    def glossary(self, request: Request) -> Response:
        text = _("The words of the page, and what they mean.")
        return self.pages.own(request, "layout/glossary", "glossary", _("Glossary"), text)
