"""What visitors of a hosted page take home: their library as a list and a lock file, and files that only their right
opens.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from connectors.ref import Ref
from hub_ui.app.hosting.downloads import FILE_PATH, LOCK_PATH, VisitorDownloads, deliver
from hub_ui.base.i18n import _
from hub_ui.web.images import NO_STORE
from hub_ui.web.layout.pages import Back, Preview, RefText, Room, Shown, route
from hub_ui.web.view import View

_NOT_ASCII = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class VisitRoutes(Room):
    downloads: VisitorDownloads
    # Files that hubs are asked for just now.
    most_at_once = 100

    @route(f"GET /{LOCK_PATH}")
    def lock(self) -> Response:
        return lock_file("loras.lock", self.downloads.sessions.lock_text())

    @route(f"GET /{FILE_PATH}", waits=True)
    def file(self, ref: Annotated[str, Query(max_length=500)] = "") -> Response:
        """The file, or a page that says why not: the link opens in a tab of its own."""
        name, content, size = deliver(self.downloads, Ref.parse(ref))
        headers = {**NO_STORE, "Content-Disposition": disposition(name)}
        if isinstance(content, Path):
            return FileResponse(content, headers=headers, media_type="application/octet-stream")
        if size is not None:
            headers["Content-Length"] = str(size)
        return StreamingResponse(content, headers=headers, media_type="application/octet-stream")

    @route("POST /visit/remove")
    def remove(self, request: Request, ref: RefText, view: Back) -> Response:
        self.downloads.sessions.remove(Ref.parse(ref))
        view = replace(view, page="library", open="")
        return self.pages.after_act(request, "visit/list", view.link("../"), **self.values(view))

    @route("GET /library")
    def answer(self, request: Request, view: Shown) -> Response:
        """A visitor's own library."""
        view = replace(view, open="")
        return self.pages.whole(request, "visit/page", view, preview=Preview(title=_("Library")), **self.values(view))

    def values(self, view: View) -> dict[str, Any]:
        items = self.downloads.sessions.entries()
        return {
            "own": [item for item in items if not item.is_shared],
            "shared": [item for item in items if item.is_shared],
            "link": lambda item: self.downloads.link(item.entry.ref, is_open=item.right == "anyone"),
            "open_address": lambda ref: replace(view, page="browse", open=str(ref)).link(),
            "try_address": lambda ref: view.try_lora(str(ref)).link(),
            "lock_path": LOCK_PATH,
            "address": view.to_address(),
        }


def lock_file(name: str, text: str) -> Response:
    return Response(text, media_type="application/toml", headers={**NO_STORE, "Content-Disposition": disposition(name)})


def disposition(name: str) -> str:
    """A name may come from a hub: nothing of it gets out of the header's quotes."""
    plain = _NOT_ASCII.sub("-", name).strip("-.") or "lora.safetensors"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
