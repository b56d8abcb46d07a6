"""The address of the About page."""

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hub_ui.i18n import N_, _
from hub_ui.web.frame.pages import Pages, Preview
from hub_ui.web.view import View

# The script that static/htmx.min.js and hx-sse.min.js are; its licence lies beside them.
HTMX_VERSION, HTMX_LICENSE = "4.0.1", "0BSD"
# A file of docs/, and what it is about.
DOCS = (
    ("tour.md", N_("A tour")), ("query-language.md", N_("The query language")), ("library.md", N_("The library")),
    ("api.md", N_("The API")), ("troubleshooting.md", N_("Troubleshooting")),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AboutRoutes:
    pages: Pages

    def router(self) -> APIRouter:
        router, services = self.pages.router(), self.pages.services

        @router.get("/about")
        def show(request: Request) -> Response:
            view = replace(View.from_address(request.url.query), page="about", open="")
            return self.pages.whole(
                request,
                "about/page",
                view,
                preview=Preview(title=_("About")),
                program=program_version(),
                htmx=(HTMX_VERSION, HTMX_LICENSE),
                docs=DOCS,
                hubs=tuple(services.settings.endpoints),
                is_shared=services.settings.hosted,
            )

        return router


def program_version() -> str:
    try:
        return version("hub-ui")
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, kw_only=True)
class GlossaryRoutes:
    pages: Pages

    def router(self) -> APIRouter:
        router = self.pages.router()

        @router.get("/glossary")
        def show(request: Request) -> Response:
            view = replace(View.from_address(request.url.query), page="glossary", open="")
            preview = Preview(title=_("Glossary"), text=_("The words of the page, and what they mean."))
            return self.pages.whole(request, "about/glossary", view, preview=preview)

        return router
