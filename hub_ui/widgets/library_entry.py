"""One entry of the library at the side: its file, and all that a person may say of it themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.claims import base_models
from connectors.ref import LOCAL
from hub_ui.library.annotations import LONGEST_NOTE
from hub_ui.widgets.library_list import LibraryItem
from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class EntryPanel:
    """`path` is that of the file. `conflict` says who contradicts whom about the base model.

    `problem` is why the last change was not saved, and `typed` the note as it was sent then. `asking`: it asks about
    removal. `menu` has further actions by name and label.
    """

    item: LibraryItem
    path: str
    conflict: str = ""
    problem: str = ""
    typed: str | None = None
    is_saved: bool = False
    asking: bool = False
    used: str = ""
    menu: Sequence[tuple[str, str]] = ()

    @property
    def note(self) -> str:
        return self.item.row.annotation.note if self.typed is None else self.typed

    @property
    def is_local(self) -> bool:
        return self.item.ref.hub == LOCAL


def bases() -> Mapping[str, list[tuple[str, str]]]:
    """Base models by the label of their architecture, as (id, label)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for base in dict.fromkeys(filter(None, map(base_models.by_id, base_models.choices()))):
        group = base_models.architecture_label(base.architecture) if base.architecture else base.label
        found.setdefault(group, []).append((base.id, base.label))
    return found


def html(render: Renderer, panel: EntryPanel | None) -> str:
    """Empty for none."""
    return "" if panel is None else render("library_entry", p=panel, bases=bases(), longest_note=LONGEST_NOTE)
