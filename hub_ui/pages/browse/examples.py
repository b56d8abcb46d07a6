"""An example image of a hub fills in the Try page, which says what of its settings could not be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from connectors.errors import NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.images import example_settings
from hub_ui.images.example_settings import ExampleSettings
from hub_ui.pages.events import QUIET, errors_as_messages
from hub_ui.pages.try_page.page import TryPage
from hub_ui.pages.try_page.settings import TrySettings, prompt_text
from hub_ui.pages.view import Stacked, View, clamp_weight
from hub_ui.services import Services, record_of
from hub_ui.widgets import format
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data

MOST_NAMED = 4


def connect(panel: gr.HTML, page: TryPage, services: Services, render: Renderer) -> None:
    def on_click(now: View, event: gr.EventData) -> Any:
        with errors_as_messages():
            return use_example(services, render, now, act_data(event))

    panel.act(on_click, [page.view], [page.view, page.said], **QUIET)
    # A note about one example does not belong to the next result.
    page.make.click(lambda: "", None, [page.said], **QUIET)


def use_example(services: Services, render: Renderer, view: View, clicked: dict[str, Any]) -> tuple[Any, Any]:
    """The Try page with the example's settings, and a line about the rest. Skips other clicks of the panel."""
    index = str(clicked.get("index", ""))
    if clicked.get("act") != "example" or not index.isdigit():
        return gr.skip(), gr.skip()
    ref = Ref.parse(str(clicked.get("ref", "")))
    lora = services.catalog.lora(ref.lora)
    record = record_of(lora, ref)
    if int(index) >= len(record.images):
        raise NotFound("This image is no longer shown by its hub. Open the LoRA again.")
    found = example_settings.settings(record.images[int(index)])
    stacked = Stacked(ref=str(ref), weight=weight(found, lora, ref))
    tried = replace(view, page="try", open="", stack=(stacked,), settings=try_settings(found))
    return tried, render("said", text=describe(found, lora, ref))


def weight(found: ExampleSettings, lora: Lora, ref: Ref) -> float:
    version = lora.version(ref.version) or lora.version(None)
    given = found.weight(version) if version is not None else found.scale
    return 1.0 if given is None else clamp_weight(given)


def try_settings(found: ExampleSettings) -> TrySettings:
    size = (found.width, found.height) if found.width and found.height else None
    return TrySettings(
        prompt=prompt_text(found.prompt),
        negative=prompt_text(found.negative),
        seed=found.seed,
        steps=found.steps,
        guidance=found.guidance,
        sampler=found.sampler or "",
        size=size,
    )


def describe(found: ExampleSettings, lora: Lora, ref: Ref) -> str:
    """What was used, what was not, and which other LoRAs the image was made with."""
    version = lora.version(ref.version) or lora.version(None)
    others = found.others(version) if version is not None else found.loras
    names = ", ".join(format.visible(other.name)[:60] for other in others[:MOST_NAMED])
    return format.sentences(
        f"The settings of an example of “{format.visible(lora.title)}”.",
        found.sentence() or "",
        f"It was made with other LoRAs too: {names}." if others else "",
    )
