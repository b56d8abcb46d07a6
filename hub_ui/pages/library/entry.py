"""The entry at the side of the Library page: a person's note, tags, and values in place of the hub's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.errors import HubUiError, NotFound, UsageError
from connectors.query_fields import BY_KEY
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.library.annotations import Annotation
from hub_ui.library_index import LibraryRow
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.pages.library.listing import item
from hub_ui.pages.library.update_status import CheckResults
from hub_ui.services import Services
from hub_ui.widgets.library_entry import EntryPanel
from hub_ui.widgets.library_list import when
from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class OpenEntry:
    """The entry at the side; `ref` is empty for none. See EntryPanel."""

    ref: str = ""
    problem: str = ""
    typed: str | None = None
    is_saved: bool = False
    asking: bool = False


@dataclass(frozen=True, kw_only=True)
class EntryAction:
    """A further button for one entry. `run` returns what was done, in a sentence."""

    name: str
    label: str
    run: Callable[[Services, Ref], str]


ACTIONS: tuple[EntryAction, ...] = ()
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


def edit(services: Services, opened: OpenEntry, name: str, ref: Ref, text: str) -> OpenEntry:
    """What is said of the LoRA, changed. A change that can't be saved says why, and what was typed stays."""
    services.policy.check("annotate")
    row = services.library_index.row(ref)
    try:
        if name == "reset":
            if text not in RESETS:
                raise UsageError(_("That is no button of this page."))
            changes: dict[str, Any] = {text: None}
        else:
            changes = EDITS[name](services.annotations.get(ref), row, text)
        services.own_values.change(ref, **changes)
    except HubUiError as error:
        if opened.ref != str(ref):
            raise
        return replace(opened, problem=error.message, typed=text if name == "note" else None, is_saved=False)
    return replace(opened, problem="", typed=None, is_saved=name == "note")


def run_action(services: Services, name: str, ref: Ref) -> str:
    services.policy.check("change library")
    action = next((action for action in ACTIONS if action.name == name), None)
    if action is None:
        raise UsageError(_("That is no button of this page."))
    return action.run(services, ref)


def panel(services: Services, render: Renderer, opened: OpenEntry, results: CheckResults) -> EntryPanel | None:
    """None where no entry is open, or the open one is gone."""
    if not opened.ref:
        return None
    try:
        row = services.library_index.row(Ref.parse(opened.ref))
    except NotFound:
        return None
    return EntryPanel(
        item=item(services, render, row, results, ()),
        path=str(services.library.path(row.entry)),
        conflict=format.sentences(*_conflicts(services, row)),
        problem=opened.problem,
        typed=opened.typed,
        is_saved=opened.is_saved,
        asking=opened.asking,
        used=when(services.uses.times().get(row.entry.ref.lora)),
        menu=[(action.name, _(action.label)) for action in ACTIONS],
    )


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
