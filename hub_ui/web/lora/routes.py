"""The addresses of the panel: what it says, and what a person does there."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.i18n import _
from hub_ui.web.downloads.drawer import DrawerParts
from hub_ui.web.frame.pages import LEVEL_COOKIE, Pages, is_part, page_address
from hub_ui.web.lora.panel import Panel
from hub_ui.web.streams import Streams
from hub_ui.web.view import LONGEST_ADDRESS, View

RefText = Annotated[str, Form(max_length=500)]
Address = Annotated[str, Form(max_length=LONGEST_ADDRESS)]


@dataclass(frozen=True, kw_only=True)
class LoraRoutes:
    pages: Pages
    panel: Panel
    streams: Streams

    def router(self) -> APIRouter:
        router, services = self.pages.router(), self.pages.services

        @router.get("/lora/read")
        def read(request: Request) -> Response:
            view = View.from_address(request.url.query, request.cookies.get(LEVEL_COOKIE))
            if not view.open:
                raise UsageError(_("There is no LoRA at this address. Open one from the list."))
            return self.streams.answer(self.panel.steps(view))

        @router.post("/lora/favorite")
        def favorite(request: Request, ref: RefText, back: Address = "") -> Response:
            services.policy.check("annotate")
            lora = Ref.parse(ref).lora
            services.annotations.change(lora, favorite=not services.annotations.get(lora).favorite)
            return self.answer(request, back)

        @router.post("/lora/download")
        def download(request: Request, ref: RefText, back: Address = "") -> Response:
            services.policy.check("pull")
            services.downloads.enqueue(Ref.parse(ref))
            return self.answer(request, back, template="lora/downloading", **DrawerParts(services=services).values())

        @router.post("/lora/keep")
        def keep(request: Request, ref: RefText, back: Address = "") -> Response:
            """Lists it in a visitor's own library of a hosted page."""
            if services.visitor_downloads is None:
                raise UsageError(_("There is no such page."))
            services.visitor_downloads.add(Ref.parse(ref))
            return self.answer(request, back)

        return router

    def answer(self, request: Request, back: str, template: str = "lora/panel", **more: object) -> Response:
        """The panel as it is now; without JavaScript, the page that it stands on."""
        view = View.from_address(back, request.cookies.get(LEVEL_COOKIE))
        if is_part(request) and view.open:
            return self.pages.part(template, **{**more, **self.panel.values(view)})
        return RedirectResponse(page_address(view.to_address(), "../"), 303)
