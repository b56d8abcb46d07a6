"""The addresses of the frame around the pages, and those that pages had before they got one of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5, sha256
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import UsageError
from connectors.query import Query
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.web.browse import facets as query_summary
from hub_ui.web.frame.pages import Pages
from hub_ui.web.view import LONGEST_ADDRESS, OWN_ADDRESSES, PageName, View


@dataclass(frozen=True, kw_only=True)
class FrameRoutes:
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


def old_addresses() -> Mapping[PageName, Callable[[Request, View], Response]]:
    """What `/?view=settings` answers, and the others."""

    def lead(_request: Request, view: View) -> Response:
        return RedirectResponse(view.place(view.page), 303)

    return dict.fromkeys(OWN_ADDRESSES, lead)


LONGEST_NAME = 80
# Pages before this one encrypted them with this, which kept nothing secret, only readable after a restart.
_WORD = "hub-ui"


def query_name(query: Query) -> str:
    """What the query's summary says: the name of a search that is given none."""
    labels = ", ".join(word.label for word in query_summary.words(query))
    return format.visible(labels)[:LONGEST_NAME].strip() or _("All LoRAs")


def old_key(salt: bytes) -> tuple[Sequence[int], Sequence[int]]:
    """The key and the start of AES, as OpenSSL derives them from the word and `salt` (EVP_BytesToKey)."""
    word, derived, block = sha256(_WORD.encode()).hexdigest().encode(), b"", b""
    while len(derived) < 48:
        block = md5(block + word + salt, usedforsecurity=False).digest()
        derived += block
    return list(derived[:32]), list(derived[32:48])
