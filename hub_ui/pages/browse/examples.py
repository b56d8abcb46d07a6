"""A hub's picture becomes what the Try page asks for, and what could not be taken over of its settings is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from connectors.errors import NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.images import example_settings
from hub_ui.images.example_settings import ExampleSettings
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.try_page.page import States, TryPage
from hub_ui.pages.try_page.settings import TrySettings, prompt_text
from hub_ui.pages.view import Stacked, View
from hub_ui.services import Services, record_of
from hub_ui.widgets import format
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.widget import act_data

MOST_NAMED = 4


def connect(panel: gr.HTML, page: TryPage, services: Services, render: Renderer, states: States) -> None:
    def on_click(now: View, event: gr.EventData) -> Any:
        with told():
            return use(services, render, now, act_data(event))

    panel.act(on_click, [states.view], [states.view, page.said], **QUIET)
    # What was said of one example is no word about the next result.
    page.make.click(lambda: "", None, [page.said], **QUIET)


def use(services: Services, render: Renderer, view: View, clicked: dict[str, Any]) -> tuple[Any, Any]:
    """The Try page with the example's settings, and a line about the rest. Other clicks of the panel are not ours."""
    index = str(clicked.get("index", ""))
    if clicked.get("act") != "example" or not index.isdigit():
        return gr.skip(), gr.skip()
    ref = Ref.parse(str(clicked.get("ref", "")))
    lora = services.catalog.lora(ref.lora)
    record = record_of(lora, ref)
    if int(index) >= len(record.images):
        raise NotFound("This picture is no longer shown by its hub. Open the LoRA again.")
    found = example_settings.settings(record.images[int(index)])
    stacked = Stacked(ref=str(ref), weight=weight(found, lora, ref))
    tried = replace(view, page="try", open="", stack=(stacked,), wish=wish(found))
    return tried, render("said", text=said(found, lora, ref))


def weight(found: ExampleSettings, lora: Lora, ref: Ref) -> float:
    version = lora.version(ref.version) or lora.version(None)
    given = found.weight(version) if version is not None else found.scale
    return 1.0 if given is None else max(-1.0, min(2.0, given))


def wish(found: ExampleSettings) -> TrySettings:
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


def said(found: ExampleSettings, lora: Lora, ref: Ref) -> str:
    """What was taken over, what was not, and which other LoRAs the picture was made with."""
    version = lora.version(ref.version) or lora.version(None)
    others = found.others(version) if version is not None else found.loras
    parts = [f"The settings of an example of “{format.visible(lora.title)}”.", found.sentence() or ""]
    if others:
        named = ", ".join(format.visible(other.name)[:60] for other in others[:MOST_NAMED])
        parts.append(f"It was made with other LoRAs too: {named}.")
    return " ".join(part for part in parts if part)
