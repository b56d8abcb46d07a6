"""How a page is answered: whole, or the part of it that htmx asks for, or in parts that come as server-sent events.

And what the header says of each hub, and the addresses that belong to no room: the hubs' menu, About, and the glossary.
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
# Gradio has /static and /assets.
STATIC_PATH = "/web"
SCRIPTS = ("htmx.min.js", "hx-sse.min.js")
# Those of one page alone are in its own template.
MODULES = ("navigation", "keyboard", "search_box", "tray", "panel", "gallery", "terms")
THEMES = ("light", "dark")
THEME_COOKIE, LEVEL_COOKIE = "hub-ui-theme", "hub-ui-mature"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri {base}; form-action 'self'; "
    "frame-ancestors {frames}"
)
# For how long a browser keeps what a person chose.
_YEAR = 365 * 86_400
# Of forms.
RefText = Annotated[str, Form(max_length=500)]
Address = Annotated[str, Form(max_length=LONGEST_ADDRESS)]
# Wherever the answer was asked for.
TOAST = {"HX-Retarget": "#toast", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
_STATUSES = ((RateLimited, 429), (AccessError, 403), (NotFound, 404), (UsageError, 422))
# Each may wait for a hub in a thread of its own, which Starlette's pool of 40 could not give.
MOST_STREAMS = 400
_END = object()


@dataclass(frozen=True)
class Signal:
    """A step of a stream that is no HTML: htmx triggers the event `name` on the element that reads the stream."""

    name: str


class Streams:
    """The open streams of a server, all in one event loop. htmx swaps each part as it arrives (its SSE extension)."""

    def __init__(self, render: Renderer) -> None:
        self._render = render
        self._limiter = CapacityLimiter(MOST_STREAMS)

    def answer(self, parts: Iterator[str | Signal]) -> StreamingResponse:
        """`parts` are HTML. It is closed in its own thread once nobody reads on, so that its work ends there."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(parts), media_type="text/event-stream", headers=headers)

    async def _events(self, parts: Iterator[str | Signal]) -> AsyncIterator[str]:
        left, part = threading.Event(), object()

        def step() -> object:
            try:
                part: object = next(parts, _END)
            except HubUiError as error:
                # The last that comes: else the page would wait on, and nobody would hear why.
                part = self._render("layout/told", text=error.message)
            if left.is_set():
                close(parts)
            return part

        try:
            while (part := await to_thread.run_sync(step, limiter=self._limiter, abandon_on_cancel=True)) is not _END:
                yield f"event: {part.name}\n\n" if isinstance(part, Signal) else event(str(part))
        finally:
            left.set()
            # What has ended has nothing to close, and a thread for it would cost more than the answer.
            if part is not _END:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(close, parts)


def close(parts: Iterator[str | Signal]) -> None:
    """Ends a generator; one that is at work in another thread ends there."""
    try:
        getattr(parts, "close", lambda: None)()
    except ValueError:  # "generator already executing"
        return


def event(html: str) -> str:
    """One server-sent event. See https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What other sites show of a link to a page (Open Graph). `image` is a path on this server."""

    title: str
    text: str = ""
    image: str = ""


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What every room of the page needs. One for the whole app."""

    services: Services
    render: Renderer = field(default_factory=Renderer)

    @cached_property
    def streams(self) -> Streams:
        return Streams(self.render)

    def whole(
        self, request: Request, template: str, view: View, /, *, preview: Preview, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """The page of `template`, which extends layout/page.html."""
        policy, path = self.services.policy, request.url.path.removeprefix(request.scope.get("root_path", ""))
        is_deep = path.count("/") > 1
        frame = {
            # Only what goes wrong is answered at a form's own address, one level deeper.
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
        """A page with an address of its own."""
        view = own_view(page, request.url.query)
        return self.whole(request, template, view, preview=Preview(title=title, text=text), **values)

    def part(self, template: str, *, push: str = "", status: int = 200, **values: Any) -> HTMLResponse:
        """The address `push` goes into the address bar, as a step of its own in the browser's history."""
        answer = self.html(self.render(template, **values), status=status)
        if push:
            answer.headers["HX-Push-Url"] = push
        return answer

    def after_act(self, request: Request, template: str, place: str, **values: Any) -> Response:
        """The part that an act has changed; without JavaScript, the page that it leads to."""
        return self.part(template, **values) if is_part(request) else RedirectResponse(place, 303)

    def html(self, text: str, *, status: int = 200, base: str = "'none'") -> HTMLResponse:
        policy = _POLICY.format(frames=self.services.policy.frames, base=base)
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", "Vary": "HX-Request, HX-Target"}
        return HTMLResponse(text, status, headers)

    def router(self) -> APIRouter:
        """Its routes answer errors in words, as a page or a part."""
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
        usual = next((number for kind, number in _STATUSES if isinstance(error, kind)), 502)
        status = error.status if isinstance(error, Refused) else usual
        if is_part(request):
            answer = self.part("layout/toast", text=error.message, status=status)
            answer.headers.update(TOAST)
            return answer
        view = View.from_address(request.url.query)
        return self.whole(
            request, "layout/message", view, preview=Preview(title="hub-ui"), text=error.message, status=status
        )


@dataclass(frozen=True, kw_only=True)
class Room:
    """The addresses of a page, and what they answer."""

    pages: Pages
    # Of the handlers that wait.
    most_at_once: ClassVar[int] = 1

    @property
    def services(self) -> Services:
        return self.pages.services

    @cached_property
    def limiter(self) -> CapacityLimiter:
        return CapacityLimiter(self.most_at_once)

    def add_to(self, router: APIRouter) -> None:
        """The methods that are marked by `route`."""
        for name, function in vars(type(self)).items():
            if found := getattr(function, "answers", None):
                method, path, may, waits = found
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
    """Of a room's method: what it answers, such as "GET /history", and what a person has to be allowed (`may`).

    One that `waits` has a thread beside all other handlers, of which the room has `most_at_once`.
    """

    def mark(handle: Handler) -> Handler:
        setattr(handle, "answers", (*address.split(), may, waits))  # noqa: B010
        return handle

    return mark


def validation_text(error: RequestValidationError) -> str:
    """What is wrong with the first value that is wrong."""
    first: Mapping[str, Any] = next(iter(error.errors()), {})
    # Of one among several, the field is before its number.
    names = [str(part) for part in first.get("loc", ())[1:] if isinstance(part, str)]
    kind = str(first.get("type", ""))
    reason = next(
        (_(reason) for part, reason in WORDS["wrong"].items() if part in kind), _("It is none of the choices.")
    )
    return _("The field “{name}” is not right. {reason} Load the page again.").format(
        name=names[0][:40] if names else "", reason=reason
    )


def is_part(request: Request) -> bool:
    """Whether htmx asks for a part of the page. Back and forward, and a page in place of a page, want all of it."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-request-type") == "partial"


def target_of(request: Request, header: str = "hx-target") -> str:
    """The id of the element that an answer is for, or in `hx-source` of the one that asks; empty for a whole page."""
    return request.headers.get(header, "").partition("#")[2] if is_part(request) else ""


HubState = Literal["idle", "asked", "good", "key", "down"]


@dataclass(frozen=True, kw_only=True)
class HubStatus:
    """What a hub said last. `hits` are its LoRAs in the list, once it has answered, which took `seconds`."""

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
        """The seconds after which one that is down is asked again, as far as that is known."""
        return math.ceil(self.error.retry_after or 0) if self.error else 0


def answer_status(answer: Answer, down_since: datetime | None = None) -> HubStatus:
    if answer.error is not None:
        return error_status(answer.hub, answer.error, down_since)
    return HubStatus(hub=answer.hub, state="good", seconds=answer.seconds)


def error_status(hub: HubName, error: HubUiError, down_since: datetime | None = None) -> HubStatus:
    state: HubState = "key" if isinstance(error, AccessError) else "down"
    return HubStatus(hub=hub, state=state, error=error, down_since=down_since)


def hub_status(lookup: Lookup, hub: HubName) -> HubStatus:
    """On a page that asks no hub: one that is left alone after failures says until when."""
    try:
        if hub in lookup.guards:
            lookup.guards[hub].breaker.check()
    except HubUiError as error:
        return error_status(hub, error, lookup.down_since.get(hub))
    return HubStatus(hub=hub)


async def address_view(request: Request) -> View:
    """What the address says, with the level of mature images that this browser keeps."""
    view = View.from_address(request.url.query, request.cookies.get(LEVEL_COOKIE))
    # The path of a part says nothing of the page that the part is on.
    return replace(view, page=PATHS.get(path_of(request.scope).removeprefix("/"), view.page))


async def back_view(request: Request, back: Address = "") -> View:
    """What was shown where a form was sent from."""
    return View.from_address(back, request.cookies.get(LEVEL_COOKIE))


Shown = Annotated[View, Depends(address_view)]
Back = Annotated[View, Depends(back_view)]


def own_view(page: PageName, query: str) -> View:
    """Of a page with an address of its own. What was looked at before goes along: the other pages lead back to it."""
    return replace(View.from_address(query), page=page, open="")


def page_address(query: str, page: str = "./") -> str:
    """A relative address: a page may be served below another path."""
    return f"{page}?{query}" if query else page


def prefix(address: str, name: str) -> str:
    """An address to which the value of `name` is added."""
    return f"{address}{'&' if '?' in address else '?'}{name}="


def keep_choice(request: Request, answer: Response, name: str, value: str) -> None:
    """In a cookie, which an empty value takes away."""
    cookie = cookie_of(value, request.headers, request.url.scheme, name)
    answer.headers.append("Set-Cookie", f"{cookie}; Max-Age={_YEAR if value else 0}")


@cache
def static_version() -> str:
    """Changes with each file, so that browsers keep them for good."""
    found = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:12]


class StaticPages(StaticFiles):
    """Stylesheets and scripts. The version is a folder of their address, so that what scripts import has it too."""

    def get_path(self, scope: Scope) -> str:
        return super().get_path(scope).removeprefix(f"{static_version()}/")

    def file_response(self, *args: Any, **named: Any) -> Response:
        answer = super().file_response(*args, **named)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


@dataclass(frozen=True, kw_only=True)
class LayoutRoutes(Room):
    @route("POST /hubs/again")
    async def again(self, hub: Annotated[str, Form(max_length=40)], view: Back) -> Response:
        """Asks a hub at once that is left alone for a while, because a person wants it to."""
        if hub not in self.services.settings.endpoints:
            raise UsageError(_("There is no such hub. Load the page again."))
        self.services.lookup.ask_again(hub)
        return RedirectResponse(view.link("../"), 303)

    @route("GET /about")
    def about(self, request: Request) -> Response:
        # Empty where the source is not installed, as on a Space.
        program = next((found.version for found in distributions(name="hub-ui")), "")
        own, settings = self.pages.own, self.services.settings
        return own(request, "layout/about", "about", _("About"), program=program, settings=settings)

    @route("GET /glossary")
    def glossary(self, request: Request) -> Response:
        text = _("The words of the page, and what they mean.")
        return self.pages.own(request, "layout/glossary", "glossary", _("Glossary"), text)
