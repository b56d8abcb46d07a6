"""What the Library page says about each file: whether it is intact, and whether its hub has a newer version."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from hub_ui import format
from hub_ui.i18n import _, ngettext
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import UpdateState, UpdateStatus
from hub_ui.library.sync import FileCheck, FileState
from hub_ui.widgets.library_list import Note


@dataclass(frozen=True, kw_only=True)
class CheckResults:
    """Checks on one open page, with the summary `said`. `collection` is the one that alone is shown."""

    checked: Mapping[Ref, FileCheck] = field(default_factory=dict)
    standing: Mapping[Ref, UpdateStatus] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    said: str = ""
    collection: str = ""

    @property
    def updates(self) -> frozenset[Ref]:
        """Entries with a newer version."""
        return frozenset(ref for ref, standing in self.standing.items() if standing.state == "newer")


def notes(
    entry: Entry,
    found: CheckResults,
    coming: Collection[Ref],
    *,
    missing: bool,
    removed: bool,
    in_library: Callable[[Ref], bool],
) -> tuple[Note, ...]:
    """The most urgent first. `coming` are the refs that are downloading."""
    shown = [
        Note(text=_("It is being downloaded."))
        if entry.ref in coming
        else _file_note(entry, found.checked.get(entry.ref), missing=missing),
        _update_note(entry, found.standing.get(entry.ref), coming, in_library),
    ]
    gone = removal_note(entry)
    if removed and gone not in shown:
        shown.append(gone)
    return tuple(note for note in shown if note is not None)


def removal_note(entry: Entry) -> Note:
    return Note(text=_("No longer on {hub}. Keep the file.").format(hub=origin_label(entry.ref.hub)), tone="problem")


def _file_note(entry: Entry, checked: FileCheck | None, *, missing: bool) -> Note | None:
    state = "missing" if missing else checked.state if checked else ""
    if entry.ref.hub == LOCAL and (missing or state == "changed"):
        text = _("The file is gone from the folder, and no hub is known to have it.")
        if not missing:
            text = _("The file is not what was entered any more, and no hub is known to have it.")
        return Note(text=text, tone="problem")
    again = partial(Note, tone="problem", button=_("Download again"), act="fetch", ref=str(entry.ref))
    if missing:
        return again(text=_("The file is gone from the folder."))
    if state == "changed":
        return again(text=_("The file was changed: it is not what the lock file pins."))
    return {
        "right": Note(text=_("✓ the bytes are right"), tone="good"),
        "unreadable": Note(text=_("The file can't be read. Check its permissions."), tone="problem"),
    }.get(state)


def _update_note(
    entry: Entry, standing: UpdateStatus | None, coming: Collection[Ref], in_library: Callable[[Ref], bool]
) -> Note | None:
    if standing is None or standing.state in ("current", "ignored"):
        return None
    newest = format.visible(standing.newest_name) or _("A newer version")
    if standing.state == "newer" and standing.newest is not None:
        if in_library(standing.newest):
            return Note(text=_("{version} is in the library too.").format(version=newest))
        if standing.newest in coming:
            return Note(text=_("{version} is being downloaded.").format(version=newest))
        text = _("{version} is out.").format(version=newest)
        return Note(text=text, act="update", button=_("Update"), ref=str(standing.newest))
    if standing.state == "superseded":
        return Note(text=_("{version} is in the library too.").format(version=newest))
    if standing.state == "failed" and standing.error is not None:
        return Note(text=standing.error.message, tone="problem")
    if standing.state == "gone" and standing.note is None:
        return removal_note(entry)
    reason = format.visible(standing.note)
    if standing.state == "replaced":
        reason = format.sentences(reason, _("Yours is kept; remove it first to get the new one."))
    return Note(text=reason, tone="problem" if standing.state in ("gone", "replaced") else "")


def summary(entries: Sequence[Entry], *, missing: int, removed: int) -> str:
    """Bytes that several entries share count once."""
    sizes = {entry.sha256: entry.size for entry in entries}
    gone = ngettext("{n} no longer on its hub", "{n} no longer on their hubs", removed)
    return format.join(
        ngettext("{n} LoRA", "{n} LoRAs", len(entries)).format(n=format.number(len(entries))),
        "" if len(sizes) == len(entries) else file_count(len(sizes)),
        format.size(sum(sizes.values())) if entries else "",
        _("{n} missing").format(n=format.number(missing)) if missing else "",
        gone.format(n=format.number(removed)) if removed else "",
    )


def file_count(number: int) -> str:
    return ngettext("{n} file", "{n} files", number).format(n=format.number(number))


def verify_summary(checked: Iterable[FileCheck], foreign: Sequence[str]) -> str:
    counts = Counter(result.state for result in checked)
    names: dict[FileState, str] = {
        "missing": _("{n} missing"),
        "changed": _("{n} changed"),
        "unreadable": _("{n} unreadable"),
    }
    wrong = [text.format(n=format.number(counts[state])) for state, text in names.items() if counts[state]]
    right, problems = file_count(counts["right"]), ", ".join(wrong) or _("nothing missing or changed")
    if not foreign:
        return _("Verified: {files} right, {problems}.").format(files=right, problems=problems)
    text = _("Verified: {files} right, {problems}; {others} that no entry names.")
    return text.format(files=right, problems=problems, others=file_count(len(foreign)))


def update_summary(standings: Iterable[UpdateStatus]) -> str:
    counts = Counter(result.state for result in standings)
    names: dict[UpdateState, str] = {
        "newer": _("{n} with a newer version"),
        "superseded": _("{n} whose newer version is here, too"),
        "replaced": _("{n} replaced by its author"),
        "ignored": _("{n} whose update is ignored"),
        "gone": _("{n} gone from its hub"),
        "unknown": _("{n} that no hub says enough of"),
        "failed": _("{n} that could not be asked about"),
    }
    others = [text.format(n=format.number(counts[state])) for state, text in names.items() if counts[state]]
    current = _("{n} up to date").format(n=format.number(counts["current"]))
    return _("Asked the hubs: {results}.").format(results=", ".join([current, *others]))
