"""The addresses of the panel: what it says, and what a person does there."""

from contextlib import suppress
from dataclasses import dataclass, replace
from time import time, time_ns
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from connectors.claims.resolve import flatten
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Lora, Record, Version, within
from connectors.ref import Ref
from hub_ui.app import news
from hub_ui.app.compatibility import requirements
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.generate.try_fields import clamp_weight
from hub_ui.images import example_settings
from hub_ui.web.layout.pages import Back, Preview, RefText, Room, Shown, is_part, route, target_of
from hub_ui.web.lora import detail
from hub_ui.web.lora.detail import gallery, lora_text, version_and_file
from hub_ui.web.lora.panel import Panel, find_similar, links
from hub_ui.web.news import NewsRoutes
from hub_ui.web.view import StackedLora, View

Index = Annotated[int, Query(ge=0, le=10_000)]
Creator = Annotated[str, Form(min_length=1, max_length=200)]
# The panel that the page has (Panel.steps).
Seen = Annotated[str, Query(max_length=20)]
MOST_NAMED = 4
NO_IMAGE = N_("This image is no longer there. Open the LoRA again.")


@dataclass(frozen=True, kw_only=True)
class LoraRoutes(Room):
    panel: Panel
    news: NewsRoutes
    # Each may wait for a hub.
    most_at_once = 20

    @route("GET /lora/read")
    def read(self, request: Request, view: Shown, act: Annotated[int, Query(ge=0)] = 0, seen: Seen = "") -> Response:
        open_ref(view)
        steps, saved = self.panel.steps(view, seen), self.news.texts(request)
        # What asks stays as it is: another address would be asked at once, forever where a file can't be read.
        return self.pages.streams.answer(
            self.pages.render("lora/changed", **{**values, "act": act, "fingerprint": seen, "saved": saved})
            for values in steps
        )

    @route("GET /lora/similar")
    def similar(self, view: Shown) -> Response:
        open_ref(view)
        return self.pages.part("lora/similar", **links(view), similar=find_similar(self.services, view))

    @route("POST /lora/favorite", may="annotate")
    def favorite(self, request: Request, ref: RefText, view: Back) -> Response:
        lora = Ref.parse(ref).lora
        self.services.annotations.change(lora, favorite=not self.services.annotations.get(lora).favorite)
        return self.answer(request, view)

    @route("POST /lora/follow")
    def follow(self, request: Request, creator: Creator, view: Back) -> Response:
        changed = self.news.change(request, lambda searches: news.follow(searches, creator, time()))
        saved = frozenset(search.text for search in changed)
        answer = self.answer(request, view, saved)
        self.news.keep(request, answer, changed)
        return answer

    @route("POST /lora/download", may="pull")
    def download(self, request: Request, ref: RefText, view: Back) -> Response:
        self.services.downloads.enqueue(Ref.parse(ref))
        return self.answer(request, view)

    @route("POST /lora/keep")
    def keep(self, request: Request, ref: RefText, view: Back) -> Response:
        """Lists it in a visitor's own library of a hosted page."""
        if self.services.visitor_downloads is None:
            raise UsageError(_("There is no such page."))
        self.services.visitor_downloads.add(Ref.parse(ref))
        return self.answer(request, view)

    def answer(self, request: Request, view: View, saved: frozenset[str] | None = None) -> Response:
        """The panel as it is now; without JavaScript, the page that it stands on. `saved` is NewsRoutes.texts."""
        if is_part(request) and view.open:
            saved = self.news.texts(request) if saved is None else saved
            return self.pages.part("lora/changed", **{**self.panel.values(view), "act": time_ns(), "saved": saved})
        return RedirectResponse(view.link("../"), 303)

    @route("GET /lora-image", waits=True)
    def image(self, request: Request, view: Shown, index: Index) -> Response:
        """The address is that of the LoRA's panel, with the image's number in its record."""
        ref = open_ref(view)
        try:
            lora, version, record = self.record(ref)
        except NotFound:
            # Its panel asks the hub.
            return RedirectResponse(View(open=str(ref)).link(), 303)
        is_told = any(example.prompt or example.params for example in record.images[index : index + 1])
        if not is_told and not self.services.lookup.was_fetched(ref):
            # The panel is asking just now, and a click may come before its answer.
            with suppress(HubUiError):
                self.services.lookup.get_or_recall(ref)
                lora, version, record = self.record(ref)
        shown = gallery(record, view.query.nsfw)
        at = next((at for at, (number, _example) in enumerate(shown) if number == index), None)
        if at is None:
            raise NotFound(_(NO_IMAGE))
        example = shown[at][1]
        needs, found = requirements(self.services, record), example_settings.settings(example)
        values: dict[str, Any] = {
            "index": index, "example": example, "record": record, "url": lora.url,
            "at": at + 1, "many": len(shown), "before": shown[at - 1][0],
            "after": shown[(at + 1) % len(shown)][0], "address": view.to_address(),
            "found": found, "others": [format.visible(other.name)[:60] for other in found.others(version)[:MOST_NAMED]],
            "settings": list(detail.settings(example)), "loras": list(map(lora_text, found.loras)),
            "problem": needs.text if needs.closed else "",
        }  # fmt: skip
        if target_of(request) == "lightbox":
            return self.pages.part("lora/image", **values)
        # Never above "safe": other sites show it to everybody.
        preview = Preview(title=format.record_title(record) if within(record.nsfw, "safe") else _("Image"))
        return self.pages.whole(request, "lora/image_page", view, preview=preview, **values)

    @route("GET /lora/example")
    def example(self, view: Shown, index: Index) -> Response:
        """The settings of an image on the Compare page."""
        _lora, version, record = self.record(open_ref(view))
        if index >= len(record.images):
            raise NotFound(_(NO_IMAGE))
        found = example_settings.settings(record.images[index])
        weight, used = found.weight(version), found.used(version)
        # Whether blocks fit shows where the base is known.
        parts = example_settings.weights_of_parts([used] if used else [])
        stacked = StackedLora(ref=str(record.ref), weight=1.0 if weight is None else clamp_weight(weight))
        settings = replace(found.try_settings(), strength=None, **parts)
        return RedirectResponse(
            replace(view, page="try", open="", stack=(stacked,), settings=settings).link("../"), 303
        )

    def record(self, ref: Ref) -> tuple[Lora, Version | None, Record]:
        """Raises NotFound for a LoRA that was never seen."""
        lora = self.services.catalog.lora(ref.lora)
        version, file = version_and_file(lora, ref)
        return lora, version, flatten(lora, version, file)


def open_ref(view: View) -> Ref:
    if not view.open:
        raise UsageError(_("There is no LoRA at this address. Open one from the list."))
    return Ref.parse(view.open)
