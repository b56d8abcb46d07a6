"""Routes of the history of generations, and the values for its templates.

Results are grouped by request. One or two results can be open, with their settings and differences.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from markupsafe import Markup

from connectors.errors import NotFound
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.base.image_files import open_image
from hub_ui.images import png_metadata
from hub_ui.images.example_settings import SETTINGS, of_provenance, weights_compared
from hub_ui.images.history import GONE, HistoryEntry, group_entries
from hub_ui.images.provenance import Provenance
from hub_ui.web.images import PRIVATE
from hub_ui.web.layout.pages import Preview, Room, is_part, route
from hub_ui.web.layout.render import word
from hub_ui.web.try_page.result import cell_label
from hub_ui.web.view import StackedLora, View


def describe(image: Provenance) -> str:
    """Describe a result: its kind, the LoRA of varying weight with its range, and the weights of other LoRAs."""
    sheet = image.sheet
    label = word("comparison", sheet.kind) if sheet else ""
    if sheet and sheet.kind == "loras":
        return f"{label} {len(sheet.columns)} × {len(sheet.rows)}"
    full_weights, weights = [lora.full_weight for lora in image.loras], weights_compared(sheet)
    varied = next((i for i, values in enumerate(weights) if len(values) > 1), None)
    if varied is None:
        return format.join(label, *(f"{weight:g}" for weight in full_weights))
    span = f"{min(weights[varied]):g} … {max(weights[varied]):g}"
    # The heading already has the name of a single LoRA.
    if len(full_weights) == 1:
        return f"{label}: {span}"
    text = f"{label}: {image.loras[varied].title or image.loras[varied].ref} {span}"
    others = ", ".join(
        f"{lora.title} {full_weights[i]:g}"
        for i, lora in enumerate(image.loras)
        if i != varied and len(weights[i]) == 1
    )
    return _("{sweep}, with {others}").format(sweep=text, others=others) if others else text


def infotext_in(path: Path) -> str:
    """Return the PNG's infotext, which A1111 and its forks read, or "" if the file is not a readable PNG."""
    try:
        with open_image(path, formats=("PNG",)) as image:
            return str(image.info.get("parameters", ""))
    except ValueError:
        return ""


def view_of(image: Provenance) -> View:
    """Return the Compare page with the settings of the image's whole result (all cells of a sheet)."""
    stack = tuple(StackedLora(ref=str(lora.ref), weight=lora.full_weight) for lora in image.loras)
    return View(page="try", stack=stack, settings=of_provenance(replace(image, cell=None)))


def differences(*both: HistoryEntry) -> Iterator[tuple[str, str, str]]:
    """Yield the settings in which the last images of two results differ, as name and two values. Weights come first."""
    left, right = (png_metadata.read(entry.paths[-1]) for entry in both)
    titles = {lora.ref.lora: lora.title or str(lora.ref) for image in (left, right) for lora in image.loras}
    for ref, title in titles.items():
        weights = [{lora.ref.lora: lora.weight for lora in image.loras}.get(ref, 0.0) for image in (left, right)]
        if weights[0] != weights[1]:
            yield _("Weight of {title}").format(title=title), f"{weights[0]:g}", f"{weights[1]:g}"
    for name, value in SETTINGS:
        if value(left) != value(right):
            yield _(name), value(left) or "–", value(right) or "–"


Id = Annotated[str, Query(max_length=40)]
FormId = Annotated[str, Form(max_length=40)]
# Groups on a page.
MOST = 12
FormPage = Annotated[int, Form(ge=1, le=1000)]


@dataclass(frozen=True, kw_only=True)
class HistoryRoutes(Room):
    """Routes of the history. Visitors of a hosted page have no history."""

    @route("GET /history")
    def history(self, request: Request, page: Annotated[int, Query(ge=1, le=1000)] = 1, removed: Id = "") -> Response:
        services = self.services
        if is_part(request) and not services.policy.allows("keep history"):
            return HTMLResponse("")
        services.policy.check("keep history")
        if is_part(request):
            return self.answer_change(request, page)
        opened = [services.history.entry(id_) for id_ in request.query_params.getlist("open")[:2]]
        values = {
            **self.list_values(page, removed, [entry.id for entry in opened]),
            "results": [(entry, services.history.load(entry.id)) for entry in opened],
            "infotext_in": infotext_in,
            "cell_label": cell_label,
            "address_of": lambda image: view_of(image).link(),
            "differences": tuple(differences(*opened)) if len(opened) == 2 else (),
        }
        preview = Preview(title=opened[0].title if opened else _("History"))
        return self.pages.whole(request, "history/page", View(page="try"), preview=preview, **values)

    @route("GET /history/image", may="keep history")
    def image(self, id: Id, cell: Annotated[int, Query(ge=0, le=99)]) -> Response:
        paths = self.services.history.entry(id).paths
        if cell >= len(paths):
            raise NotFound(_(GONE))
        return FileResponse(paths[cell], media_type="image/png", headers=PRIVATE)

    @route("POST /history/remove", may="keep history")
    def remove(self, request: Request, id: FormId, page: FormPage = 1) -> Response:
        self.services.history.trash(id)
        return self.answer_change(request, page, id)

    @route("POST /history/bring-back", may="keep history")
    def bring_back(self, request: Request, id: FormId, page: FormPage = 1) -> Response:
        self.services.history.bring_back(id)
        return self.answer_change(request, page)

    def html(self) -> Markup:
        """Return the first page of the history, for the Compare page. It is empty if the history is off."""
        if not self.services.policy.allows("keep history"):
            return Markup("")
        return Markup(self.pages.render("history/list", **self.list_values(1)))

    def answer_change(self, request: Request, page: int, removed: str = "") -> Response:
        place = f"../history?page={page}" + (f"&removed={removed}" if removed else "")
        return self.pages.after_act(request, "history/list", place, **self.list_values(page, removed))

    def list_values(self, page: int, removed: str = "", opened: Sequence[str] = ()) -> dict[str, Any]:
        groups = group_entries(self.services.history.entries())
        # The page may be too high, if the last group of the last page was removed.
        page = max(1, min(page, math.ceil(len(groups) / MOST)))
        return {
            "groups": groups[(page - 1) * MOST : page * MOST],
            "more": len(groups) > page * MOST,
            "page": page,
            "removed": removed,
            "opened": opened,
            "describe": describe,
            "local_link": self.pages.render.links.local_link,
        }
