"""Read an image that was dropped on the page: its settings and LoRAs, so that it can be generated again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from connectors.claims.base_models import find_base_name
from connectors.errors import HubUiError, NotFound, UsageError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from hub_ui.app.compatibility import suggest_base
from hub_ui.app.services import Services
from hub_ui.app.used_loras import FoundLora, find_used_lora
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.generate import base_models
from hub_ui.generate.compare.judging import LONGEST_VOTES
from hub_ui.generate.try_fields import LARGEST_SEED, LONGEST_PROMPT, MOST_LORAS, TrySettings, clamp_weight
from hub_ui.images import example_settings, png_metadata
from hub_ui.images.example_settings import SETTINGS, of_provenance, used_lora, weights_of_parts
from hub_ui.images.infotext import Infotext, UsedLora
from hub_ui.images.provenance import LoraProvenance, Provenance

MOST_BYTES = 100 * 1024 * 1024
LONGEST_VALUE = 2000
MOST_ROWS = 60
# Limit the LoRAs of another program's image, because each may cost requests to hubs.
MOST_NAMED = 8
_PROGRAMS = ("hub-ui", "ComfyUI", "SwarmUI", "InvokeAI")


@dataclass(frozen=True, kw_only=True)
class DroppedLora:
    """A LoRA of a dropped image. `line` describes its `state` in words. `ref` is empty if it was not found."""

    used: UsedLora
    name: str
    state: Literal["here", "download", "missing"]
    line: str
    ref: str = ""

    @property
    def weight(self) -> float:
        return clamp_weight(1.0 if self.used.weight is None else self.used.weight)


@dataclass(frozen=True, kw_only=True)
class DroppedImage:
    """A dropped image with its settings. `rows` are all settings as written in the file.

    `is_sheet` is set for the image of a whole comparison by hub-ui. `votes` are choices between its columns, or None if
    it can't be judged.
    """

    program: str
    loras: tuple[DroppedLora, ...]
    settings: TrySettings
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    is_sheet: bool = False
    votes: str | None = None


def read_dropped(services: Services, path: Path) -> DroppedImage:
    """Read the settings of an image, and find its LoRAs, also on hubs.

    Raise UsageError if the file is not an image, is too large, or has no settings.
    """
    if path.stat().st_size > MOST_BYTES:
        text = _("{name} is too large. Choose an image of less than {size}.")
        raise UsageError(text.format(name=path.name, size=format.size(MOST_BYTES)))
    stored = png_metadata.read_any(path)
    if isinstance(stored, Infotext):
        return _read_infotext(services, stored)
    return _read_provenance(services, stored)


def _read_provenance(services: Services, provenance: Provenance) -> DroppedImage:
    sheet = provenance.whole_comparison
    loras = tuple(_lora_of_provenance(services, lora, whole=sheet is not None) for lora in provenance.loras)
    base, notes = _base_of_provenance(services, provenance)
    control = _("The control image, {name}, is not in the file: choose it under “Images” first.")
    start = _("The image it was started from, {name}, is not in the file: choose it under “Images” first.")
    given = ((control, provenance.control), (start, provenance.image))
    notes += [text.format(name=image.name) for text, image in given if image is not None]
    # To repeat a whole comparison, use the prompt as it was typed, not the prompt of one cell.
    written = replace(provenance, prompt=provenance.typed) if sheet else provenance
    parts = weights_of_parts([lora.used for lora in loras if lora.ref][:MOST_LORAS])
    settings = replace(of_provenance(provenance), seed=_seed(provenance.seed, notes), base=base, **parts)
    rows = _rows(
        *((_(name), value(written)) for name, value in SETTINGS),
        (_("Base revision"), provenance.report.base_revision if provenance.report else ""),
        (_("Made with"), ", ".join(f"{library} {version}" for library, version in provenance.libraries.items())),
    )
    return DroppedImage(
        program="hub-ui",
        loras=loras,
        settings=settings,
        rows=rows,
        notes=tuple(notes),
        is_sheet=sheet is not None,
        votes=provenance.votes[:LONGEST_VOTES] if sheet and provenance.tiles and len(sheet.columns) > 1 else None,
    )


def _lora_of_provenance(services: Services, lora: LoraProvenance, *, whole: bool) -> DroppedLora:
    used = used_lora(lora, lora.full_weight if whole else lora.weight)
    installed = services.downloads.find_installed(lora.ref) is not None
    if installed or lora.ref.hub != LOCAL:
        return _describe_lora(services, FoundLora(used=used, ref=lora.ref, by="version"))
    return _describe_lora(services, find_used_lora(services, replace(used, name="")))


def _base_of_provenance(services: Services, provenance: Provenance) -> tuple[str, list[str]]:
    base = provenance.base or ""
    if not base or (provenance.report and provenance.report.place != "local"):
        return "", []
    is_missing = Path(base).is_absolute() and not Path(base).exists()
    if not is_missing and (base_models.base_by_id(base) or services.policy.allows("open paths")):
        return base, []
    return "", [_("Its base, {name}, is not here: the one of its LoRAs is chosen.").format(name=Path(base).name)]


def _read_infotext(services: Services, infotext: Infotext) -> DroppedImage:
    # Leave out the base model, because `_base_note` describes it.
    fields = dict(infotext.fields)
    checkpoint = fields.pop("Model", "")
    example = example_settings.of_text(replace(infotext, fields=fields))
    notes: list[str] = []
    if len(example.loras) > MOST_NAMED:
        notes.append(_("Only the first {count} of its LoRAs are taken.").format(count=MOST_NAMED))
    loras = tuple(_describe_lora(services, find_used_lora(services, lora)) for lora in example.loras[:MOST_NAMED])
    kept = [lora for lora in loras if lora.ref]
    records = [services.lookup.find_record(Ref.parse(lora.ref), asks=True) for lora in kept]
    settings = replace(
        example.try_settings(),
        seed=_seed(example.seed, notes),
        base=_nearest_base(services, checkpoint, records),
        use_trigger_words=False,
        **weights_of_parts([lora.used for lora in kept]),
    )
    if len(example.prompt) > LONGEST_PROMPT:
        text = _("Its prompt is longer than {count} characters: the rest was left out.")
        notes.append(text.format(count=LONGEST_PROMPT))
    notes += [example.sentence() or "", _base_note(services, checkpoint, settings, records)]
    version = infotext.fields.get("Version", "")
    if not version.startswith("hub-ui"):
        notes.append(_(example_settings.OTHER_NOISE))
    return DroppedImage(
        program=next((known for known in _PROGRAMS if version.startswith(known)), _("A1111 or a similar program")),
        loras=loras,
        settings=settings,
        rows=_rows((_("Prompt"), infotext.prompt), (_("Negative prompt"), infotext.negative), *infotext.fields.items()),
        notes=tuple(filter(None, notes)),
    )


def _describe_lora(services: Services, result: FoundLora) -> DroppedLora:
    name, ref = format.visible(result.used.name)[:120], result.ref
    missing = DroppedLora(used=result.used, name=name, state="missing", line=result.failure or _("not found"))
    if ref is None:
        return missing
    alone = _("found by its name alone: another file may bear it") if result.by == "name" else ""
    entry = services.downloads.find_installed(ref)
    if entry is not None:
        line = format.join(_("here already"), alone)
        return replace(missing, ref=str(ref), name=format.visible(entry.title), state="here", line=line)
    to_download = replace(missing, ref=str(ref), state="download")
    try:
        record = services.lookup.find_record(ref) or services.lookup.record(ref)
    except NotFound as error:
        return replace(missing, line=error.message)
    except HubUiError as error:
        return replace(to_download, line=format.join(error.message, alone))
    size = format.size(record.file.size) if record.file and record.file.size else ""
    line = format.join(_("will be downloaded"), size, alone)
    return replace(to_download, name=format.visible(record.title), line=line)


def _seed(seed: int | None, notes: list[str]) -> int | None:
    if seed is None or seed <= LARGEST_SEED:
        return seed
    notes.append(_("Its seed, {seed}, is larger than any of this page: another is used.").format(seed=seed))
    return None


def _nearest_base(services: Services, checkpoint: str, records: Sequence[Record | None]) -> str:
    """Return the id of the base model nearest to the checkpoint, or an empty string to let the LoRAs decide."""
    match = find_base_name(checkpoint)
    if match is None or services.settings.demo:
        return ""
    architecture = next((record.architecture for record in records if record is not None), None)
    try:
        return base_models.choose_base(architecture, match[0], None).id
    except HubUiError:
        return ""


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
