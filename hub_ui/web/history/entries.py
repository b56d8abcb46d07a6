"""The history as the page shows it, grouped by request, and the view with the settings of a result."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from hub_ui import format
from hub_ui.generate import comparison
from hub_ui.generate.comparison import ComparisonKind
from hub_ui.generate.result import GenerationResult
from hub_ui.i18n import N_, _
from hub_ui.images.history import HistoryEntry
from hub_ui.images.provenance import Provenance
from hub_ui.web.layout.render import ImageLinks
from hub_ui.web.view import StackedLora, TrySettings, View

# Groups on a page.
MOST = 12
LABELS: dict[ComparisonKind, str] = {
    "pair": N_("Without / with"), "strip": N_("Weights"), "trigger": N_("Trigger on / off"), "both": N_("A · B · both"),
    "grid": N_("Grid"),
}  # fmt: skip


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


def groups_of(entries: Iterable[HistoryEntry], links: ImageLinks, page: int) -> tuple[list[HistoryGroup], bool]:
    """Those of a page, and whether there are more. Repeated results with the same settings appear once."""
    found = list(group_entries(entries))
    first = (page - 1) * MOST
    return [_group(entries, links) for entries in found[first : first + MOST]], len(found) > first + MOST


@dataclass(frozen=True, kw_only=True)
class ShownImage:
    """An image of a result by its address. `settings` is its infotext, for copying."""

    src: str
    label: str
    settings: str


@dataclass(frozen=True, kw_only=True)
class ShownResult:
    id: str
    title: str
    kind: str
    line: str
    images: tuple[ShownImage, ...]
    filled: str


def show_result(entry: HistoryEntry, made: GenerationResult) -> ShownResult:
    """With the address `filled` of the Compare page with its settings."""
    labels = [_(cell.label) for cell in made.comparison.cells]
    return ShownResult(
        id=entry.id,
        title=title_of(entry.provenance),
        kind=describe(entry.provenance),
        line=format.join(f"“{entry.provenance.typed or entry.provenance.prompt}”", age(entry)),
        images=tuple(
            ShownImage(src=f"history/image?id={entry.id}&cell={at}", label=label, settings=infotext_in(path))
            for at, (path, label) in enumerate(zip(entry.paths, labels, strict=False))
        ),
        filled=view_of_result(View(), made).to_address(),
    )


def infotext_in(path: Path) -> str:
    """What A1111 and its kin read; empty for a file that can't be read."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return str(image.info.get("parameters", ""))
    except (OSError, ValueError, SyntaxError):
        return ""


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


def _group(entries: list[HistoryEntry], links: ImageLinks) -> HistoryGroup:
    image = entries[0].provenance
    seed = _("seed {seed}").format(seed=image.seed)
    return HistoryGroup(
        title=title_of(image),
        line=format.join(f"“{image.typed or image.prompt}”", seed),
        items=tuple(
            HistoryItem(
                id=entry.id,
                kind=describe(entry.provenance),
                line=age(entry),
                thumbnail=links.local_link(entry.thumbnail),
            )
            for entry in entries
        ),
    )


def title_of(image: Provenance) -> str:
    return " + ".join(lora.title or str(lora.ref) for lora in image.loras) or _("the base alone")


def age(entry: HistoryEntry) -> str:
    return format.ago(datetime.fromtimestamp(entry.at, UTC).isoformat())


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
    """The Compare page with the settings of these images."""
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
