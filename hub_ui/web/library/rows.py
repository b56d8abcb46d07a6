"""The library as a list: what is found, each row with its news, and the filters beside it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from connectors.claims.resolve import record_of
from connectors.errors import BadQuery, NotFound
from connectors.query import BY_KEY
from connectors.record import Record
from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from hub_ui import format
from hub_ui.i18n import _, ngettext
from hub_ui.library import search
from hub_ui.library.checks import CheckResults, file_count
from hub_ui.library.collections import may_be_half, pair_up
from hub_ui.library.index import LibraryRow
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import UpdateStatus
from hub_ui.library.search import MARKS, NEVER_USED, Found, LibraryQuery
from hub_ui.services import Services
from hub_ui.web.browse.facets import Group, base_choices, choices_of, group_of
from hub_ui.web.view import LibraryView


def read_text(text: str) -> tuple[LibraryQuery, str]:
    """What is searched for, and what is wrong with the text; the rest of it counts nevertheless."""
    try:
        return search.parse(text), ""
    except BadQuery as error:
        return search.parse(text, is_strict=False), error.message


def find(services: Services, look: LibraryView, asked: LibraryQuery, results: CheckResults) -> Found:
    # It is read only where it counts: the history is on the disk.
    used = services.uses.times() if look.sort == "used" else NEVER_USED
    found = services.library_search.find(asked, sort=look.sort, outdated=results.updates, used=used)
    rows = found.rows
    if look.collection:
        refs = next((one.refs for one in services.collections.all() if one.name == look.collection), frozenset())
        rows = tuple(row for row in rows if row.entry.ref in refs)
    # A LoRA in two files is one row.
    halves = {row.entry.ref: row for row in rows if may_be_half(row.entry)}
    if halves:
        pairs = pair_up((row.entry for row in halves.values()), services.downloads.other_half)
        shown = {entry.ref: halves[pair.first.ref] for pair in pairs for entry in pair.entries}
        rows = tuple({row.entry.ref: row for row in (shown.get(row.entry.ref, row) for row in rows)}.values())
    return replace(found, rows=rows)


def catalog_record(services: Services, ref: Ref) -> Record | None:
    """What the catalog knows of it; no hub is asked."""
    try:
        lora = services.catalog.lora(ref)
        return record_of(lora, ref if lora.version(ref.version) is not None else ref.lora)
    except NotFound:
        return None


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is new about an entry: in a row it is a `chip`. `button` labels the download of `ref`.

    `tone` is "good", "warn", "base" or none. `sha256` is of an update that may be ignored, as the rule has it.
    """

    text: str
    chip: str = ""
    tone: str = ""
    button: str = ""
    ref: str = ""
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class LibraryItem:
    """A row of the list. `image` is an address of this server, empty for none. `size` is of all its files."""

    row: LibraryRow
    creator: str
    image: str
    notes: tuple[Note, ...]
    size: int

    @property
    def ref(self) -> Ref:
        return self.row.entry.ref

    @property
    def title(self) -> str:
        return format.title(self.row.entry.title) or self.row.entry.file


def notes(
    row: LibraryRow, results: CheckResults, coming: Collection[Ref], holds: Callable[[Ref], bool]
) -> tuple[Note, ...]:
    """The most urgent first. `coming` are the refs that are downloading; `holds` asks the library."""
    entry = row.entry
    checked, status = results.checked.get(entry.ref), results.statuses.get(entry.ref)
    state = "coming" if entry.ref in coming else "missing" if row.is_missing else checked.state if checked else ""
    shown = [
        file_note(entry, state),
        update_note(entry, status, coming, holds) if status else None,
        removal_note(entry) if row.is_removed else None,
    ]
    return tuple(dict.fromkeys(note for note in shown if note is not None))


def file_note(entry: Entry, state: str) -> Note | None:
    match state:
        case "coming":
            return Note(text=_("It is being downloaded."), chip=_("downloading"))
        case "right":
            return Note(text=_("The file matches the lock file."), chip=_("✓ verified"), tone="good")
        case "unreadable":
            text = _("The file can't be read. Check its permissions.")
            return Note(text=text, chip=_("unreadable"), tone="warn")
        case "missing":
            chip, text = _("file missing"), _("The file is gone from the folder.")
        case "changed":
            chip, text = _("file changed"), _("The file was changed: it is not what the lock file pins.")
        case _other:
            return None
    if entry.ref.hub == LOCAL:
        return Note(text=format.sentences(text, _("No hub is known to have it.")), chip=chip, tone="warn")
    return Note(text=text, chip=chip, tone="warn", button=_("Download again"), ref=str(entry.ref))


def update_note(
    entry: Entry, status: UpdateStatus, coming: Collection[Ref], holds: Callable[[Ref], bool]
) -> Note | None:
    ref, reason = status.newest, format.visible(status.note)
    newest = format.visible(status.newest_name) or _("A newer version")
    match status.state:
        case "current" | "ignored":
            return None
        case "newer" if ref in coming:
            return Note(text=_("{version} is being downloaded.").format(version=newest), chip=_("updating"))
        case "newer" if ref is not None and not holds(ref):
            text, sha256 = _("{version} available").format(version=newest), status.sha256 or ""
            return Note(text=f"{text}.", chip=text, tone="base", button=_("Update"), ref=str(ref), sha256=sha256)
        case "newer" | "superseded":
            text = _("{version} is in the library too.").format(version=newest)
            return Note(text=text, chip=_("newer one in library"))
        case "replaced":
            text = format.sentences(reason, _("Yours is kept; remove it first to get the new one."))
            return Note(text=text, chip=_("replaced"), tone="warn")
        case "gone":
            note = removal_note(entry)
            return replace(note, text=reason) if reason else note
        case "failed" if status.error is not None:
            return Note(text=status.error.message, chip=_("could not check"), tone="warn")
    return Note(text=reason)


def removal_note(entry: Entry) -> Note:
    hub = origin_label(entry.ref.hub)
    text = _("No longer on {hub}. Keep the file.").format(hub=hub)
    return Note(text=text, chip=_("gone from {hub}").format(hub=hub), tone="warn")


def half_note(ref: Ref, coming: Collection[Ref], *, is_here: bool) -> Note:
    """Of a LoRA in two files, for much noise and for little, of which `ref` is the other one."""
    if is_here:
        return Note(text=_("Two files, for much noise and for little."), chip=_("two files"))
    if ref in coming:
        return Note(text=_("Its other half is being downloaded."), chip=_("downloading"))
    text = _("Its other half is missing: it is one of two files, for much noise and for little.")
    return Note(text=text, chip=_("half missing"), tone="warn", button=_("Download it"), ref=str(ref))


def summary(rows: Sequence[LibraryRow]) -> str:
    """What stands behind the number of LoRAs. Bytes that several entries share count once."""
    sizes = {row.entry.sha256: row.entry.size for row in rows}
    missing, removed = sum(row.is_missing for row in rows), sum(row.is_removed for row in rows)
    gone = ngettext("{n} no longer on its hub", "{n} no longer on their hubs", removed)
    parts = (
        "" if len(sizes) == len(rows) else file_count(len(sizes)),
        format.size(sum(sizes.values())) if rows else "",
        _("{n} missing").format(n=format.number(missing)) if missing else "",
        gone.format(n=format.number(removed)) if removed else "",
    )
    return ", ".join(filter(None, parts))


def groups(asked: LibraryQuery, found: Found) -> list[Group]:
    """A choice that would find nothing is left out, unless it is on. That of favourites is always there."""
    query = asked.query
    marks = {name: _(mark.label).capitalize() for name, mark in MARKS.items()}
    tags = {tag: format.visible(tag) for tag in (*found.tags, *query.tags)}
    all_groups = (
        Group(facet="marks", name=_("Show"), choices=tuple(choices_of(asked.marks, found.marks, marks))),
        Group(facet="base", name=_("Base model"), choices=tuple(base_choices(query.bases, found.facets.bases))),
        group_of(BY_KEY["kind"], query, found.facets),
        Group(facet="tag", name=_("Your tags"), choices=tuple(choices_of(query.tags, found.tags, tags))),
        group_of(BY_KEY["hub"], query, found.facets),
    )
    return [
        replace(group, choices=tuple(c for c in group.choices if not c.is_empty or c.value == "is:favorite"))
        for group in all_groups
    ]
