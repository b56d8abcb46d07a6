"""The address of the glossary."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hub_ui.i18n import _
from hub_ui.web.layout.pages import Pages, Preview, own_view


@dataclass(frozen=True, kw_only=True)
class GlossaryRoutes:
    pages: Pages

    def router(self) -> APIRouter:
        router = self.pages.router()

        @router.get("/glossary")
        def show(request: Request) -> Response:
            view = own_view("glossary", request.url.query)
            preview = Preview(title=_("Glossary"), text=_("The words of the page, and what they mean."))
            return self.pages.whole(request, "glossary/page", view, preview=preview)

        return router
