"""The images that a person gives to the form of the Compare page: what it starts from, what it follows, and an
original that is made again. Fields and addresses hold the names of their uploads.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.errors import UsageError
from hub_ui.generate.input_images import open_image
from hub_ui.i18n import N_
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance
from hub_ui.web.frame.pages import Pages, is_part, page_address
from hub_ui.web.upload_files import UploadedFiles, text_of
from hub_ui.web.view import View

CONTROL_KINDS = (
    ("canny", N_("edges (Canny)")), ("depth", N_("depth")), ("pose", N_("pose")), ("ready", N_("as it is")),
)  # fmt: skip
# The form's file fields, beside which a hidden field holds the name of what was chosen.
START, CONTROL = "image_file", "control_file"


@dataclass(frozen=True, kw_only=True)
class GivenImage:
    """An image that is made again: an address of it, and what it says about itself if we made it."""

    src: str
    width: int
    height: int
    provenance: Provenance | None = None


@dataclass(frozen=True, kw_only=True)
class FormImages:
    """Names of uploads, empty for none, as fields and addresses have them. `made` is what a control image becomes."""

    image: str = ""
    control: str = ""
    made: str = "canny"
    original: str = ""

    @staticmethod
    def of(given: Mapping[str, Any]) -> "FormImages":
        """Of a form, or of an address."""
        image, control, original = (str(given.get(name) or "")[:60] for name in ("image", "control", "original"))
        made = str(given.get("made"))
        is_known = made in dict(CONTROL_KINDS)
        return FormImages(image=image, control=control, original=original, made=made if is_known else "canny")

    def to_address(self) -> str:
        """What is added to the address of a view."""
        made = self.made if self.control and self.made != "canny" else ""
        pairs = (("image", self.image), ("control", self.control), ("made", made), ("original", self.original))
        return urlencode([(name, value) for name, value in pairs if value])


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    pages: Pages
    files: UploadedFiles

    def values(self, images: FormImages, back: str, *, is_open: bool = False) -> dict[str, Any]:
        """Of try_page/images.html. `back` is the address of the page without them."""
        is_open = is_open or bool(images.image or images.control)
        return {"images": images, "images_open": is_open, "images_back": back, "control_kinds": CONTROL_KINDS}

    def fields(self, images: FormImages) -> dict[str, Any]:
        """Those of a GenerationRequest. Raises NotFound for an upload that is gone."""
        return {
            "image": self.path(images.start),
            "control": self.path(images.control),
            "control_kind": images.control_kind,
        }

    def path(self, name: str) -> Path | None:
        return self.files.path(name) if name else None

    def original(self, name: str) -> GivenImage:
        """Raises NotFound for one that is gone, UsageError for what is no image."""
        path, found = self.files.path(name), None
        width, height = open_image(path, "picture")[0].size
        with suppress(UsageError):
            found = png_metadata.read_any(path)
        made = found if isinstance(found, Provenance) else None
        return GivenImage(src=image_address(name), width=width, height=height, provenance=made)

    def answer_start(self, request: Request, form: FormData, name: str) -> Response:
        return self.answer(request, form, replace(FormImages.of(form), image=name), name)

    def answer_control(self, request: Request, form: FormData, name: str) -> Response:
        return self.answer(request, form, replace(FormImages.of(form), control=name), name)

    def answer(self, request: Request, form: FormData, images: FormImages, name: str) -> Response:
        """The form's images with the one that was chosen or removed; without JavaScript, the page with them."""
        if name:
            open_image(self.files.path(name), "picture")
        back = View.from_address(text_of(form, "back")).to_address()
        if is_part(request):
            return self.pages.part("try_page/images", **self.values(images, back, is_open=True))
        return RedirectResponse(page_address(f"{back}&{images.to_address()}".strip("&")), 303)


def image_address(name: str) -> str:
    return f"uploaded?name={name}"
