"""What is done with several LoRAs of the library at once: the chosen ones, and a table of actions on them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from connectors.errors import BadRef, UsageError
from connectors.ref import Ref
from hub_ui.i18n import N_, _, ngettext
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer

# Text of refs, as the page sends it.
Selection = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BulkAction:
    """A button of the toolbar. `run` gets the chosen refs, and what stands in its `field` if it has one.

    It returns what was done, in a sentence.
    """

    name: str
    label: str
    run: Callable[[Services, Sequence[Ref], str], str]
    field: str = ""


def set_favorites(services: Services, refs: Sequence[Ref], is_favorite: bool) -> str:
    services.own_values.edit(refs, lambda one: replace(one, favorite=is_favorite))
    return ngettext("{n} LoRA changed.", "{n} LoRAs changed.", len(refs)).format(n=len(refs))


ACTIONS: tuple[BulkAction, ...] = (
    BulkAction(
        name="favorite", label=N_("♥ Favourite"), run=lambda services, refs, _: set_favorites(services, refs, True)
    ),
    BulkAction(
        name="unfavorite",
        label=N_("♡ No favourite"),
        run=lambda services, refs, _: set_favorites(services, refs, False),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A button of the toolbar that bulk.py runs. `is_folded`: it stands under “More”."""

    name: str
    label: str
    field: str = ""
    is_folded: bool = True


TOOLS: tuple[Tool, ...] = (
    Tool(name="try-together", label=N_("Try together"), is_folded=False),
    Tool(name="move", label=N_("Move…"), is_folded=False),
    Tool(name="export", label=N_("Export a lock"), is_folded=False),
    Tool(name="remove", label=N_("Remove"), is_folded=False),
    Tool(name="verify-chosen", label=N_("Verify")),
    Tool(name="update-chosen", label=N_("Update")),
    Tool(name="ignore-chosen", label=N_("Ignore updates")),
    Tool(name="tag", label=N_("Add"), field=N_("Tag to add")),
    Tool(name="untag", label=N_("Take away"), field=N_("Tag to take away")),
    Tool(name="set-weight", label=N_("Set"), field=N_("Weight, such as 0.8")),
    Tool(name="collect", label=N_("Add"), field=N_("Name of a collection")),
)


def run(services: Services, selected: Selection, name: str, value: str) -> str:
    """Raises UsageError for an unknown action, and without a selection."""
    services.policy.check("change library")
    action = next((action for action in ACTIONS if action.name == name), None)
    if action is None:
        raise UsageError(_("That is no button of this page."))
    held = {entry.ref for entry in services.library.entries()}
    refs = [ref for ref in refs_of(selected) if ref in held]
    if not refs:
        raise UsageError(_("Nothing is chosen. Tick LoRAs in the list first."))
    return action.run(services, refs, value)


def refs_of(selected: Selection) -> list[Ref]:
    found = []
    for text in selected:
        with suppress(BadRef):
            found.append(Ref.parse(text))
    return found


def toggle(selected: Selection, refs: Sequence[str]) -> Selection:
    """Takes them all away if all are chosen, else adds those that are not."""
    if all(ref in selected for ref in refs):
        return tuple(ref for ref in selected if ref not in refs)
    return tuple(dict.fromkeys((*selected, *refs)))


def toolbar_html(render: Renderer, selected: Selection, found: int) -> str:
    """`found` counts what the search finds."""
    return render("library_selection", count=len(selected), found=found, actions=ACTIONS, tools=TOOLS)
