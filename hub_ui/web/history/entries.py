"""The history as the page shows it, grouped by request, and the view with the settings of a result."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
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
from hub_ui.web.view import StackedLora, TrySettings, View

LABELS: dict[ComparisonKind, str] = {
    "pair": N_("Without / with"), "strip": N_("Weights"), "trigger": N_("Trigger on / off"), "both": N_("A · B · both"),
    "grid": N_("Grid"),
}  # fmt: skip


def group_entries(entries: Iterable[HistoryEntry]) -> Sequence[Sequence[HistoryEntry]]:
    """The results of one request (the same LoRAs, prompt, base and seed) together, where its newest one stands.

    Repeated results with the same settings appear once.
    """
    groups: dict[Any, list[HistoryEntry]] = {}
    seen: set[Any] = set()
    for entry in entries:
        image = entry.provenance
        settings = repr(replace(image, report=None, libraries={})), image.report and image.report.place
        if settings not in seen:
            seen.add(settings)
            loras = frozenset(lora.ref.lora for lora in image.loras)
            request = loras, image.typed or image.prompt, image.negative, image.base, image.seed
            groups.setdefault(request, []).append(entry)
    return [*groups.values()]


def title_of(image: Provenance) -> str:
    return " + ".join(lora.title or str(lora.ref) for lora in image.loras) or _("the base alone")


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
    span = f"{min(weights[varied]):g} … {max(weights[varied]):g}"
    # Of one alone, the heading says the name.
    if len(own) == 1:
        return f"{label}: {span}"
    text = f"{label}: {image.loras[varied].title or image.loras[varied].ref} {span}"
    others = ", ".join(
        f"{lora.title} {own[i]:g}" for i, lora in enumerate(image.loras) if i != varied and len(weights[i]) == 1
    )
    return _("{sweep}, with {others}").format(sweep=text, others=others) if others else text


def infotext_in(path: Path) -> str:
    """What A1111 and its kin read; empty for a file that can't be read."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return str(image.info.get("parameters", ""))
    except (OSError, ValueError, SyntaxError):
        return ""


def view_of_result(result: GenerationResult) -> View:
    """The Compare page with the settings of these images."""
    request, report, kind = result.request, result.report, result.comparison.kind
    loras = [adapter for adapter in request.adapters if not adapter.follows]
    varied, weights = 0, tuple[float, ...]()
    if kind in ("strip", "grid"):
        varied = comparison.find_swept_lora(request, result.comparison)
        at = comparison.lora_slices(request)[varied].start
        weights = tuple(dict.fromkeys(cell.weights[at] for cell in result.comparison.cells))
    clip_weights = tuple(round(a.weight * a.text_encoder_scale, 2) for a in loras)
    blocks = tuple(",".join(f"{number:g}" for number in a.block_weights) or "ALL" for a in loras)
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
        sheet=kind if kind != "one" else "pair",
        prompts=result.comparison.rows[1:] if kind == "grid" else (),
        place="replicate" if report.place == "replicate" else "local",
        weights=weights,
        varied=varied,
        clip_weights=clip_weights if any(a.text_encoder_scale != 1 for a in loras) else (),
        blocks=blocks if any(a.block_weights for a in loras) else (),
        strength=request.strength if request.image else None,
    )
    stack = tuple(StackedLora(ref=str(a.ref), weight=a.weight) for a in loras)
    return View(page="try", stack=stack, settings=settings)
