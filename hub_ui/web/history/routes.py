"""The addresses of the history: its list, a result or two of it side by side, and what is removed and comes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from connectors.errors import NotFound
from hub_ui.i18n import _
from hub_ui.images import png_metadata
from hub_ui.images.history import GONE
from hub_ui.web.history import entries
from hub_ui.web.history.entries import differences
from hub_ui.web.images import SAFE
from hub_ui.web.layout.pages import Pages, Preview, is_part
from hub_ui.web.view import View

Id = Annotated[str, Query(max_length=40)]
FormId = Annotated[str, Form(max_length=40)]
# Groups on a page.
MOST = 12
FormPage = Annotated[int, Form(ge=1, le=1000)]


@dataclass(frozen=True, kw_only=True)
class HistoryRoutes:
    """On one's own computer alone: visitors of a hosted page have no history."""

    pages: Pages

    def router(self) -> APIRouter:
        router, services = self.pages.router(), self.pages.services

        @router.get("/history")
        def history(request: Request, page: Annotated[int, Query(ge=1, le=1000)] = 1, removed: Id = "") -> Response:
            if is_part(request):
                return self.part(page) if services.policy.allows("keep history") else HTMLResponse("")
            services.policy.check("keep history")
            return self.whole(request, page, request.query_params.getlist("open")[:2], removed)

        @router.get("/history/image")
        def image(id: Id, cell: Annotated[int, Query(ge=0, le=99)]) -> Response:
            services.policy.check("keep history")
            paths = services.history.entry(id).paths
            if cell >= len(paths):
                raise NotFound(_(GONE))
            headers = {**SAFE, "Cache-Control": "private, max-age=86400"}
            return FileResponse(paths[cell], media_type="image/png", headers=headers)

        @router.post("/history/remove")
        def remove(request: Request, id: FormId, page: FormPage = 1) -> Response:
            services.policy.check("keep history")
            services.history.trash(id)
            return self.part(page, id) if is_part(request) else back(page, id)

        @router.post("/history/bring-back")
        def bring_back(request: Request, id: FormId, page: FormPage = 1) -> Response:
            services.policy.check("keep history")
            services.history.bring_back(id)
            return self.part(page) if is_part(request) else back(page)

        return router

    def html(self) -> Markup:
        """The newest of it, for the pane of another page; empty where there is none."""
        if not self.pages.services.policy.allows("keep history"):
            return Markup("")
        return Markup(self.pages.render("history/list", **self.list_values(1)))

    def part(self, page: int, removed: str = "") -> Response:
        return self.pages.part("history/list", **self.list_values(page, removed))

    def whole(self, request: Request, page: int, opened: Sequence[str], removed: str) -> Response:
        history = self.pages.services.history
        found = [history.entry(id_) for id_ in opened]
        differ = tuple(differences(*(png_metadata.read(entry.paths[-1]) for entry in found))) if len(found) == 2 else ()
        values = {
            **self.list_values(page, removed, opened),
            "results": [(entry, history.load(entry.id)) for entry in found],
            "infotext_in": entries.infotext_in,
            "address_of": lambda image: entries.view_of(image).to_address(),
            "differences": differ,
        }
        title = entries.title_of(found[0].provenance) if found else _("History")
        return self.pages.whole(request, "history/page", View(page="try"), preview=Preview(title=title), **values)

    def list_values(self, page: int, removed: str = "", opened: Sequence[str] = ()) -> dict[str, Any]:
        groups = entries.group_entries(self.pages.services.history.entries())
        return {
            "groups": groups[(page - 1) * MOST : page * MOST],
            "more": len(groups) > page * MOST,
            "page": page,
            "removed": removed,
            "opened": opened,
            "title_of": entries.title_of,
            "describe": entries.describe,
            "local_link": self.pages.render.links.local_link,
        }


def back(page: int, removed: str = "") -> Response:
    return RedirectResponse(f"../history?page={page}" + (f"&removed={removed}" if removed else ""), 303)
