"""The panel that opens beside the list: what a LoRA is, where each statement comes from, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from connectors.facts import base_models
from connectors.facts.claims import flatten
from connectors.record import Claim, Example, Lora, Nsfw, Record, Version, WeightFile, within
from connectors.ref import Ref
from hub_ui.widgets import words
from hub_ui.widgets.cards import base_label
from hub_ui.widgets.render import Renderer, address, sanitised

MAX_PICTURES = 8
MAX_FILES = 40


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row of "What it is". `where` is the exact place, shown on hover."""

    name: str
    value: str
    source: str
    where: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A version or a file that can be opened instead of the present one."""

    ref: str
    name: str
    note: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class Detail:
    record: Record
    title: str
    line: str
    link: str
    pictures: tuple[Example, ...]
    facts: tuple[Fact, ...]
    versions: tuple[Choice, ...]
    files: tuple[Choice, ...]
    description: Markup
    obstacle: str
    held: bool


# (field, row name, what the word means)
ROWS: tuple[tuple[str, str, str], ...] = (
    ("architecture", "Architecture", "The network a LoRA's layers belong to. It loads on no other."),
    ("base_model", "Base model", "The model it was trained on; relatives of one architecture often work too."),
    ("kind", "Kind", "What it adds: a character, a style, a concept, control over structure, or a tool."),
    ("algorithm", "Algorithm", "How the change is stored: LoRA, LoCon, LoHa, LoKr, DoRA."),
    ("rank", "Rank", "How much a LoRA can hold. Most are 8 to 32; bigger means a bigger file."),
    ("alpha", "Alpha", "Training-time strength. Alpha divided by rank is how strong weight 1.0 really is."),
    ("weight", "Weight", "The strength its author or examples use."),
    ("license", "Licence", "What the author permits."),
)
OBSTACLES: dict[str, str] = {
    "login": "The hub wants a key for this download. Add one under Settings.",
    "gated": "The author grants access one by one. Ask on the hub's page, then add your key under Settings.",
    "paid": "Early access: the hub sells it for now.",
    "generation-only": "The author allows generation on the hub only; there is nothing to download.",
    "archived": "The hub keeps the page but no files.",
    "removed": "The hub no longer has this. What was seen of it stays here.",
}


def detail(lora: Lora, ref: Ref, *, ceiling: Nsfw, held: Callable[[Ref], bool]) -> Detail:
    """`ref` picks version and file; without them the default ones."""
    version = lora.version(ref.version) or lora.version(None)
    file = _file(version, ref)
    record = flatten(lora, version, file)
    return Detail(
        record=record,
        title=words.visible(lora.title) or lora.ref.id,
        line=_line(lora, record),
        link=address(lora.url),
        pictures=tuple(e for e in record.images if not e.video and within(e.nsfw, ceiling))[:MAX_PICTURES],
        facts=tuple(fact for row in ROWS if (fact := _fact(record, *row)) is not None),
        versions=tuple(_version_choice(v, version) for v in lora.versions),
        files=tuple(_file_choice(f, file) for f in (version.files if version else ())[:MAX_FILES]),
        description=sanitised(lora.description, lora.description_format),
        obstacle=_obstacle(record, version),
        held=held(record.ref),
    )


def _file(version: Version | None, ref: Ref) -> WeightFile | None:
    if version is None:
        return None
    return next((f for f in version.files if ref.file and f.ref.file == ref.file), version.file)


def _line(lora: Lora, record: Record) -> str:
    facts = (
        words.visible(lora.creator),
        words.HUB_LABELS[lora.hub],
        f"updated {age}" if (age := words.ago(record.updated_at)) else "",
        f"{words.count(lora.downloads)} downloads" if lora.downloads is not None else "",
    )
    return " · ".join(fact for fact in facts if fact)


def _fact(record: Record, field: str, name: str, hint: str) -> Fact | None:
    claim = _believed(record, field)
    if claim is None:
        return None
    return Fact(
        name=name,
        value=_shown(record, field, claim),
        source=words.SOURCE_WORDS[claim.source],
        where=words.visible(claim.where),
        hint=hint,
    )


def _believed(record: Record, field: str) -> Claim | None:
    value = getattr(record, field)
    return next((c for c in record.claims if c.field == field and c.value == value and value is not None), None)


def _shown(record: Record, field: str, claim: Claim) -> str:
    if field == "architecture":
        return base_models.architecture_label(str(claim.value))
    if field == "base_model":
        return base_label(record)
    if isinstance(claim.value, float):
        return f"{claim.value:g}"
    return words.visible(str(claim.value))


def _obstacle(record: Record, version: Version | None) -> str:
    if record.file is not None and record.file.format == "pickle":
        return "This file can run code when it is loaded (pickle), so it is not loaded here."
    if record.access == "open":
        return "" if record.file else "The hub lists no weight file for this one."
    note = version.access_note if version and version.access_note else ""
    return f"{OBSTACLES[record.access]} {words.visible(note)}".strip()


def _version_choice(version: Version, current: Version | None) -> Choice:
    base = flatten_base(version)
    size = words.size(version.file.size) if version.file else ""
    name = words.visible(version.name)
    return Choice(
        ref=str(version.ref),
        name=name[:7] if version.ref.hub != "civitai" and len(name) >= 40 else name,
        note=" · ".join(part for part in (base, size, words.ago(version.updated_at)) if part),
        current=version is current,
    )


def flatten_base(version: Version) -> str:
    raw = next((c.value for c in version.claims if c.field == "raw_base_model"), None)
    return words.visible(str(raw)) if raw else ""


def _file_choice(file: WeightFile, current: WeightFile | None) -> Choice:
    return Choice(
        ref=str(file.ref),
        name=words.visible(file.name),
        note=words.size(file.size),
        current=current is not None and file.ref == current.ref,
    )


def html(render: Renderer, shown: Detail) -> str:
    return render("detail", d=shown, r=shown.record)


def message_html(render: Renderer, title: str, text: str) -> str:
    return render("detail_message", title=title, text=text)
