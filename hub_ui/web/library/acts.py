"""Actions on LoRAs of the library, each with its undo, in the table ACTS.

Also the import of local LoRA files, which are inspected and identified first, and of lock files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.datastructures import FormData

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError, UsageError
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from connectors.weights.inspect import inspect_path
from hub_ui.app.checks import LibraryChecks, check_kind, count_text
from hub_ui.app.compatibility import refusal
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import _
from hub_ui.generate.try_fields import MOST_LORAS
from hub_ui.library import lockfile
from hub_ui.library.annotations import EDITS
from hub_ui.library.file_names import DEFAULT, FileNameTemplate, target
from hub_ui.library.lockfile import Entry, MergeResult, merge
from hub_ui.library.upkeep.changes import Outcome, PlannedMove, moves_of, plan_moves
from hub_ui.library.upkeep.collections import Collection, with_halves
from hub_ui.library.upkeep.identify import entry_of_file
from hub_ui.library.upkeep.outdated import UpdateRule, parse_rule, rule_for
from hub_ui.web.library import rows
from hub_ui.web.lora import fact_rows
from hub_ui.web.uploads import text_of
from hub_ui.web.view import View


def receive(services: Services, path: Path) -> Ref:
    """Identify an uploaded file, and move it to the local files that can be tried but are not in the library.

    Return its ref. Raise UsageError if it is not a LoRA or can't be read. A file of the library stays in `path`.
    """
    identifier = services.lookup.identifier(by_hash=services.lookup.find_by_hash, failure=lambda error: None)
    try:
        identified = identifier.one(path)
    except HubUiError as error:
        raise UsageError(error.message) from error
    if identified.facts is None or not identified.facts.adapter.is_lora:
        raise UsageError(f"{format.visible(path.name)}: {refusal(identified.facts)}")
    entry = entry_of_file(identified, services.library.entries())
    if identified.state != "held":
        entry = services.own_files.add(path, entry)
        services.lookup.remember_header(entry, services.library.path(entry))
    return entry.ref


def waiting(services: Services, ref: Ref) -> dict[str, Any] | None:
    """Return the values for an uploaded file that is not in the library yet, or None if `ref` is not such a file."""
    entry = next((entry for entry in services.own_files.entries() if entry.ref == ref), None)
    if entry is None or services.library.holds(ref):
        return None
    facts = inspect_path(services.library.path(services.own_files.entry(ref)))
    return {
        "entry": entry,
        "is_known": bool(services.catalog.by_sha256(entry.sha256)),
        "facts": fact_rows.rows(record_of_file(services, ref), facts),
        "warnings": facts.adapter.remarks,
    }


def record_of_file(services: Services, ref: Ref) -> Record:
    known = services.lookup.find_record(ref)
    return known or record_of(services.lookup.connector(ref.hub).get(ref), ref)


def keep(services: Services, ref: Ref) -> Entry:
    """Move an uploaded file into the library, under a name from the template of file names."""
    names = FileNameTemplate.parse(services.settings.names or DEFAULT)
    uploaded = services.own_files.entry(ref)
    source = "" if ref.hub == LOCAL else services.lookup.file_url(ref)
    path = target(record_of_file(services, ref), ref, PurePosixPath(uploaded.file).name, names=names)
    return services.own_files.keep(ref, path, source)


MOST_BYTES = 5_000_000


def read_lock(services: Services, text: str) -> tuple[MergeResult, ...]:
    if not text.strip():
        raise UsageError(_("There is no lock file yet. Paste its text, or choose the file."))
    if len(text) > MOST_BYTES:
        raise UsageError(_("This is too long for a lock file. On the command line: hub-ui sync --lock FILE"))
    return merge(services.library.entries(), lockfile.loads(text, _("The lock file")))


@dataclass(frozen=True, kw_only=True)
class Said:
    """The result of an action. `undo` is the id of the change that the Undo button reverts.

    `plan` is a dry run of moving the LoRAs `refs` by the template `names`. `lock` is a lock file to download, and
    `view` the page to show next.
    """

    text: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    undo: str = ""
    names: str = ""
    refs: tuple[Ref, ...] = ()
    plan: tuple[PlannedMove, ...] | None = None
    lock: str = ""
    view: View | None = None


def after(outcome: Outcome, text: str) -> Said:
    """Turn the outcome of a change into a Said, with its failures and its undo."""
    text = format.sentences(text if outcome.done else "", outcome.note and _(outcome.note))
    failures = tuple((format.title(entry.title), error.message) for entry, error in outcome.failed.items())
    undo = outcome.change.id if outcome.change else ""
    return Said(text=text or _("Nothing was changed."), failures=failures, undo=undo)


def count_collection(collection: Collection) -> Said:
    count = count_text(len(collection.entries), "{n} LoRA", "{n} LoRAs")
    return Said(text=_("“{name}” has {count} now.").format(name=collection.name, count=count))


def edit(services: Services, name: str, ref: Ref, text: str) -> None:
    """Change an annotation of the LoRA. Raise UsageError for an unknown edit, or a value that can't be saved."""
    words = services.library_index.row(ref).entry.trigger_words
    if name not in EDITS:
        raise UsageError(_("That is no button of this page."))
    services.annotations.edit([ref], lambda annotation: EDITS[name](annotation, words, text))


@dataclass(frozen=True, kw_only=True)
class Act:
    """A pressed button: its name, the page `view` that it is on, and the fields of its form."""

    name: str
    services: Services
    checks: LibraryChecks
    view: View
    form: FormData

    @cached_property
    def chosen(self) -> tuple[Entry, ...]:
        """The ticked entries, or all results of the page's search if the field `all` is set, with other halves.

        Raise UsageError if there are none.
        """
        services = self.services
        if self.field("all"):
            look = self.view.library
            found = rows.find(services, look, rows.read_text(look.text)[0], self.checks.results)
            refs = [row.entry.ref for row in found.rows]
        else:
            refs = [Ref.parse(ref) for ref in self.form.getlist("ref") if isinstance(ref, str)]
        entries = {entry.ref: entry for entry in services.library.entries()}
        chosen = [entries[ref] for ref in dict.fromkeys(refs) if ref in entries]
        if not chosen:
            raise UsageError(_("Nothing is chosen. Tick LoRAs in the list first."))
        return with_halves(chosen, entries.values(), services.downloads.other_half)

    def field(self, name: str, missing: str = "") -> str:
        """Return a field of the form. If it is empty, raise UsageError with the message `missing`, if any."""
        text = text_of(self.form, name).strip()
        if missing and not text:
            raise UsageError(missing)
        return text

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(entry.ref for entry in self.chosen)

    def remove(self) -> Said:
        outcome = self.services.changes.remove(self.chosen)
        said = after(outcome, count_text(len(outcome.done), "{n} LoRA removed.", "{n} LoRAs removed."))
        return replace(said, view=replace(self.view, open="")) if self.view.open in map(str, self.refs) else said

    def edit(self) -> Said:
        is_tag = self.name in ("tag", "untag")
        text = self.field("tag", _("Write the tag into the field first.")) if is_tag else self.field("weight")
        change = self.services.changes.annotate(self.refs, lambda annotation: EDITS[self.name](annotation, (), text))
        count = len(change.annotations)
        return Said(text=count_text(count, "{n} LoRA changed.", "{n} LoRAs changed."), undo=change.id if count else "")

    def stack(self, entries: Sequence[Entry]) -> Said:
        """Open the Compare page with the first MOST_LORAS of the entries. A pair of halves counts as one LoRA."""
        view, halves = View(page="try", query=self.view.query), set[Ref | None]()
        for ref in (entry.ref for entry in entries):
            if ref not in halves and len(view.stack) < MOST_LORAS:
                halves.add(self.services.downloads.other_half(ref))
                view = view.with_lora(str(ref), self.services.generation.default_weight(ref))
        return Said(view=view)

    def plan_move(self) -> Said:
        """Return a dry run with every old and new name."""
        names = self.field("names") or self.services.settings.names or DEFAULT
        said = Said(names=names, refs=self.refs, plan=())
        try:
            return replace(said, plan=self.plan(names))
        except UsageError as error:
            return replace(said, text=error.message)

    def plan(self, names: str) -> tuple[PlannedMove, ...]:
        template, services = FileNameTemplate.parse(names), self.services
        return plan_moves(
            services.library, self.chosen, lambda entry: rows.catalog_record(services, entry.ref), template
        )

    def move(self) -> Said:
        moves = moves_of(self.plan(self.field("names", _("Write a template first."))))
        outcome = self.services.changes.move(moves)
        return after(outcome, count_text(len(outcome.done), "{n} file moved.", "{n} files moved."))

    def collect(self) -> Said:
        name = self.field("collection", _("Write the collection's name first."))
        return count_collection(self.services.collections.add(name, self.chosen))

    def take_out(self) -> Said:
        return count_collection(self.services.collections.take_out(self.view.library.collection, self.refs))

    def delete_collection(self) -> Said:
        name, library = self.services.collections.delete(self.field("name")).name, self.view.library
        if library.collection == name:
            library = replace(library, collection="", number=0)
        return Said(view=replace(self.view, library=library), text=_("“{name}” is deleted.").format(name=name))

    def remove_duplicates(self) -> Said:
        """Remove all files of a group except the field `keep`. The field `group` is the group's first file."""
        first, keep, groups = self.field("group"), self.field("keep"), self.checks.results.groups or ()
        group = next((group for group in groups if group.files[0].file == first), None)
        if group is None:
            raise UsageError(_("These files have changed since. Compare them again."))
        files = [file for file in group.files if file.file != keep]
        if len(files) == len(group.files):
            raise UsageError(_("Choose the file to keep first."))
        entries = [file.entry for file in files if file.entry is not None]
        outcome = self.services.changes.remove(entries, others=[file.file for file in files if file.entry is None])
        self.checks.change(groups=tuple(other for other in groups if other is not group))
        return after(outcome, count_text(len(files), "{n} file removed.", "{n} files removed."))

    def undo(self) -> Said:
        outcome = self.services.changes.undo(self.field("id"))
        return replace(after(outcome, ""), text="" if outcome.failed else _("Undone."))

    def empty_trash(self) -> Said:
        freed = self.services.changes.empty()
        return Said(text=_("The trash is empty: {size} freed.").format(size=format.size(freed)))

    def ignore(self) -> Said:
        rule = replace(parse_rule(self.field("rule")), sha256=self.field("sha256") or None)
        self.add_rules([rule])
        return Said(text=_("Ignored: {rule}").format(rule=rule))

    def ignore_chosen(self) -> Said:
        self.add_rules([UpdateRule(kind="lora", value=str(lora)) for lora in dict.fromkeys(r.lora for r in self.refs)])
        return Said(view=replace(self.view, library=replace(self.view.library, tool="rules")))

    def add_rules(self, rules: Sequence[UpdateRule]) -> None:
        """Add rules that ignore updates, and remove matching updates from the results of the last check."""
        for rule in rules:
            self.services.update_rules.add(rule)
        kept = {
            ref: status
            for ref, status in self.checks.results.statuses.items()
            if status.newest is None or rule_for(rules, status.entry, status.newest, status.sha256) is None
        }
        self.checks.change(statuses=kept)


ACTS: Mapping[str, Callable[[Act], Said | None]] = {
    **dict.fromkeys(("favorite", "unfavorite", "tag", "untag", "set-weight"), Act.edit),
    **dict.fromkeys(("verify", "update"), lambda act: act.checks.start(check_kind(act.name), act.chosen)),
    "check": lambda act: act.checks.start(check_kind(act.field("kind"))),
    "stop": lambda act: act.checks.stop(),
    "lift": lambda act: act.services.update_rules.lift(parse_rule(act.field("rule"))),
    "export": lambda act: Said(lock=lockfile.dumps(act.chosen)),
    "try-together": lambda act: act.stack(act.chosen),
    "try-collection": lambda act: act.stack(act.services.collections.get(act.field("name")).entries),
    "collect": Act.collect, "take-out": Act.take_out, "delete-collection": Act.delete_collection,
    "move": Act.plan_move, "move-now": Act.move, "remove": Act.remove, "remove-duplicates": Act.remove_duplicates,
    "undo": Act.undo, "empty-trash": Act.empty_trash, "ignore": Act.ignore, "ignore-chosen": Act.ignore_chosen,
}  # fmt: skip
