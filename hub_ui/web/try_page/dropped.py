"""An image made anywhere, dropped on the page: what it was made with, and how the same is made again here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from connectors.claims.base_models import find_base_name
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from hub_ui import format
from hub_ui.generate import base_models
from hub_ui.i18n import N_, _
from hub_ui.images import example_settings, png_metadata
from hub_ui.images.infotext import Infotext, UsedLora
from hub_ui.images.provenance import LoraProvenance, Provenance
from hub_ui.services import Services
from hub_ui.used_loras import FoundLora, find_used_lora
from hub_ui.web.try_page.compatibility import suggest_base
from hub_ui.web.view import (
    LARGEST_SEED,
    LONGEST_PROMPT,
    MOST_LORAS,
    StackedLora,
    TrySettings,
    View,
    clamp_weight,
    prompt_text,
)

MOST_BYTES = 100 * 1024 * 1024
LONGEST_VALUE = 2000
MOST_ROWS = 60
_ALONE = N_("found by its name alone: another file may bear it")


@dataclass(frozen=True, kw_only=True)
class DroppedLora:
    """`state` says where its file is; `line` says it in words. `ref` is empty for one that was not found."""

    name: str
    weight: float
    state: Literal["here", "download", "missing"]
    line: str
    ref: str = ""
    clip_weight: float | None = None
    blocks: str = ""


@dataclass(frozen=True, kw_only=True)
class DroppedImage:
    """`rows` are its settings in full, as they stand in it. `provenance` is that of an image of ours, and `is_sheet`
    says whether it shows a whole comparison.
    """

    name: str
    program: str
    provenance: Provenance | None = None
    loras: tuple[DroppedLora, ...]
    settings: TrySettings
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    is_sheet: bool = False

    @property
    def usable_loras(self) -> tuple[DroppedLora, ...]:
        return tuple(lora for lora in self.loras if lora.ref)

    def view(self, view: View) -> View:
        """The Compare page with its settings, and those of its LoRAs that were found."""
        stack = tuple(StackedLora(ref=lora.ref, weight=lora.weight) for lora in self.usable_loras)
        return replace(view, page="try", open="", stack=stack, settings=self.settings)


def read_dropped(services: Services, path: Path) -> DroppedImage:
    """Raises UsageError for what is no image, and for one that does not say how it was made. Hubs may be asked."""
    if path.stat().st_size > MOST_BYTES:
        text = _("{name} is too large. Choose an image of less than {size}.")
        raise UsageError(text.format(name=path.name, size=format.size(MOST_BYTES)))
    found = png_metadata.read_any(path)
    if isinstance(found, Infotext):
        return _read_infotext(services, path.name, found)
    return _read_provenance(services, path.name, found)


def _read_provenance(services: Services, name: str, found: Provenance) -> DroppedImage:
    sheet = found.whole_comparison
    loras = tuple(_lora_of_provenance(services, lora, whole=sheet is not None) for lora in found.loras)
    base, notes = _base_of_provenance(services, found)
    if found.control is not None:
        text = _("The control image, {name}, is not in the file: choose it under “Images” first.")
        notes.append(text.format(name=found.control.name))
    if found.image is not None:
        text = _("The image it was started from, {name}, is not in the file: choose it under “Images” first.")
        notes.append(text.format(name=found.image.name))
    several = [weights for weights in zip(*(cell.weights for cell in sheet.cells), strict=True)] if sheet else []
    varied = next((i for i, weights in enumerate(several) if len(set(weights)) > 1), 0)
    kept = [lora for lora in loras if lora.ref][:MOST_LORAS]
    settings = TrySettings(
        prompt=prompt_text(found.typed if sheet else found.prompt),
        negative=prompt_text(found.negative),
        seed=_seed(found.seed, notes),
        steps=found.steps or None,
        guidance=found.guidance,
        size=(found.width, found.height),
        base=base,
        sampler=found.sampler or "",
        use_trigger_words=found.typed_with_words if sheet else False,
        sheet=sheet.kind if sheet and sheet.kind != "one" else "pair",
        prompts=sheet.rows[1:] if sheet and sheet.kind == "grid" else (),
        place="replicate" if found.report and found.report.place == "replicate" else "local",
        weights=tuple(dict.fromkeys(several[varied])) if sheet and sheet.kind in ("strip", "grid") else (),
        varied=varied,
        strength=found.image.strength if found.image else None,
        **_parts(kept),
    )
    report = found.report
    rows = _rows(
        (_("Prompt"), found.typed if sheet else found.prompt),
        (_("Negative prompt"), found.negative),
        (_("Seed"), found.seed),
        (_("Steps"), found.steps),
        (_("Guidance"), f"{found.guidance:g}"),
        (_("Sampler"), found.sampler or (report.sampler if report else "")),
        (_("Size"), f"{found.width} × {found.height}"),
        (_("Base"), report.base if report else found.base),
        (_("Base revision"), report.base_revision if report else ""),
        (_("Device"), report.device if report else ""),
        (_("Precision"), report.precision if report else ""),
        (_("Made with"), ", ".join(f"{library} {version}" for library, version in found.libraries.items())),
    )
    return DroppedImage(
        name=name, program="hub-ui", provenance=found, loras=loras, settings=settings,
        rows=rows, notes=tuple(notes), is_sheet=sheet is not None,
    )  # fmt: skip


def _lora_of_provenance(services: Services, lora: LoraProvenance, *, whole: bool) -> DroppedLora:
    weight = lora.asked if whole and lora.asked is not None else lora.weight
    used = UsedLora(name=lora.title or lora.ref.id, weight=weight, hash=lora.sha256)
    if lora.text_encoder_scale != 1:
        used = replace(used, clip_weight=round(weight * lora.text_encoder_scale, 2))
    if lora.block_weights:
        used = replace(used, blocks=",".join(f"{number:g}" for number in lora.block_weights))
    installed = services.downloads.find_installed(lora.ref) is not None
    if installed or lora.ref.hub != LOCAL:
        return _describe_lora(services, FoundLora(used=used, ref=lora.ref, by="version"))
    return _describe_lora(services, find_used_lora(services, replace(used, name="")))


def _base_of_provenance(services: Services, found: Provenance) -> tuple[str, list[str]]:
    base = found.base or ""
    if not base or (found.report and found.report.place != "local"):
        return "", []
    is_gone = Path(base).is_absolute() and not Path(base).exists()
    if not is_gone and (base_models.base_by_id(base) or services.policy.allows("open paths")):
        return base, []
    return "", [_("Its base, {name}, is not here: the one of its LoRAs is chosen.").format(name=Path(base).name)]


def _read_infotext(services: Services, name: str, found: Infotext) -> DroppedImage:
    taken = example_settings.of_text(found)
    notes: list[str] = []
    if len(taken.loras) > MOST_LORAS:
        notes.append(_("Only the first {count} of its LoRAs are taken.").format(count=MOST_LORAS))
    loras = tuple(_describe_lora(services, find_used_lora(services, lora)) for lora in taken.loras[:MOST_LORAS])
    kept = [lora for lora in loras if lora.ref]
    records = [_find_record(services, Ref.parse(lora.ref)) for lora in kept]
    checkpoint = found.fields.get("Model", "")
    settings = TrySettings(
        prompt=prompt_text(taken.prompt),
        negative=prompt_text(taken.negative),
        seed=_seed(taken.seed, notes),
        steps=taken.steps,
        guidance=taken.guidance,
        size=(taken.width, taken.height) if taken.width and taken.height else None,
        base=_nearest_base(services, checkpoint, records),
        sampler=taken.sampler or "",
        use_trigger_words=False,
        strength=taken.strength,
        **_parts(kept),
    )
    if len(taken.prompt) > LONGEST_PROMPT:
        text = _("Its prompt is longer than {count} characters: the rest was left out.")
        notes.append(text.format(count=LONGEST_PROMPT))
    notes += [taken.sentence() or "", _base_note(services, checkpoint, settings, records)]
    version = found.fields.get("Version", "")
    if not version.startswith("hub-ui"):
        notes.append(example_settings.OTHER_NOISE)
    return DroppedImage(
        name=name,
        program=next((known for known in _PROGRAMS if version.startswith(known)), _("a program like A1111’s")),
        loras=loras,
        settings=settings,
        rows=_rows((_("Prompt"), found.prompt), (_("Negative prompt"), found.negative), *found.fields.items()),
        notes=tuple(filter(None, notes)),
    )


_PROGRAMS = ("hub-ui", "ComfyUI", "SwarmUI", "InvokeAI")


def _describe_lora(services: Services, found: FoundLora) -> DroppedLora:
    used = found.used
    weight = clamp_weight(1.0 if used.weight is None else used.weight)
    missing = DroppedLora(
        name=format.visible(used.name)[:120], weight=weight, state="missing", line=found.failure or _("not found")
    )
    if found.ref is None:
        return missing
    lora = replace(
        missing, ref=str(found.ref), clip_weight=used.clip_weight and clamp_weight(used.clip_weight),
        blocks=(used.blocks or "")[:800],
    )  # fmt: skip
    alone = _(_ALONE) if found.by == "name" else ""
    entry = services.downloads.find_installed(found.ref)
    if entry is not None:
        return replace(lora, name=format.visible(entry.title), state="here", line=format.join(_("here already"), alone))
    try:
        record = services.lookup.find_record(found.ref) or services.lookup.record(found.ref)
    except NotFound as error:
        return replace(missing, line=error.message)
    except HubUiError as error:
        return replace(lora, state="download", line=format.join(error.message, alone))
    size = format.size(record.file.size) if record.file and record.file.size else ""
    line = format.join(_("will be downloaded"), size, alone)
    return replace(lora, name=format.visible(record.title), state="download", line=line)


def _find_record(services: Services, ref: Ref) -> Record | None:
    try:
        return services.lookup.find_record(ref) or services.lookup.record(ref)
    except HubUiError:
        return None


def _parts(loras: Sequence[DroppedLora]) -> dict[str, Any]:
    """Clip and block weights as the form has them: one for each LoRA, if any LoRA has its own."""
    clips = tuple(lora.weight if lora.clip_weight is None else lora.clip_weight for lora in loras)
    return {
        "clip_weights": clips if any(lora.clip_weight is not None for lora in loras) else (),
        "blocks": tuple(lora.blocks or "ALL" for lora in loras) if any(lora.blocks for lora in loras) else (),
    }


def _seed(seed: int | None, notes: list[str]) -> int | None:
    if seed is None or seed <= LARGEST_SEED:
        return seed
    notes.append(_("Its seed, {seed}, is larger than any of this page: another is used.").format(seed=seed))
    return None


def _nearest_base(services: Services, checkpoint: str, records: Sequence[Record | None]) -> str:
    """The id of the base that a checkpoint's name means; empty for what the LoRAs choose themselves."""
    named = find_base_name(checkpoint)
    if named is None or services.settings.demo:
        return ""
    architecture = next((record.architecture for record in records if record is not None), None)
    try:
        spec = base_models.choose_base(architecture, named[0], None)
    except HubUiError:
        return ""
    return spec.id


def _base_note(services: Services, checkpoint: str, settings: TrySettings, records: Sequence[Record | None]) -> str:
    choice = suggest_base(services, settings, records) or base_models.base_by_id(settings.base)
    name = format.visible(checkpoint)[:80]
    if choice is not None:
        text = _("It was made with the checkpoint “{name}”; here the nearest base is {base}.")
        return text.format(name=name, base=choice.label) if name else ""
    if not name:
        return _("It does not say which base it was made with: choose a base in the form.")
    return _("It was made with the checkpoint “{name}”: choose a base in the form.").format(name=name)


def _rows(*pairs: tuple[str, object]) -> tuple[tuple[str, str], ...]:
    texts = ((name, format.visible(str(value or ""))[:LONGEST_VALUE]) for name, value in pairs[:MOST_ROWS])
    return tuple((name, text) for name, text in texts if text)
