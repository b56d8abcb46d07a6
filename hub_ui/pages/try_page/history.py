"""The history beside the result: a click brings back an entry's settings and images."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from hub_ui import format
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images.history import HistoryEntry
from hub_ui.pages.events import QUIET, errors_as_messages
from hub_ui.pages.try_page import image_files
from hub_ui.pages.try_page.page import LABELS, TryPage
from hub_ui.pages.view import StackedLora, TrySettings, View
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer, act_data

MOST = 24


def connect(page: TryPage, services: Services, render: Renderer) -> None:
    """Rendered when the Try page opens and after each result. Visitors don't see each other's images."""
    cache = page.history.GRADIO_CACHE

    def on_view(now: View) -> Any:
        return history_html(services, render, cache) if now.page == "try" else gr.skip()

    def on_click(now: View, event: gr.EventData) -> Any:
        with errors_as_messages():
            return restore(services, render, now, act_data(event), cache)

    page.view.change(on_view, [page.view], [page.history], **QUIET)
    page.kept.change(lambda: history_html(services, render, cache), None, [page.history], **QUIET)
    page.history.act(on_click, [page.view], [page.view, page.kept, page.result], **QUIET)


def history_html(services: Services, render: Renderer, cache: str) -> str:
    """Repeated results with the same settings appear once."""
    entries: list[HistoryItem] = []
    seen: list[Any] = []
    for kept in services.history.entries(2 * MOST):
        result = (
            replace(kept.provenance, report=None, libraries={}),
            kept.provenance.report and kept.provenance.report.place,
        )
        if result not in seen and len(entries) < MOST:
            seen.append(result)
            entries.append(_entry(kept, cache))
    return render("history", pasts=entries)


@dataclass(frozen=True, kw_only=True)
class HistoryItem:
    """`id` is what a click sends back, `thumbnail` an address on this server."""

    id: str
    title: str
    line: str
    thumbnail: str


def _entry(kept: HistoryEntry, cache: str) -> HistoryItem:
    loras, comparison = kept.provenance.loras, kept.provenance.sheet
    weights = " / ".join(f"{lora.asked if lora.asked is not None else lora.weight:g}" for lora in loras)
    kind = LABELS.get(comparison.kind if comparison is not None else "one", "")
    return HistoryItem(
        id=kept.id,
        title=" + ".join(lora.title or str(lora.ref) for lora in loras) or "the base alone",
        line=format.join(kind, weights, format.ago(datetime.fromtimestamp(kept.at, UTC).isoformat())),
        thumbnail=image_files.copy_image(kept.thumbnail, cache),
    )


def restore(services: Services, render: Renderer, view: View, clicked: dict[str, Any], cache: str) -> Any:
    """The view, the result, and its HTML of that time."""
    services.policy.check("keep history")
    if clicked.get("act") != "again":
        return (gr.skip(),) * 3
    made = services.history.load(str(clicked.get("id", "")))
    shown = image_files.result_of(made, cache)
    return view_of_result(view, made), shown, result.result_html(render, shown)


def view_of_result(view: View, result: GenerationResult) -> View:
    """The Try page with the settings of these images."""
    request, report, varied = (
        result.request,
        result.report,
        comparison.find_swept_lora(result.request, result.comparison),
    )
    loras = [adapter for adapter in request.adapters if not adapter.follows]
    several = result.comparison.kind in ("strip", "grid")
    at = comparison.lora_slices(request)[varied].start if several else 0
    weights = tuple(dict.fromkeys(cell.weights[at] for cell in result.comparison.cells)) if several else ()
    settings = TrySettings(
        prompt=request.prompt,
        negative=request.negative,
        seed=request.seed,
        steps=report.steps,
        guidance=report.guidance,
        size=(report.width, report.height),
        base=report.base_id if report.place == "local" else "",
        sampler=request.sampler or "",
        use_trigger_words=request.use_trigger_words,
        sheet=result.comparison.kind if result.comparison.kind != "one" else "pair",
        prompts=result.comparison.rows[1:] if result.comparison.kind == "grid" else (),
        place="replicate" if report.place == "replicate" else "local",
        weights=weights,
        varied=varied if weights else 0,
        clip_weights=(
            tuple(round(a.weight * a.text_encoder_scale, 2) for a in loras)
            if any(a.text_encoder_scale != 1 for a in loras)
            else ()
        ),
        blocks=(
            tuple(",".join(f"{number:g}" for number in a.block_weights) or "ALL" for a in loras)
            if any(a.block_weights for a in loras)
            else ()
        ),
        strength=request.strength if request.image else None,
    )
    stack = tuple(StackedLora(ref=str(a.ref), weight=a.weight) for a in loras)
    return replace(view, page="try", open="", stack=stack, settings=settings)
