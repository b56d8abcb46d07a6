"""What visitors of a hosted page take home: their library as a lock file, and files that only their right opens."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from connectors.errors import AccessError, HubUiError, NotFound, RateLimited, UsageError
from connectors.ref import Ref
from hub_ui.hosting.delivery import Delivery, deliver
from hub_ui.hosting.downloads import FILE_PATH, LOCK_PATH, VisitorDownloads
from hub_ui.i18n import language
from hub_ui.widgets.render import Renderer

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
_STATUSES = ((RateLimited, 429), (AccessError, 403), (NotFound, 404), (UsageError, 400))
_NOT_ASCII = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class VisitRoutes:
    downloads: VisitorDownloads
    render: Renderer

    def routes(self) -> list[BaseRoute]:
        return [Route(f"/{LOCK_PATH}", self.answer_lock), Route(f"/{FILE_PATH}", self.answer_file)]

    async def answer_lock(self, request: Request) -> Response:
        headers = {**HEADERS, "Content-Disposition": disposition("loras.lock")}
        return Response(self.downloads.sessions.lock_text(), media_type="application/toml", headers=headers)

    async def answer_file(self, request: Request) -> Response:
        """The file, or a page that says why not: the link opens in a tab of its own."""
        try:
            found = await run_in_threadpool(deliver, self.downloads, Ref.parse(request.query_params.get("ref", "")))
        except HubUiError as error:
            status = next((number for kind, number in _STATUSES if isinstance(error, kind)), 502)
            page = self.render("visit_problem", text=error.message, language_code=language().code)
            return HTMLResponse(page, status, HEADERS)
        return answer_delivery(found)


def answer_delivery(found: Delivery) -> Response:
    headers = {**HEADERS, "Content-Disposition": disposition(found.name)}
    if found.path is not None:
        return FileResponse(found.path, headers=headers, media_type="application/octet-stream")
    if found.size is not None:
        headers["Content-Length"] = str(found.size)
    return StreamingResponse(found.chunks, headers=headers, media_type="application/octet-stream")


def disposition(name: str) -> str:
    """A name may come from a hub: nothing of it gets out of the header's quotes."""
    plain = _NOT_ASCII.sub("-", name).strip("-.") or "lora.safetensors"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
