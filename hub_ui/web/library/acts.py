"""What is done with many LoRAs of the library at once, and undone: each act is a row of a table.

Each says what was done and what failed, and leads back where it can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import N_, _, ngettext
from hub_ui.library.annotations import Annotation
from hub_ui.library.changes import Outcome
from hub_ui.library.collections import Collection
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.lockfile import Entry
from hub_ui.library.move_plan import PlannedMove, moves_of, plan_moves
from hub_ui.library.pairs import with_halves
from hub_ui.library.update_rules import UpdateRule, parse_rule, rule_for
from hub_ui.library_checks import LibraryChecks
from hub_ui.services import Services
from hub_ui.web.library import listing
from hub_ui.web.view import MOST_LORAS, View

# A longer list is counted, not shown.
MOST_SHOWN = 200
MOST_CHANGES = 20


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an act did. `undo` is the id of the change that is undone by the button beside it.

    `plan` is a dry run of a move, of the LoRAs `refs` by the template `names`. `view` is where it leads.
    """

    text: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    undo: str = ""
    names: str = ""
    refs: tuple[Ref, ...] = ()
    plan: tuple[PlannedMove, ...] | None = None
    view: View | None = None


@dataclass(frozen=True, kw_only=True)
class Act:
    """A button that was pressed, on the page `view`: the chosen entries, each with its other half, and its fields."""

    services: Services
    checks: LibraryChecks
    view: View
    chosen: tuple[Entry, ...] = ()
    fields: Mapping[str, str]

    def field(self, name: str, missing: str = "") -> str:
        """Raises UsageError, saying what is `missing`, for an empty one."""
        text = self.fields.get(name, "").strip()
        if missing and not text:
            raise UsageError(missing)
        return text


def run(
    services: Services, checks: LibraryChecks, view: View, name: str, refs: Sequence[str], /, **fields: str
) -> Said:
    """The act `name`. With the field `all`, of everything that the page's search finds. Raises our errors."""
    services.policy.check("change library")
    act = Act(services=services, checks=checks, view=view, fields=fields)
    if name in ACTS:
        return ACTS[name](act)
    if name not in CHOSEN:
        raise UsageError(_("That is no button of this page."))
    chosen = choose(services, checks, view, refs, all=bool(fields.get("all")))
    return CHOSEN[name](replace(act, chosen=chosen))


def choose(
    services: Services, checks: LibraryChecks, view: View, refs: Sequence[str], *, all: bool
) -> tuple[Entry, ...]:
    """Those ticked, or all that the page's search finds, each with its other half. Raises UsageError for none."""
    services.policy.check("change library")
    entries = {entry.ref: entry for entry in services.library.entries()}
    found = listing.find(services, view.library, checks.results).found.rows if all else ()
    wanted = [row.entry.ref for row in found] if all else [Ref.parse(ref) for ref in refs]
    chosen = [entries[ref] for ref in dict.fromkeys(wanted) if ref in entries]
    if not chosen:
        raise UsageError(_("Nothing is chosen. Tick LoRAs in the list first."))
    return tuple(with_halves(chosen, entries.values(), services.downloads.other_half))


def failures_of(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    return tuple((format.title(one.entry.title), one.error.message) for one in outcome.failed)


def count_text(number: int, one: str, many: str) -> str:
    return ngettext(one, many, number).format(n=format.number(number))


def after(outcome: Outcome, text: str) -> Said:
    """What a change did, with the way back."""
    text = format.sentences(text if outcome.done else "", outcome.note and _(outcome.note))
    undo = outcome.change.id if outcome.change else ""
    return Said(text=text or _("Nothing was changed."), failures=failures_of(outcome), undo=undo)


def remove(act: Act) -> Said:
    outcome = act.services.changes.remove(act.chosen)
    said = after(outcome, count_text(len(outcome.done), "{n} LoRA removed.", "{n} LoRAs removed."))
    is_open = act.view.open in {str(entry.ref) for entry in act.chosen}
    return replace(said, view=replace(act.view, open="")) if is_open else said


def annotate(act: Act, edit: Callable[[Annotation], Annotation]) -> Said:
    change = act.services.changes.annotate([entry.ref for entry in act.chosen], edit)
    text = count_text(len(change.annotations), "{n} LoRA changed.", "{n} LoRAs changed.")
    return Said(text=text, undo=change.id if change.annotations else "")


def favorite(act: Act) -> Said:
    return annotate(act, lambda one: replace(one, favorite=True))


def unfavorite(act: Act) -> Said:
    return annotate(act, lambda one: replace(one, favorite=False))


def tag(act: Act) -> Said:
    text = act.field("tag", _("Write the tag into the field first."))
    return annotate(act, lambda one: replace(one, tags=(*one.tags, text)))


def untag(act: Act) -> Said:
    gone = act.field("tag", _("Write the tag into the field first.")).casefold()
    return annotate(act, lambda one: replace(one, tags=tuple(tag for tag in one.tags if tag.casefold() != gone)))


def set_weight(act: Act) -> Said:
    text = act.field("weight")
    try:
        number = float(text.replace(",", ".")) if text else None
    except ValueError as error:
        raise UsageError(_("A weight is a number such as 0.8.")) from error
    return annotate(act, lambda one: replace(one, weight=number))


def try_together(act: Act) -> Said:
    return Said(view=stack(act.services, act.view, [entry.ref for entry in act.chosen]))


def stack(services: Services, view: View, refs: Sequence[Ref]) -> View:
    """The first of them on the Compare page. Of a pair, one half stands for both."""
    view, halves = View(page="try", query=view.query), set[Ref | None]()
    for ref in refs:
        if ref not in halves and len(view.stack) < MOST_LORAS:
            halves.add(services.downloads.other_half(ref))
            view = view.with_lora(str(ref), services.generation.default_weight(ref))
    return view


def verify(act: Act) -> Said:
    act.checks.start("verify", act.chosen)
    return Said()


def update(act: Act) -> Said:
    act.checks.start("update", act.chosen)
    return Said()


def check(act: Act) -> Said:
    kind = act.field("kind")
    if kind not in ("verify", "updates", "duplicates", "folder"):
        raise UsageError(_("That is no button of this page."))
    act.checks.start(kind)  # type: ignore[arg-type]
    return Said()


def stop(act: Act) -> Said:
    act.checks.stop()
    return Said()


def plan_move(act: Act) -> Said:
    """Every old and new name, before anything moves."""
    names = act.field("names") or act.services.settings.names or DEFAULT
    said = Said(names=names, refs=tuple(entry.ref for entry in act.chosen), plan=())
    try:
        return replace(said, plan=plan(act, names))
    except UsageError as error:
        return replace(said, text=error.message)


def plan(act: Act, names: str) -> tuple[PlannedMove, ...]:
    template, services = FileNameTemplate.parse(names), act.services
    return plan_moves(services.library, act.chosen, lambda entry: listing.catalog_record(services, entry.ref), template)


def move(act: Act) -> Said:
    outcome = act.services.changes.move(moves_of(plan(act, act.field("names", _("Write a template first.")))))
    return after(outcome, count_text(len(outcome.done), "{n} file moved.", "{n} files moved."))


def collect(act: Act) -> Said:
    name = act.field("collection", _("Write the collection's name first."))
    return count_collection(act.services.collections.add(name, act.chosen))


def take_out(act: Act) -> Said:
    found = act.services.collections
    return count_collection(found.take_out(act.view.library.collection, [entry.ref for entry in act.chosen]))


def count_collection(one: Collection) -> Said:
    count = count_text(len(one.entries), "{n} LoRA", "{n} LoRAs")
    return Said(text=_("“{name}” has {count} now.").format(name=one.name, count=count))


def find_collection(act: Act) -> Collection:
    return act.services.collections.get(act.field("name"))


def try_collection(act: Act) -> Said:
    return Said(view=stack(act.services, act.view, [entry.ref for entry in find_collection(act).entries]))


def delete_collection(act: Act) -> Said:
    found, library = find_collection(act), act.view.library
    act.services.collections.delete(found.name)
    if library.collection == found.name:
        library = replace(library, collection="", number=0)
    return Said(view=replace(act.view, library=library), text=_("“{name}” is deleted.").format(name=found.name))


def remove_duplicates(act: Act) -> Said:
    """All of a group but the one that is to be kept. `group` is its first file."""
    first, keep = act.field("group"), act.field("keep")
    groups = act.checks.results.groups or ()
    group = next((one for one in groups if one.files[0].file == first), None)
    if group is None:
        raise UsageError(_("These files have changed since. Compare them again."))
    files = [file for file in group.files if file.file != keep]
    if len(files) == len(group.files):
        raise UsageError(_("Choose the file to keep first."))
    entries = [file.entry for file in files if file.entry is not None]
    outcome = act.services.changes.remove(entries, others=[file.file for file in files if file.entry is None])
    left = tuple(one for one in groups if one is not group)
    act.checks.change(replace(act.checks.results, groups=left))
    return after(outcome, count_text(len(files), "{n} file removed.", "{n} files removed."))


def undo(act: Act) -> Said:
    outcome = act.services.changes.undo(act.field("id"))
    return Said(text=_("Undone.") if not outcome.failed else "", failures=failures_of(outcome))


def empty_trash(act: Act) -> Said:
    freed = act.services.changes.empty()
    return Said(text=_("The trash is empty: {size} freed.").format(size=format.size(freed)))


def ignore(act: Act) -> Said:
    rule = replace(parse_rule(act.field("rule")), sha256=act.field("sha256") or None)
    act.services.update_rules.add(rule)
    forget_ignored(act, [rule])
    return Said(text=_("Ignored: {rule}").format(rule=rule))


def forget_ignored(act: Act, rules: Sequence[UpdateRule]) -> None:
    """What was found before is no news any more."""
    results = act.checks.results
    kept = {
        ref: status
        for ref, status in results.standing.items()
        if status.newest is None or rule_for(rules, status.entry, status.newest, status.sha256) is None
    }
    act.checks.change(replace(results, standing=kept))


def ignore_chosen(act: Act) -> Said:
    loras = dict.fromkeys(entry.ref.lora for entry in act.chosen)
    rules = [UpdateRule(kind="lora", value=str(ref)) for ref in loras]
    for rule in rules:
        act.services.update_rules.add(rule)
    forget_ignored(act, rules)
    return Said(view=replace(act.view, library=replace(act.view.library, tool="rules")))


def lift(act: Act) -> Said:
    act.services.update_rules.lift(parse_rule(act.field("rule")))
    return Said()


# Those that need a choice, which are the buttons of the bar.
CHOSEN: Mapping[str, Callable[[Act], Said]] = {
    "favorite": favorite, "unfavorite": unfavorite, "try-together": try_together, "move": plan_move, "move-now": move,
    "remove": remove, "verify": verify, "update": update, "ignore-chosen": ignore_chosen, "tag": tag, "untag": untag,
    "set-weight": set_weight, "collect": collect, "take-out": take_out,
}  # fmt: skip
ACTS: Mapping[str, Callable[[Act], Said]] = {
    "check": check, "stop": stop, "try-collection": try_collection, "delete-collection": delete_collection,
    "remove-duplicates": remove_duplicates, "undo": undo, "empty-trash": empty_trash, "ignore": ignore, "lift": lift,
}  # fmt: skip
# A button of the bar that stands under "More": its act, its label, and the label of its field.
MORE: tuple[tuple[str, str, str, str], ...] = (
    ("verify", N_("Verify"), "", ""),
    ("update", N_("Update"), "", ""),
    ("ignore-chosen", N_("Ignore updates"), "", ""),
    ("unfavorite", N_("♡ No favourite"), "", ""),
    ("tag", N_("Add"), "tag", N_("Your tag")),
    ("untag", N_("Take away"), "", ""),
    ("set-weight", N_("Set"), "weight", N_("Weight, such as 0.8")),
)
