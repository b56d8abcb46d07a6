"""The addresses of images that are given to a page: what one was made with, its end, and those of the form."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import NotFound, UsageError
from hub_ui.generate.input_images import open_image
from hub_ui.i18n import _
from hub_ui.web.layout.pages import Pages, Preview, is_part, own_view, page_address
from hub_ui.web.try_page import dropped
from hub_ui.web.try_page.form import PageState, read_address
from hub_ui.web.uploads import UploadedFiles, UploadName, text_of
from hub_ui.web.view import View

# Hubs may be asked for each LoRA of an image.
MOST_READ = 16


@dataclass(frozen=True, kw_only=True)
class DroppedRoutes:
    pages: Pages
    files: UploadedFiles

    def router(self) -> APIRouter:
        router, limit = self.pages.router(), CapacityLimiter(MOST_READ)

        @router.get("/image")
        async def image(request: Request, name: UploadName = "") -> Response:
            path = self.files.path(name) if name else None
            values = {} if path is None else await to_thread.run_sync(self.values, name, path, limiter=limit)
            if path is not None and is_part(request):
                return self.pages.part("try_page/dropped", **values)
            view, preview = own_view("image", request.url.query), Preview(title=_("How was this image made?"))
            return self.pages.whole(request, "try_page/image_page", view, preview=preview, **{"name": "", **values})

        @router.post("/image/forget")
        def forget(request: Request, name: Annotated[str, Form(max_length=60)]) -> Response:
            with suppress(NotFound):
                shutil.rmtree(self.files.path(name).parent, ignore_errors=True)
            return HTMLResponse("") if is_part(request) else RedirectResponse("../image", 303)

        return router

    @property
    def answers(self) -> Mapping[str, Callable[[Request, FormData, str], Response]]:
        """To uploads, by the form's file fields. Beside those of the form, hidden ones hold what was chosen before."""
        return {
            "file": self.answer,
            "image_file": partial(self.answer_choice, "image"),
            "control_file": partial(self.answer_choice, "control"),
        }

    def answer(self, request: Request, form: FormData, name: str) -> Response:
        """It stands on the page at once, and what it was made with comes when it is known."""
        if not is_part(request):
            return RedirectResponse(page_address(f"name={name}", "image"), 303)
        return self.pages.part("try_page/dropped", name=name, file=self.files.path(name).name, problem="", waits=True)

    def answer_choice(self, field: str, request: Request, form: FormData, name: str) -> Response:
        """The form's images as they are now, an empty name for none; without JavaScript, the page with them."""
        if name:
            open_image(self.files.path(name), "picture")
        chosen = {"image": text_of(form, "image", 60), "control": text_of(form, "control", 60), field: name}
        state = replace(read_address(text_of(form, "back")), image=chosen["image"], control=chosen["control"])
        if is_part(request):
            return self.pages.part("try_page/chosen_images", state=state)
        return RedirectResponse(page_address(state.to_address()), 303)

    def values(self, name: str, path: Path) -> dict[str, Any]:
        shown = {"name": name, "file": path.name, "problem": "", "waits": False}
        try:
            found = dropped.read_dropped(self.pages.services, path)
        except UsageError as error:
            return {**shown, "problem": error.message}
        filled = PageState(view=found.view(View()))
        # A sheet is compared with nothing: the same sheet is made.
        again = filled if found.is_sheet else replace(filled, again=name)
        addresses = {"fill": filled.to_address(), "again": again.to_address()}
        return {**shown, "dropped": found, **addresses}
