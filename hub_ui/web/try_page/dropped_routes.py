"""The addresses of an image that is dropped on a page: what it was made with, and its end."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import NotFound, UsageError
from hub_ui.i18n import _
from hub_ui.web.frame.pages import Pages, Preview, is_part, page_address
from hub_ui.web.try_page import dropped
from hub_ui.web.try_page.form_images import FormImages, image_address
from hub_ui.web.upload_files import UploadedFiles, UploadName
from hub_ui.web.view import View

# Hubs may be asked for each of its LoRAs.
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
            return self.show(request, **{"name": name, **values})

        @router.post("/image/forget")
        def forget(request: Request, name: Annotated[str, Form(max_length=60)]) -> Response:
            with suppress(NotFound):
                shutil.rmtree(self.files.path(name).parent, ignore_errors=True)
            return HTMLResponse("") if is_part(request) else RedirectResponse("../image", 303)

        return router

    def show(self, request: Request, **values: Any) -> Response:
        if is_part(request) and values["name"]:
            return self.pages.part("try_page/dropped", **values)
        return self.pages.whole(
            request,
            "try_page/image_page",
            View(page="try"),
            preview=Preview(title=_("How was this image made?")),
            **values,
        )

    def values(self, name: str, path: Path) -> dict[str, Any]:
        shown = {"name": name, "file": path.name, "src": image_address(name), "waits": False}
        try:
            found = dropped.read_dropped(self.pages.services, path)
        except UsageError as error:
            return {**shown, "problem": error.message}
        filled = found.view(View()).to_address()
        # A sheet is compared with nothing: the same sheet is made.
        again = filled if found.is_sheet else FormImages(original=name).to_address(filled)
        addresses = {"fill_address": page_address(filled), "again_address": page_address(again)}
        return {**shown, "problem": "", "dropped": found, **addresses}

    def answer(self, request: Request, form: FormData, name: str) -> Response:
        """To its upload: it stands on the page at once, and what it was made with comes when it is known."""
        if not is_part(request):
            return RedirectResponse(page_address(f"name={name}", "image"), 303)
        file, src = self.files.path(name).name, image_address(name)
        return self.pages.part("try_page/dropped", problem="", waits=True, name=name, file=file, src=src)
