"""What is done with many LoRAs of the library at once, and undone: the actions of the toolbar, duplicates, collections.

Each ends in a panel that says what was done and what failed, and offers the next step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import gradio as gr

from connectors.errors import HubUiError, UsageError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui import format
from hub_ui.i18n import N_, _, ngettext
from hub_ui.library import lockfile
from hub_ui.library.annotations import Annotation
from hub_ui.library.changes import Outcome
from hub_ui.library.collections import Collection
from hub_ui.library.duplicates import Duplicates, find_duplicates
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.lockfile import Entry
from hub_ui.library.move_plan import PlannedMove, moves_of, plan_moves
from hub_ui.library.outdated import check_for_updates
from hub_ui.library.pairs import with_halves
from hub_ui.library.sync import check
from hub_ui.library.trash import Change
from hub_ui.library.update_rules import UpdateRule, parse_rule
from hub_ui.pages.events import QUIET, errors_as_messages, run_in_thread
from hub_ui.pages.library.downloads import Downloads
from hub_ui.pages.library.listing import catalog_record
from hub_ui.pages.library.page import LibraryPage, Shown, paint
from hub_ui.pages.library.selection import refs_of
from hub_ui.web.view import MOST_LORAS, View
from hub_ui.services import Services
from hub_ui.widgets import result
from hub_ui.widgets.render import Renderer, act_data

# A longer list is counted, not shown.
MOST_SHOWN = 200
MOST_CHANGES = 20
# More of them take long enough to say that something is done.
QUICK = 100
SLOW = ("undo", "empty-trash")
Kind = Literal["said", "move", "duplicates", "collections", "changes", "rules"]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """`undo` is the id of the change that is undone by the button beside what was `said`.

    `plan` is a dry run of a move, of the LoRAs `refs` by the template `names`. `save` is a file for the browser.
    """

    kind: Kind = "said"
    said: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    undo: str = ""
    names: str = ""
    refs: tuple[Ref, ...] = ()
    plan: tuple[PlannedMove, ...] = ()
    groups: tuple[Duplicates, ...] = ()
    collections: tuple[Collection, ...] = ()
    changes: tuple[Change, ...] = ()
    rules: tuple[UpdateRule, ...] = ()
    trash: int = 0
    save: str = ""
    text: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a click changes; None leaves it. `is_changed`: the list is to be painted anew."""

    panel: Panel | None = None
    progress: str | None = None
    shown: Shown | None = None
    view: View | None = None
    requested: bool = False


@dataclass(frozen=True, kw_only=True)
class Click:
    """A click and what it is about: the chosen entries, each with its other half."""

    services: Services
    render: Renderer
    shown: Shown
    panel: Panel
    data: Mapping[str, str]
    chosen: tuple[Entry, ...] = ()

    @property
    def value(self) -> str:
        return self.data.get("value", "").strip()

    def done(self, panel: Panel, **changes: Any) -> Step:
        """The panel, and the list as it is by now. What is gone is chosen no more."""
        held = {str(entry.ref) for entry in self.services.library.entries()}
        selected = tuple(ref for ref in self.shown.selected if ref in held)
        return Step(panel=panel, progress="", shown=replace(self.shown, selected=selected, **changes))


def connect(page: LibraryPage, downloads: Downloads, services: Services, render: Renderer) -> None:
    states = [page.view, page.results, page.selected, page.opened]
    parts = [page.heading, page.facets, page.search, page.selection, page.shelf, page.entry]
    nothing = (gr.skip(),) * len(parts)

    def on_click(
        now: View, results: Any, selected: Any, opened: Any, panel: Panel | None, count: int, event: gr.EventData
    ) -> Iterator[Any]:
        data = {key: str(value) for key, value in act_data(event).items()}
        shown = Shown(view=now, results=results, selected=selected, opened=opened)
        with errors_as_messages():
            for step in apply(services, render, shown, panel or Panel(), data):
                then = step.shown
                yield (
                    step.view or gr.skip(),
                    *((then.results, then.selected) if then else (gr.skip(), gr.skip())),
                    *(paint(services, render, then) if then else nothing),
                    gr.skip() if step.panel is None else html(render, step.panel),
                    gr.skip() if step.panel is None else step.panel,
                    gr.skip() if step.progress is None else step.progress,
                    count + 1 if step.requested else gr.skip(),
                )

    outputs = [
        page.view, page.results, page.selected, *parts, page.bulk, page.panel, page.progress, downloads.requested,
    ]  # fmt: skip
    for clickable in (page.heading, page.selection, page.bulk):
        clickable.act(on_click, [*states, page.panel, downloads.requested], outputs, trigger_mode="multiple", **QUIET)


def html(render: Renderer, panel: Panel) -> str:
    return render("library_bulk", p=panel, most=MOST_SHOWN)


def apply(services: Services, render: Renderer, shown: Shown, panel: Panel, data: Mapping[str, str]) -> Iterator[Step]:
    """Nothing for a click that is not about many."""
    name = data.get("action", "") if data.get("act") == "bulk" else data.get("act", "")
    action = ACTIONS.get(name)
    if action is None:
        # An event without a step would empty the page (Gradio 6.31).
        yield Step()
        return
    services.policy.check("change library")
    click = Click(services=services, render=render, shown=shown, panel=panel, data=data)
    if name in CHOSEN:
        entries = {entry.ref: entry for entry in services.library.entries()}
        chosen = [entries[ref] for ref in refs_of(shown.selected) if ref in entries]
        if not chosen:
            raise UsageError(_("Nothing is chosen. Tick LoRAs in the list first."))
        halves = with_halves(chosen, entries.values(), services.downloads.other_half)
        click = replace(click, chosen=halves)
    if max(len(click.chosen), len(panel.plan)) > QUICK or name in SLOW:
        yield Step(progress=result.progress_html(render, _("Working…"), None))
    found = action(click)
    yield from (replace(found, progress=""),) if isinstance(found, Step) else found


def failures_of(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    return tuple((format.title(one.entry.title), one.error.message) for one in outcome.failed)


def count_text(number: int, one: str, many: str) -> str:
    return ngettext(one, many, number).format(n=format.number(number))


def after(outcome: Outcome, said: str) -> Panel:
    """What a change did, with the way back."""
    said = format.sentences(said if outcome.done else "", outcome.note and _(outcome.note))
    undo = outcome.change.id if outcome.change else ""
    return Panel(said=said or _("Nothing was changed."), failures=failures_of(outcome), undo=undo)


def remove(click: Click) -> Step:
    outcome = click.services.changes.remove(click.chosen)
    return click.done(after(outcome, count_text(len(outcome.done), "{n} LoRA removed.", "{n} LoRAs removed.")))


def annotate(click: Click, edit: Callable[[Annotation], Annotation]) -> Step:
    change = click.services.changes.annotate([entry.ref for entry in click.chosen], edit)
    said = count_text(len(change.annotations), "{n} LoRA changed.", "{n} LoRAs changed.")
    return click.done(Panel(said=said, undo=change.id if change.annotations else ""))


def tag(click: Click) -> Step:
    if not click.value:
        raise UsageError(_("Write the tag into the field first."))
    return annotate(click, lambda one: replace(one, tags=(*one.tags, click.value)))


def untag(click: Click) -> Step:
    if not click.value:
        raise UsageError(_("Write the tag into the field first."))
    gone = click.value.casefold()
    return annotate(click, lambda one: replace(one, tags=tuple(tag for tag in one.tags if tag.casefold() != gone)))


def weight(click: Click) -> Step:
    try:
        number = float(click.value.replace(",", ".")) if click.value else None
    except ValueError as error:
        raise UsageError(_("A weight is a number such as 0.8.")) from error
    return annotate(click, lambda one: replace(one, weight=number))


def try_together(click: Click) -> Step:
    refs = [entry.ref for entry in click.chosen]
    return Step(view=stack(click.services, click.shown.view, refs))


def stack(services: Services, view: View, refs: Sequence[Ref]) -> View:
    """The first of them on the Try page. Of a pair, one half stands for both."""
    view, halves = replace(view, page="try", open="", stack=()), set[Ref | None]()
    for ref in refs:
        if ref not in halves and len(view.stack) < MOST_LORAS:
            halves.add(services.downloads.other_half(ref))
            view = view.with_lora(str(ref), services.generation.default_weight(ref))
    return view


def verify(click: Click) -> Iterator[Step]:
    services, found = click.services, {}
    for step in _each(click, N_("Verified {done} of {total}: {title}"), lambda entry: check(services.library, entry)):
        if isinstance(step, Step):
            yield step
        else:
            found[step.entry.ref] = step
    wrong = tuple((format.title(one.entry.title), _(one.state)) for one in found.values() if not one.right)
    said = count_text(len(found) - len(wrong), "{n} file is right.", "{n} files are right.")
    results = replace(click.shown.results, checked={**click.shown.results.checked, **found})
    yield click.done(Panel(said=said, failures=wrong), results=results)


def update(click: Click) -> Iterator[Step]:
    """Asks the hubs about the chosen ones, and queues what is newer."""
    services, standing, queued, failures = click.services, {}, 0, []
    rules = services.update_rules.all()

    def get(ref: Ref) -> Lora:
        lora = services.lookup.connector(ref.hub).get(ref)
        services.catalog.add([lora])
        return lora

    found = check_for_updates(click.chosen, get, rules)
    for number, status in enumerate(found, 1):
        standing[status.entry.ref] = status
        yield Step(progress=_progress(click, N_("Asked about {done} of {total}: {title}"), number, status.entry))
        try:
            if status.error is not None:
                raise status.error
            if status.state == "newer" and status.newest is not None:
                services.downloads.enqueue(status.newest)
                queued += 1
        except HubUiError as error:
            failures.append((format.title(status.entry.title), error.message))
    said = count_text(queued, "{n} newer version is being downloaded.", "{n} newer versions are being downloaded.")
    ignored = sum(status.state == "ignored" for status in standing.values())
    more = count_text(ignored, "{n} update is ignored.", "{n} updates are ignored.") if ignored else ""
    results = replace(click.shown.results, standing={**click.shown.results.standing, **standing})
    step = click.done(Panel(said=format.sentences(said, more), failures=tuple(failures)), results=results)
    yield replace(step, requested=bool(queued))


def _each(click: Click, text: str, work: Callable[[Entry], Any]) -> Iterator[Any]:
    """Results of `work`, and steps of progress between them."""
    for number, entry in enumerate(click.chosen, 1):
        yield Step(progress=_progress(click, text, number, entry))
        yield work(entry)


def _progress(click: Click, text: str, number: int, entry: Entry) -> str:
    total = len(click.chosen)
    line = _(text).format(done=format.number(number), total=format.number(total), title=format.visible(entry.title))
    return result.progress_html(click.render, line, number / total)


def plan_move(click: Click) -> Step:
    """Every old and new name, before anything moves."""
    usual = click.services.settings.names or DEFAULT
    return _plan(click, click.chosen, usual)


def plan_again(click: Click) -> Step:
    refs = set(click.panel.refs)
    return _plan(click, [entry for entry in click.services.library.entries() if entry.ref in refs], click.value)


def _plan(click: Click, entries: Sequence[Entry], names: str) -> Step:
    services = click.services
    panel = Panel(kind="move", names=names, refs=tuple(entry.ref for entry in entries))
    try:
        template = FileNameTemplate.parse(names)
    except UsageError as error:
        return Step(panel=replace(panel, said=error.message))
    plan = plan_moves(services.library, entries, lambda entry: catalog_record(services, entry.ref), template)
    return Step(panel=replace(panel, plan=plan))


def move(click: Click) -> Step:
    outcome = click.services.changes.move(moves_of(click.panel.plan))
    said = count_text(len(outcome.done), "{n} file moved.", "{n} files moved.")
    return click.done(after(outcome, said))


def export(click: Click) -> Step:
    return Step(panel=lock_panel("loras.lock", click.chosen, lockfile.dumps(click.chosen)))


def lock_panel(name: str, entries: Sequence[Entry], text: str) -> Panel:
    said = count_text(len(entries), "A lock file of {n} LoRA.", "A lock file of {n} LoRAs.")
    return Panel(said=said, save=name, text=text)


def collect(click: Click) -> Step:
    made = click.services.collections.add(click.value, click.chosen)
    return list_collections(click, _("“{name}” has {count} now.").format(
        name=made.name, count=count_text(len(made.entries), "{n} LoRA", "{n} LoRAs")
    ))  # fmt: skip


def list_collections(click: Click, said: str = "") -> Step:
    known, name = click.services.collections, click.shown.results.collection
    panel = Panel(kind="collections", collections=known.all(), said=said, name=name, failures=known.damaged())
    return Step(panel=panel)


def open_collection(click: Click) -> Step:
    """The list shows its LoRAs only, until all are shown again."""
    name = click.services.collections.get(click.value).name if click.value else ""
    results = replace(click.shown.results, collection=name)
    view = replace(click.shown.view, library=replace(click.shown.view.library, number=0))
    shown = replace(click.shown, results=results, view=view)
    panel = list_collections(replace(click, shown=shown)).panel
    return Step(panel=panel, shown=shown)


def change_collection(click: Click) -> Step:
    services, name = click.services, click.data.get("act", "")
    found = services.collections.get(click.value)
    if name == "collection-try":
        return Step(view=stack(services, click.shown.view, [entry.ref for entry in found.entries]))
    if name == "collection-export":
        text = found.lock_text(services.library.entries())
        return Step(panel=lock_panel(f"{found.name}.lock", found.entries, text))
    if name == "collection-out":
        services.collections.take_out(found.name, refs_of(click.shown.selected))
        return list_collections(click)
    services.collections.delete(found.name)
    if click.shown.results.collection == found.name:
        return open_collection(replace(click, data={}))
    return list_collections(click)


def duplicates(click: Click) -> Iterator[Step]:
    services = click.services
    yield Step(progress=result.progress_html(click.render, _("Comparing files…"), None))

    def work(on_progress: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> tuple[Duplicates, ...]:
        return find_duplicates(
            services.library, services.downloads.other_half, lambda done, all_: on_progress((done, all_)), is_cancelled
        )

    steps = run_in_thread(work)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            yield Step(panel=Panel(kind="duplicates", groups=end.value), progress="")
            return
        line = _("Compared {done} of {total} files").format(done=format.number(done), total=format.number(total))
        yield Step(progress=result.progress_html(click.render, line, done / total))


def remove_duplicates(click: Click) -> Step:
    """All of a group but the one that is to be kept."""
    number, keep = click.data.get("number", ""), click.data.get("keep", "")
    groups = click.panel.groups
    if not number.isascii() or not number.isdigit() or int(number) >= len(groups):
        raise UsageError(_("That is no button of this page."))
    group = groups[int(number)]
    files = [file for file in group.files if file.file != keep]
    if len(files) == len(group.files):
        raise UsageError(_("Choose the file to keep first."))
    entries = [file.entry for file in files if file.entry is not None]
    outcome = click.services.changes.remove(entries, others=[file.file for file in files if file.entry is None])
    said = count_text(len(files), "{n} file removed.", "{n} files removed.")
    left = tuple(one for one in groups if one is not group)
    undo = outcome.change.id if outcome.change else ""
    panel = Panel(kind="duplicates", groups=left, said=said, undo=undo, failures=failures_of(outcome))
    return click.done(panel)


def list_changes(click: Click, said: str = "", failures: tuple[tuple[str, str], ...] = ()) -> Step:
    changes = click.services.changes
    recent = changes.recent()[:MOST_CHANGES]
    return click.done(Panel(kind="changes", changes=recent, trash=changes.size(), said=said, failures=failures))


def undo(click: Click) -> Step:
    outcome = click.services.changes.undo(click.value)
    return list_changes(click, _("Undone.") if not outcome.failed else "", failures_of(outcome))


def empty_trash(click: Click) -> Step:
    freed = click.services.changes.empty()
    return list_changes(click, _("The trash is empty: {size} freed.").format(size=format.size(freed)))


def list_rules(click: Click) -> Step:
    return Step(panel=Panel(kind="rules", rules=click.services.update_rules.all()))


def ignore(click: Click) -> Step:
    rule = parse_rule(click.value)
    click.services.update_rules.add(replace(rule, sha256=click.data.get("sha256") or None))
    return list_rules(click)


def ignore_chosen(click: Click) -> Step:
    for ref in dict.fromkeys(entry.ref.lora for entry in click.chosen):
        click.services.update_rules.add(UpdateRule(kind="lora", value=str(ref)))
    return list_rules(click)


def lift(click: Click) -> Step:
    click.services.update_rules.lift(parse_rule(click.value))
    return list_rules(click)


def close(click: Click) -> Step:
    return Step(panel=Panel())


# Those that need a choice; each is a row of the toolbar's table.
CHOSEN: Mapping[str, Callable[[Click], Step | Iterator[Step]]] = {
    "try-together": try_together, "remove": remove, "move": plan_move, "export": export, "verify-chosen": verify,
    "update-chosen": update, "ignore-chosen": ignore_chosen, "tag": tag, "untag": untag,
    "set-weight": weight, "collect": collect,
}  # fmt: skip
ACTIONS: Mapping[str, Callable[[Click], Step | Iterator[Step]]] = {
    **CHOSEN, "move-names": plan_again, "move-now": move, "collections": list_collections,
    "collection-open": open_collection, "collection-try": change_collection, "collection-export": change_collection,
    "collection-out": change_collection, "collection-delete": change_collection, "duplicates": duplicates,
    "remove-duplicates": remove_duplicates, "changes": list_changes, "undo": undo, "empty-trash": empty_trash,
    "rules": list_rules, "ignore": ignore, "lift": lift, "close-bulk": close,
}  # fmt: skip
