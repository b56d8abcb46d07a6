"""An entry of the library in the panel: its file, and a person's note, tags, and values in place of the hub's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.claims import base_models
from connectors.errors import NotFound, UsageError
from connectors.query_fields import BY_KEY
from connectors.ref import LOCAL, Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.library.annotations import Annotation
from hub_ui.library_checks import CheckResults
from hub_ui.library_index import LibraryRow
from hub_ui.services import Services
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.layout.render import Renderer
from hub_ui.web.library.listing import item
from hub_ui.web.library.rows import LibraryItem, when


@dataclass(frozen=True, kw_only=True)
class EntryPanel:
    """`path` is that of the file. `conflict` says who contradicts whom about the base model."""

    item: LibraryItem
    path: str
    conflict: str = ""
    used: str = ""

    @property
    def is_local(self) -> bool:
        return self.item.ref.hub == LOCAL


# Acts that change what is said of a LoRA: the changed fields, from the annotation as it is, the entry's row and a text.
Edit = Callable[[Annotation, LibraryRow, str], dict[str, Any]]
EDITS: Mapping[str, Edit] = {
    "favorite": lambda own, row, text: {"favorite": not own.favorite},
    "note": lambda own, row, text: {"note": text},
    "add-tag": lambda own, row, text: {"tags": (*own.tags, text)},
    "remove-tag": lambda own, row, text: {"tags": tuple(tag for tag in own.tags if tag != text)},
    "add-word": lambda own, row, text: {"trigger_words": (*row.entry.trigger_words, text)},
    "remove-word": lambda own, row, text: {
        "trigger_words": tuple(word for word in row.entry.trigger_words if word != text)
    },
    "weight": lambda own, row, text: {"weight": _weight(text)},
    "base_model": lambda own, row, text: {"base_model": BY_KEY["base"].read(text.strip()) or None},
}
RESETS = ("trigger_words", "weight", "base_model")


def edit(services: Services, name: str, ref: Ref, text: str) -> None:
    """Changes what is said of the LoRA. Raises UsageError for what can't be saved."""
    services.policy.check("annotate")
    row = services.library_index.row(ref)
    if name == "reset" and text in RESETS:
        changes: dict[str, Any] = {text: None}
    elif name in EDITS:
        changes = EDITS[name](services.annotations.get(ref), row, text)
    else:
        raise UsageError(_("That is no button of this page."))
    services.own_values.change(ref, **changes)


def panel(services: Services, render: Renderer, ref: str, results: CheckResults) -> EntryPanel | None:
    """None where the entry is gone."""
    try:
        row = services.library_index.row(Ref.parse(ref))
    except NotFound:
        return None
    coming = {task.ref for task in services.queue.tasks() if not task.rests}
    return EntryPanel(
        item=item(services, render, row, results, coming),
        path=str(services.library.path(row.entry)),
        conflict=format.sentences(*_conflicts(services, row)),
        used=when(services.uses.times().get(row.entry.ref.lora)),
    )


def bases() -> Mapping[str, list[tuple[str, str]]]:
    """Base models by the label of their architecture, as (id, label)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for base in dict.fromkeys(filter(None, map(base_models.by_id, base_models.choices()))):
        group = base_models.architecture_label(base.architecture) if base.architecture else base.label
        found.setdefault(group, []).append((base.id, base.label))
    return found


def _conflicts(services: Services, row: LibraryRow) -> Sequence[str]:
    """Who contradicts the person about the base model."""
    record = services.lookup.find_record(row.entry.ref) if row.annotation.base_model else None
    return with_header_facts(services, record)[0].conflict_sentences if record else ()


def _weight(text: str) -> float | None:
    """None for an empty text."""
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise UsageError(_("A weight is a number from -1 to 2. Write one such as 0.8.")) from error
