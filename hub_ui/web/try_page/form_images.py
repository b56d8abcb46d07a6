"""The images that a person gives to the form of the Compare page: what it starts from, and what it follows."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub_ui.generate.input_images import open_image
from hub_ui.web.frame.pages import Pages, is_part, page_address
from hub_ui.web.upload_files import UploadedFiles, text_of
from hub_ui.web.view import MOST_FIELDS

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
