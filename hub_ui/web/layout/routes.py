"""The addresses that belong to no room: the hubs' menu, About, and those that pages had before they got their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import UsageError
from hub_ui.i18n import N_, _
from hub_ui.web.layout.pages import Pages, Preview
from hub_ui.web.view import LONGEST_ADDRESS, OWN_ADDRESSES, PageName, View

# The script that static/htmx.min.js and hx-sse.min.js are; its licence lies beside them.
HTMX_VERSION, HTMX_LICENSE = "4.0.1", "0BSD"
# A file of docs/, and what it is about.
DOCS = (
    ("tour.md", N_("A tour")), ("query-language.md", N_("The query language")), ("library.md", N_("The library")),
    ("api.md", N_("The API")), ("troubleshooting.md", N_("Troubleshooting")),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LayoutRoutes:
    pages: Pages

    def router(self) -> APIRouter:
        router, services = self.pages.router(), self.pages.services

        @router.post("/hubs/again")
        def again(
            hub: Annotated[str, Form(max_length=40)], back: Annotated[str, Form(max_length=LONGEST_ADDRESS)] = ""
        ) -> Response:
            """Asks a hub at once that is left alone for a while, because a person wants it to."""
            if hub not in services.settings.endpoints:
                raise UsageError(_("There is no such hub. Load the page again."))
            services.lookup.ask_again(hub)
            view = View.from_address(back)
            query = f"?{view.to_address()}" if view.to_address() else ""
            return RedirectResponse("../" + (view.place(view.page) if view.page in OWN_ADDRESSES else query), 303)

        return router


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
                "layout/about",
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


def old_addresses() -> Mapping[PageName, Callable[[Request, View], Response]]:
    """What `/?view=settings` answers, and the others."""

    def lead(_request: Request, view: View) -> Response:
        return RedirectResponse(view.place(view.page), 303)

    return dict.fromkeys(OWN_ADDRESSES, lead)
