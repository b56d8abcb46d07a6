"""The addresses of an image that is dropped on a page: what it was made with, and its end."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.errors import NotFound, UsageError
from hub_ui.generate.input_images import open_image
from hub_ui.i18n import _
from hub_ui.web.layout.pages import Pages, Preview, is_part, page_address
from hub_ui.web.try_page import dropped
from hub_ui.web.uploads import UploadedFiles, UploadName, text_of
from hub_ui.web.view import MOST_FIELDS, View

# The form's file fields, beside which a hidden field holds the name of what was chosen.
START, CONTROL = "image_file", "control_file"


@dataclass(frozen=True, kw_only=True)
class FormImages:
    """Names of uploads, empty for none, as fields and addresses have them. An `original` is made again."""

    image: str = ""
    control: str = ""
    original: str = ""

    @staticmethod
    def of(given: Mapping[str, Any]) -> "FormImages":
        """Of a form, or of an address."""
        image, control, original = (str(given.get(name) or "")[:60] for name in ("image", "control", "original"))
        return FormImages(image=image, control=control, original=original)

    def to_address(self, address: str = "") -> str:
        """An address of the Compare page with these in the place of its own."""
        own = {"image": self.image, "control": self.control, "original": self.original}
        others: list[tuple[str, str]] = []
        with suppress(ValueError):  # more fields than anyone needs
            others = [pair for pair in parse_qsl(address, max_num_fields=MOST_FIELDS) if pair[0] not in own]
        return urlencode([*others, *((name, value) for name, value in own.items() if value)])


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """`answer_start` and `answer_control` answer to a file of the form, or to its removal, with an empty name."""

    pages: Pages
    files: UploadedFiles

    def answer_start(self, request: Request, form: FormData, name: str) -> Response:
        return self.answer(request, form, replace(FormImages.of(form), image=name), name)

    def answer_control(self, request: Request, form: FormData, name: str) -> Response:
        return self.answer(request, form, replace(FormImages.of(form), control=name), name)

    def answer(self, request: Request, form: FormData, images: FormImages, name: str) -> Response:
        """The form's images as they are now; without JavaScript, the page with them."""
        if name:
            open_image(self.files.path(name), "picture")
        back = text_of(form, "back")
        if is_part(request):
            return self.pages.part("try_page/chosen_images", images=images, images_back=back)
        return RedirectResponse(page_address(images.to_address(back)), 303)


def image_address(name: str) -> str:
    return f"uploaded?name={name}"


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
