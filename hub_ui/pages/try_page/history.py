"""What was made before, beside the stage: a click brings back its settings and its pictures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from hub_ui.generate import comparison
from hub_ui.generate.request import GenerationResult
from hub_ui.images.history import Kept
from hub_ui.pages.events import QUIET, told
from hub_ui.pages.try_page import image_files
from hub_ui.pages.try_page.page import States, TryPage
from hub_ui.pages.try_page.settings import TrySettings
from hub_ui.pages.view import Stacked, View
from hub_ui.services import Services
from hub_ui.widgets import format, result, try_form
from hub_ui.widgets import result as widgets_result
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Result
from hub_ui.widgets.widget import act_data

MOST = 24


def connect(page: TryPage, services: Services, render: Renderer, states: States) -> None:
    """Painted when the Try page is opened, and again after each result. Visitors' pictures are not for each other."""

    def on_view(now: View) -> Any:
        return history_html(services, render, page.history.GRADIO_CACHE) if now.page == "try" else gr.skip()

    def on_result(_last: Result | None) -> Any:
        return history_html(services, render, page.history.GRADIO_CACHE)

    def on_click(now: View, event: gr.EventData) -> Any:
        with told():
            return again(services, render, now, act_data(event), page.history.GRADIO_CACHE)

    states.view.change(on_view, [states.view], [page.history], **QUIET)
    states.kept.change(on_result, [states.kept], [page.history], **QUIET)
    page.history.act(on_click, [states.view], [states.view, states.kept, page.result], **QUIET)


def history_html(services: Services, render: Renderer, cache: str) -> str:
    """What was made several times with the same settings stands there once."""
    pasts: list[widgets_result.Past] = []
    seen: list[Any] = []
    for kept in services.history.entries(2 * MOST):
        made = replace(kept.stamp, report=None, libraries={}), kept.stamp.report and kept.stamp.report.place
        if made not in seen and len(pasts) < MOST:
            seen.append(made)
            pasts.append(_past(kept, cache))
    return widgets_result.history_html(render, pasts)


def _past(kept: Kept, cache: str) -> widgets_result.Past:
    loras = kept.stamp.loras
    weights = " / ".join(f"{lora.asked if lora.asked is not None else lora.weight:g}" for lora in loras)
    made = kept.stamp.sheet.kind if kept.stamp.sheet is not None else "one"
    kind = try_form.LABELS.get(made, "")
    at = format.ago(datetime.fromtimestamp(kept.at, UTC).isoformat())
    return widgets_result.Past(
        id=kept.id,
        title=" + ".join(lora.title or str(lora.ref) for lora in loras) or "the base alone",
        line=" · ".join(part for part in (kind, weights, at) if part),
        thumbnail=image_files.copied(kept.thumbnail, cache),
    )


def again(services: Services, render: Renderer, view: View, clicked: dict[str, Any], cache: str) -> Any:
    """The view, the result kept, and its HTML, as they were."""
    services.policy.check("keep history")
    if clicked.get("act") != "again":
        return gr.skip(), gr.skip(), gr.skip()
    made = services.history.made(str(clicked.get("id", "")))
    shown = image_files.result_of(made, cache)
    return of_made(view, made), shown, result.result_html(render, shown)


def of_made(view: View, made: GenerationResult) -> View:
    """The Try page as it was when these pictures were asked for."""
    job, report, varied = made.job, made.report, comparison.varied(made.job, made.sheet)
    several = made.sheet.kind in ("strip", "grid")
    at = comparison.places(job)[varied].start if several else 0
    weights = tuple(dict.fromkeys(cell.weights[at] for cell in made.sheet.cells)) if several else ()
    wish = TrySettings(
        prompt=job.prompt,
        negative=job.negative,
        seed=job.seed,
        steps=report.steps,
        guidance=report.guidance,
        size=(report.width, report.height),
        base=report.base_id if report.place == "local" else "",
        sampler=job.sampler or "",
        use_trigger_words=job.use_trigger_words,
        sheet=made.sheet.kind if made.sheet.kind != "one" else "pair",
        prompts=made.sheet.rows[1:] if made.sheet.kind == "grid" else (),
        place="replicate" if report.place == "replicate" else "local",
        weights=weights,
        varied=varied if weights else 0,
    )
    stack = tuple(Stacked(ref=str(a.ref), weight=a.weight) for a in job.adapters if not a.follows)
    return replace(view, page="try", open="", stack=stack, wish=wish)
