"""The history beside the result, grouped by request: each of its results comes back, is made again, or is compared."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import gradio as gr

from connectors.errors import UsageError
from hub_ui import format
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.i18n import N_, _
from hub_ui.images.history import HistoryEntry
from hub_ui.images.provenance import Provenance
from hub_ui.pages.events import IN_ORDER, QUIET, errors_as_messages
from hub_ui.pages.try_page import compare, generate, image_files
from hub_ui.pages.try_page.form import FormSource
from hub_ui.pages.try_page.orders import Order
from hub_ui.pages.try_page.page import LABELS, TryPage
from hub_ui.web.view import StackedLora, TrySettings, View
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer, act_data
from hub_ui.widgets.result import Result

# Groups on the page at first, and with each "Show more".
MOST = 12
NOTHING_SHOWN = N_("Open the other image first, then press “Compare” here.")
SAME = gr.skip()


class Changes(NamedTuple):
    """Updates of a click's outputs, in order. `removed` is the entry that can be brought back."""

    view: Any = SAME
    kept: Any = SAME
    result: Any = SAME
    shown: Any = SAME
    asked: Any = SAME
    order: Any = SAME
    history: Any = SAME
    removed: Any = SAME
    groups: Any = SAME


@dataclass(frozen=True, kw_only=True)
class Click:
    """What a click in the history finds on the page."""

    view: View
    last: Result | None = None
    asked: int = 0
    removed: str = ""
    groups: int = MOST


def connect(page: TryPage, services: Services, render: Renderer) -> None:
    """Rendered when the Try page opens and after each result. Visitors don't see each other's images."""
    cache = page.history.GRADIO_CACHE
    removed, groups = gr.State(""), gr.State(MOST)

    def on_change(now: View, many: int) -> Any:
        return history_html(services, render, cache, groups=many) if now.page == "try" else gr.skip()

    def on_click(now: View, last: Result | None, asked: int, removed: str, groups: int, event: gr.EventData) -> Changes:
        with errors_as_messages():
            click = Click(view=now, last=last, asked=asked, removed=removed, groups=groups)
            return apply_click(services, render, click, act_data(event), cache)

    # As one event: the answer about a view could come after that about a newer result.
    changes = [page.view.change, page.kept.change]
    gr.on(changes, on_change, [page.view, groups], [page.history], trigger_mode="always_last", **QUIET)
    outputs = [
        page.view, page.kept, page.result, page.shown, page.asked, page.order, page.history, removed, groups,
    ]  # fmt: skip
    page.history.act(on_click, [page.view, page.kept, page.asked, removed, groups], outputs, **IN_ORDER)


def apply_click(services: Services, render: Renderer, click: Click, clicked: dict[str, Any], cache: str) -> Changes:
    services.policy.check("keep history")
    name, id_ = clicked.get("act"), str(clicked.get("id", ""))
    if name == "more-history":
        many = click.groups + MOST
        return Changes(groups=many, history=history_html(services, render, cache, groups=many))
    if name in ("forget", "bring-back"):
        gone = id_ if name == "forget" else ""
        services.history.trash(id_) if gone else services.history.bring_back(click.removed)
        html = history_html(services, render, cache, groups=click.groups, removed=gone)
        return Changes(history=html, removed=gone)
    if name not in ("again", "rerun", "compare"):
        return Changes()
    made = services.history.load(id_)
    if name == "compare":
        if click.last is None:
            raise UsageError(_(NOTHING_SHOWN))
        both = compare.side_by_side(image_files.result_of(made, cache), click.last, cache)
        return Changes(kept=both, result=result.result_html(render, both))
    then = view_of_result(click.view, made)
    if name == "rerun":
        # The form is filled in anew, whatever was typed meanwhile.
        asked = click.asked + 1 if then == click.view else SAME
        return Changes(view=then, shown=FormSource(), asked=asked, order=Order.of(then))
    shown = generate.finish(services, image_files.result_of(made, cache), then)
    return Changes(view=then, kept=shown, result=result.result_html(render, shown))


@dataclass(frozen=True, kw_only=True)
class HistoryItem:
    """`id` is what a click sends back, `thumbnail` an address on this server."""

    id: str
    kind: str
    line: str
    thumbnail: str


@dataclass(frozen=True, kw_only=True)
class HistoryGroup:
    """The results of one request: the same LoRAs, prompt, base and seed."""

    title: str
    line: str
    items: tuple[HistoryItem, ...]


def history_html(services: Services, render: Renderer, cache: str, *, groups: int = MOST, removed: str = "") -> str:
    """Repeated results with the same settings appear once."""
    found = list(group_entries(services.history.entries()))
    shown = [_group(entries, cache) for entries in found[:groups]]
    return render("history", groups=shown, more=len(found) > groups, removed=removed)


def group_entries(entries: Iterable[HistoryEntry]) -> Iterator[list[HistoryEntry]]:
    """Newest first, as they come; a group stands where its newest result does."""
    groups: dict[Any, list[HistoryEntry]] = {}
    seen: set[Any] = set()
    for entry in entries:
        image = entry.provenance
        settings = repr(replace(image, report=None, libraries={})), image.report and image.report.place
        if settings not in seen:
            seen.add(settings)
            groups.setdefault(_request_key(image), []).append(entry)
    yield from groups.values()


def _request_key(image: Provenance) -> Any:
    loras = frozenset(lora.ref.lora for lora in image.loras)
    return loras, image.typed or image.prompt, image.negative, image.base, image.seed


def _group(entries: list[HistoryEntry], cache: str) -> HistoryGroup:
    image = entries[0].provenance
    seed = _("seed {seed}").format(seed=image.seed)
    return HistoryGroup(
        title=" + ".join(lora.title or str(lora.ref) for lora in image.loras) or _("the base alone"),
        line=format.join(f"“{image.typed or image.prompt}”", seed),
        items=tuple(
            HistoryItem(
                id=entry.id,
                kind=describe(entry.provenance),
                line=format.ago(datetime.fromtimestamp(entry.at, UTC).isoformat()),
                thumbnail=image_files.copy_image(entry.thumbnail, cache),
            )
            for entry in entries
        ),
    )


def describe(image: Provenance) -> str:
    """The kind, the LoRA whose weight varies with its weights, and the weights of the others."""
    sheet = image.sheet
    label = _(LABELS.get(sheet.kind if sheet else "one", ""))
    own = [lora.weight if lora.asked is None else lora.asked for lora in image.loras]
    weights = [{cell.weights[i] for cell in sheet.cells} for i in range(len(own))] if sheet else []
    varied = next((i for i, values in enumerate(weights) if len(values) > 1), None)
    if sheet is None or sheet.kind not in ("strip", "grid") or varied is None:
        named = format.join(*(f"{weight:g}" for weight in own)) if own else ""
        return format.join(label, named)
    title = image.loras[varied].title or str(image.loras[varied].ref)
    text = f"{label}: {title} {min(weights[varied]):g} … {max(weights[varied]):g}"
    others = ", ".join(
        f"{lora.title} {own[i]:g}" for i, lora in enumerate(image.loras) if i != varied and len(weights[i]) == 1
    )
    return _("{sweep}, with {others}").format(sweep=text, others=others) if others else text


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
