"""The addresses that belong to no room: the hubs' menu, About, and the glossary."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import UsageError
from hub_ui.i18n import N_, _
from hub_ui.web.layout.pages import Pages, Preview, own_view, page_address
from hub_ui.web.view import LONGEST_ADDRESS, OWN_ADDRESSES, View

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
            is_own = view.page in OWN_ADDRESSES
            address = f"../{view.place(view.page)}" if is_own else page_address(view.to_address(), "../")
            return RedirectResponse(address, 303)

        @router.get("/about")
        def about(request: Request) -> Response:
            view, settings = own_view("about", request.url.query), services.settings
            values: dict[str, Any] = {
                "program": program_version(),
                "htmx": (HTMX_VERSION, HTMX_LICENSE),
                "docs": DOCS,
                "hubs": tuple(settings.endpoints),
                "is_shared": settings.hosted,
            }
            return self.pages.whole(request, "layout/about", view, preview=Preview(title=_("About")), **values)

        @router.get("/glossary")
        def glossary(request: Request) -> Response:
            view = own_view("glossary", request.url.query)
            preview = Preview(title=_("Glossary"), text=_("The words of the page, and what they mean."))
            return self.pages.whole(request, "glossary/page", view, preview=preview)

        return router


def program_version() -> str:
    """Empty where the source is not installed, as on a Space."""
    try:
        return version("hub-ui")
    except PackageNotFoundError:
        return ""
