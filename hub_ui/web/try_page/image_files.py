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
from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.input_images import open_image
from hub_ui.generate.request import GenerationRequest
from hub_ui.i18n import N_
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance
from hub_ui.web.frame.pages import Pages, is_part, page_address
from hub_ui.web.upload_files import UploadedFiles, text_of
from hub_ui.web.view import View

CONTROL_KINDS = (
    ("canny", N_("edges (Canny)")), ("depth", N_("depth")), ("pose", N_("pose")), ("ready", N_("as it is")),
)  # fmt: skip
# The file fields, and the fields of the names.
START, CONTROL = "start_file", "control_file"


@dataclass(frozen=True, kw_only=True)
class Original:
    """An image that is made again: an address of it, and what it says about itself if we made it."""

    src: str
    width: int
    height: int
    provenance: Provenance | None = None

    def cells(self, request: GenerationRequest) -> tuple[Comparison, int]:
        """What to generate, and which of it is the image. Half of a pair is the same to the bit only in that pair."""
        sheet = self.provenance.sheet if self.provenance else None
        cell = self.provenance.cell if self.provenance else None
        weights = len(request.adapters)
        if sheet and cell is not None and len(sheet.cells) == 2 and len(sheet.cells[0].weights) == weights:
            return sheet, cell
        return comparison.single(request), 0


@dataclass(frozen=True, kw_only=True)
class FormImages:
    """Names of uploads, empty for none. `control_kind` is what the control image is made into."""

    start: str = ""
    control: str = ""
    control_kind: str = "canny"
    original: str = ""

    @staticmethod
    def of(given: Mapping[str, Any]) -> "FormImages":
        """Of a form, or of an address."""
        start, control, original = (str(given.get(name) or "")[:60] for name in ("start", "control", "original"))
        kind = str(given.get("control_kind"))
        is_known = kind in dict(CONTROL_KINDS)
        return FormImages(start=start, control=control, original=original, control_kind=kind if is_known else "canny")

    def to_address(self) -> str:
        """What is added to the address of a view."""
        pairs = [("start", self.start), ("control", self.control), ("original", self.original)]
        pairs += [("control_kind", self.control_kind)] if self.control and self.control_kind != "canny" else []
        return urlencode([(name, value) for name, value in pairs if value])


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    pages: Pages
    files: UploadedFiles

    def values(self, images: FormImages, back: str, *, is_open: bool = False) -> dict[str, Any]:
        """Of try_page/images.html. `back` is the address of the page without them."""
        is_open = is_open or bool(images.start or images.control)
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

    def original(self, name: str) -> Original:
        """Raises NotFound for one that is gone, UsageError for what is no image."""
        path, found = self.files.path(name), None
        width, height = open_image(path, "picture")[0].size
        with suppress(UsageError):
            found = png_metadata.read_any(path)
        made = found if isinstance(found, Provenance) else None
        return Original(src=image_address(name), width=width, height=height, provenance=made)

    def answer_start(self, request: Request, form: FormData, name: str) -> Response:
        return self.answer(request, form, replace(FormImages.of(form), start=name), name)

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
