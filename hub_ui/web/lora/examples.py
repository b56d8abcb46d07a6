"""The addresses of a LoRA's images: one shown large with how it was made, and its settings on the Compare page."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.claims.resolve import flatten
from connectors.errors import NotFound, UsageError
from connectors.record import Lora, Record, within
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.images import example_settings
from hub_ui.images.example_settings import ExampleSettings
from hub_ui.web.frame.pages import LEVEL_COOKIE, Pages, Preview, lora_address, page_address, target_of
from hub_ui.web.try_page.compatibility import requirements
from hub_ui.web.view import LONGEST_PROMPT, StackedLora, TrySettings, View, clamp_weight, prompt_text
from hub_ui.widgets import detail
from hub_ui.widgets.gallery import gallery

MOST_NAMED = 4

Index = Annotated[int, Query(ge=0, le=10_000)]


@dataclass(frozen=True, kw_only=True)
class ExampleRoutes:
    """The address is that of the LoRA's panel, with the image's number in its record."""

    pages: Pages

    def router(self) -> APIRouter:
        router = self.pages.router()

        @router.get("/lora-image")
        def image(request: Request, index: Index) -> Response:
            view, ref = opened(request)
            try:
                lora, record = self.record(ref)
            except NotFound:
                # Its panel asks the hub.
                return RedirectResponse(lora_address(View(), str(ref)), 303)
            values = self.values(view, lora, record, index)
            if target_of(request) == "lightbox":
                return self.pages.part("lora/image", **values)
            # Never above "safe": other sites show it to everybody.
            preview = Preview(title=values["title"] if within(record.nsfw, "safe") else _("Image"))
            return self.pages.whole(request, "lora/image_page", view, preview=preview, **values)

        @router.get("/lora/example")
        def example(request: Request, index: Index) -> Response:
            view, ref = opened(request)
            lora, record = self.record(ref)
            if index >= len(record.images):
                raise NotFound(_("This image is no longer there. Open the LoRA again."))
            found = example_settings.settings(record.images[index])
            used = StackedLora(ref=str(record.ref), weight=example_weight(found, lora, record.ref))
            filled = replace(view, page="try", open="", stack=(used,), settings=try_settings(found, lora, record.ref))
            return RedirectResponse(page_address(filled.to_address(), "../"), 303)

        return router

    def record(self, ref: Ref) -> tuple[Lora, Record]:
        """Raises NotFound for a LoRA that was never seen."""
        lora = self.pages.services.catalog.lora(ref.lora)
        return lora, flatten(lora, *detail.version_and_file(lora, ref))

    def values(self, view: View, lora: Lora, record: Record, index: int) -> dict[str, Any]:
        """Of lora/image.html. Raises NotFound for an image that is not there, or above the level."""
        shown = gallery(record, view.query.nsfw)
        at = next((at for at, item in enumerate(shown) if item.index == index), None)
        if at is None:
            raise NotFound(_("This image is no longer there. Open the LoRA again."))
        found = example_settings.settings(shown[at].example)
        needs = requirements(self.pages.services, record)
        return {
            "item": shown[at], "ref": record.ref, "title": format.title(lora.title) or lora.ref.id, "url": lora.url,
            "at": at + 1, "many": len(shown), "before": shown[at - 1].index,
            "after": shown[(at + 1) % len(shown)].index, "address": view.to_address(),
            "left_out": describe_example(found, lora, record.ref), "problem": needs.text if needs.closed else "",
        }  # fmt: skip


def opened(request: Request) -> tuple[View, Ref]:
    view = View.from_address(request.url.query, request.cookies.get(LEVEL_COOKIE))
    if not view.open:
        raise UsageError(_("There is no LoRA at this address. Open one from the list."))
    return view, Ref.parse(view.open)


def example_weight(found: ExampleSettings, lora: Lora, ref: Ref) -> float:
    version = lora.version(ref.version) or lora.version(None)
    given = found.weight(version) if version is not None else found.scale
    return 1.0 if given is None else clamp_weight(given)


def try_settings(found: ExampleSettings, lora: Lora, ref: Ref) -> TrySettings:
    version = lora.version(ref.version) or lora.version(None)
    used = found.used(version) if version is not None else None
    size = (found.width, found.height) if found.width and found.height else None
    return TrySettings(
        prompt=prompt_text(found.prompt),
        negative=prompt_text(found.negative),
        seed=found.seed,
        steps=found.steps,
        guidance=found.guidance,
        sampler=found.sampler or "",
        size=size,
        clip_weights=(clamp_weight(used.clip_weight),) if used and used.clip_weight is not None else (),
        # Whether they fit shows where the base is known.
        blocks=(used.blocks[:LONGEST_PROMPT],) if used and used.blocks else (),
    )


def describe_example(found: ExampleSettings, lora: Lora, ref: Ref) -> str:
    """What is not taken over, and which other LoRAs the image was made with."""
    version = lora.version(ref.version) or lora.version(None)
    others = found.others(version) if version is not None else found.loras
    names = ", ".join(format.visible(other.name)[:60] for other in others[:MOST_NAMED])
    return format.sentences(
        found.sentence() or "",
        _("It was made with other LoRAs too: {names}.").format(names=names) if others else "",
    )
