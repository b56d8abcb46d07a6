"""The library as a list: its rows, and the filters beside it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal, get_args

from connectors.record import Kind
from connectors.ref import LOCAL, Ref
from connectors.registry import HUBS, origin_label
from hub_ui import format
from hub_ui.i18n import N_, _, ngettext
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import UpdateStatus
from hub_ui.library.sync import FileCheck
from hub_ui.library_checks import file_count
from hub_ui.library_index import LibraryRow
from hub_ui.library_search import MARKS, Found, LibraryQuery
from hub_ui.web.browse.facets import Choice, Counts, Group

Tone = Literal["good", "warn", "base", ""]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is new about an entry: in a row it is a `chip`. `button` labels an act on `ref`."""

    text: str
    chip: str = ""
    tone: Tone = ""
    act: str = ""
    button: str = ""
    ref: str = ""
    # Of an update that may be ignored, as the rule has it.
    sha256: str | None = None


def notes(
    entry: Entry,
    checked: FileCheck | None,
    standing: UpdateStatus | None,
    coming: Collection[Ref],
    *,
    missing: bool,
    removed: bool,
    in_library: Callable[[Ref], bool],
) -> tuple[Note, ...]:
    """The most urgent first. `coming` are the refs that are downloading."""
    shown = [
        Note(text=_("It is being downloaded."), chip=_("downloading"))
        if entry.ref in coming
        else _file_note(entry, checked, missing=missing),
        _update_note(entry, standing, coming, in_library),
    ]
    gone = removal_note(entry)
    if removed and gone not in shown:
        shown.append(gone)
    return tuple(note for note in shown if note is not None)


def removal_note(entry: Entry) -> Note:
    hub = origin_label(entry.ref.hub)
    text = _("No longer on {hub}. Keep the file.").format(hub=hub)
    return Note(text=text, chip=_("gone from {hub}").format(hub=hub), tone="warn")


def _file_note(entry: Entry, checked: FileCheck | None, *, missing: bool) -> Note | None:
    state = "missing" if missing else checked.state if checked else ""
    chip = _("file missing") if missing else _("file changed")
    if entry.ref.hub == LOCAL and (missing or state == "changed"):
        text = _("The file is gone from the folder, and no hub is known to have it.")
        if not missing:
            text = _("The file is not what was entered any more, and no hub is known to have it.")
        return Note(text=text, chip=chip, tone="warn")
    again = partial(Note, chip=chip, tone="warn", button=_("Download again"), act="download", ref=str(entry.ref))
    if missing:
        return again(text=_("The file is gone from the folder."))
    if state == "changed":
        return again(text=_("The file was changed: it is not what the lock file pins."))
    unreadable = _("The file can't be read. Check its permissions.")
    return {
        "right": Note(text=_("The file matches the lock file."), chip=_("✓ verified"), tone="good"),
        "unreadable": Note(text=unreadable, chip=_("unreadable"), tone="warn"),
    }.get(state)


def _update_note(
    entry: Entry, standing: UpdateStatus | None, coming: Collection[Ref], in_library: Callable[[Ref], bool]
) -> Note | None:
    if standing is None or standing.state in ("current", "ignored"):
        return None
    newest = format.visible(standing.newest_name) or _("A newer version")
    here = Note(text=_("{version} is in the library too.").format(version=newest), chip=_("newer one in library"))
    if standing.state == "newer" and standing.newest is not None:
        if in_library(standing.newest):
            return here
        if standing.newest in coming:
            return Note(text=_("{version} is being downloaded.").format(version=newest), chip=_("updating"))
        text = _("{version} available").format(version=newest)
        update = partial(Note, text=f"{text}.", chip=text, tone="base", act="download", button=_("Update"))
        return update(ref=str(standing.newest), sha256=standing.sha256 or "")
    if standing.state == "superseded":
        return here
    if standing.state == "failed" and standing.error is not None:
        return Note(text=standing.error.message, chip=_("could not check"), tone="warn")
    if standing.state == "gone" and standing.note is None:
        return removal_note(entry)
    reason = format.visible(standing.note)
    if standing.state == "replaced":
        reason = format.sentences(reason, _("Yours is kept; remove it first to get the new one."))
        return Note(text=reason, chip=_("replaced"), tone="warn")
    is_gone = standing.state == "gone"
    return Note(text=reason, chip=removal_note(entry).chip if is_gone else "", tone="warn" if is_gone else "")


def summary(entries: Sequence[Entry], *, missing: int, removed: int) -> str:
    """What stands behind the number of LoRAs. Bytes that several entries share count once."""
    sizes = {entry.sha256: entry.size for entry in entries}
    gone = ngettext("{n} no longer on its hub", "{n} no longer on their hubs", removed)
    parts = (
        "" if len(sizes) == len(entries) else file_count(len(sizes)),
        format.size(sum(sizes.values())) if entries else "",
        _("{n} missing").format(n=format.number(missing)) if missing else "",
        gone.format(n=format.number(removed)) if removed else "",
    )
    return ", ".join(filter(None, parts))


PAGE_SIZE = 50
# The rest of the trigger words is in the entry's own panel.
MOST_WORDS = 4
LONGEST_SNIPPET = 140
SORT_NAMES: Mapping[str, str] = {
    "name": N_("Name"),
    "added": N_("Last added"),
    "used": N_("Last used"),
    "size": N_("Largest first"),
    "base": N_("Base"),
    "hub": N_("Hub"),
}
# Marks that are always offered; the others, where there is something to find.
ALWAYS = ("is:favorite",)


@dataclass(frozen=True, kw_only=True)
class LibraryItem:
    """A row of the list. `image` is an address of this server, empty for none. `size` is of all its files."""

    row: LibraryRow
    title: str
    creator: str
    base: str
    image: str = ""
    size: int = 0
    notes: tuple[Note, ...] = ()
    is_open: bool = False

    @property
    def ref(self) -> Ref:
        return self.row.entry.ref

    @property
    def words(self) -> tuple[str, ...]:
        return self.row.entry.trigger_words[:MOST_WORDS]

    @property
    def more_words(self) -> int:
        return len(self.row.entry.trigger_words) - len(self.words)

    @property
    def age(self) -> str:
        return when(self.row.added)

    @property
    def snippet(self) -> str:
        text = " ".join(self.row.annotation.note.split())
        return text if len(text) <= LONGEST_SNIPPET else f"{text[:LONGEST_SNIPPET]}…"


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """One page of `found` rows; `number` counts pages from 0."""

    items: Sequence[LibraryItem]
    found: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE_SIZE))

    @property
    def first(self) -> int:
        """The number of its first row, counted from 1."""
        return self.number * PAGE_SIZE + 1


def when(seconds: float | None) -> str:
    """A time since 1970 as "12 days ago"; empty for none."""
    return format.ago(datetime.fromtimestamp(seconds, UTC).isoformat()) if seconds else ""


def groups(asked: LibraryQuery, found: Found) -> list[Group]:
    """A choice that would find nothing is left out, unless it is on."""
    counts, query = Counts(facets=found.facets), asked.query

    def choices(chosen: Collection[str], counted: Mapping[str, int], labels: Mapping[str, str]) -> tuple[Choice, ...]:
        made = (
            counts.choice(value, label, counted.get(value, 0), on=value in chosen) for value, label in labels.items()
        )
        return tuple(choice for choice in made if choice.on or counted.get(choice.value))

    marks = {name: _(mark.label).capitalize() for name, mark in MARKS.items()}
    yours = tuple(
        counts.choice(name, label, found.marks[name], on=name in asked.marks)
        for name, label in marks.items()
        if name in ALWAYS or name in asked.marks or found.marks[name]
    )
    # The query language knows no word for files of one's own.
    hubs = {name: HUBS[name].label for name in HUBS}
    kinds = {kind: _(kind.capitalize()) for kind in get_args(Kind) if kind != "runner"}
    tags = {tag: format.visible(tag) for tag in (*found.tags, *(tag for tag in query.tags if tag not in found.tags))}
    return [
        Group(facet="marks", name=_("Show"), choices=yours),
        Group(facet="bases", name=_("Base model"), choices=tuple(counts.bases(query.bases, found.facets.bases))),
        Group(facet="kinds", name=_("Kind"), choices=choices(query.kinds, found.facets.kinds, kinds)),
        Group(facet="tags", name=_("Your tags"), choices=choices(query.tags, found.tags, tags)),
        Group(facet="hubs", name=_("Hub"), choices=choices(query.hubs, found.facets.hubs, hubs)),
    ]
