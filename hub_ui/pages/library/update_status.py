"""What the Library page says about each file: whether it is intact, and whether its hub has a newer version."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from hub_ui import format
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import UpdateState, UpdateStatus
from hub_ui.library.sync import FileCheck
from hub_ui.widgets.library_list import Note

COMING = Note(text="It is being downloaded.")


@dataclass(frozen=True, kw_only=True)
class CheckResults:
    """Checks on one open page, with the summary `said`."""

    checked: Mapping[Ref, FileCheck] = field(default_factory=dict)
    standing: Mapping[Ref, UpdateStatus] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    said: str = ""

    @property
    def outdated(self) -> frozenset[Ref]:
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
        COMING if entry.ref in coming else _file_note(entry, found.checked.get(entry.ref), missing=missing),
        _update_note(entry, found.standing.get(entry.ref), coming, in_library),
    ]
    gone = removal_note(entry)
    if removed and gone not in shown:
        shown.append(gone)
    return tuple(note for note in shown if note is not None)


def removal_note(entry: Entry) -> Note:
    return Note(text=f"No longer on {origin_label(entry.ref.hub)}. Keep the file.", tone="problem")


def _file_note(entry: Entry, checked: FileCheck | None, *, missing: bool) -> Note | None:
    state = "missing" if missing else checked.state if checked else ""
    if entry.ref.hub == LOCAL and (missing or state == "changed"):
        what = "gone from the folder" if missing else "not what was entered any more"
        return Note(text=f"The file is {what}, and no hub is known to have it.", tone="problem")
    again = partial(Note, tone="problem", button="Download again", act="fetch", ref=str(entry.ref))
    if missing:
        return again(text="The file is gone from the folder.")
    if state == "changed":
        return again(text="The file was changed: it is not what the lock file pins.")
    return {
        "right": Note(text="✓ the bytes are right", tone="good"),
        "unreadable": Note(text="The file can't be read. Check its permissions.", tone="problem"),
    }.get(state)


def _update_note(
    entry: Entry, standing: UpdateStatus | None, coming: Collection[Ref], in_library: Callable[[Ref], bool]
) -> Note | None:
    if standing is None or standing.state == "current":
        return None
    newest = format.visible(standing.newest_name) or "A newer version"
    if standing.state == "newer" and standing.newest is not None:
        if in_library(standing.newest):
            return Note(text=f"{newest} is in the library too.")
        if standing.newest in coming:
            return Note(text=f"{newest} is being downloaded.")
        return Note(text=f"{newest} is out.", act="update", button="Update", ref=str(standing.newest))
    if standing.state == "superseded":
        return Note(text=f"{newest} is in the library too.")
    if standing.state == "failed" and standing.error is not None:
        return Note(text=standing.error.message, tone="problem")
    if standing.state == "gone" and standing.note is None:
        return removal_note(entry)
    reason = format.visible(standing.note)
    if standing.state == "replaced":
        reason += " Yours is kept; remove it first to get the new one."
    return Note(text=reason, tone="problem" if standing.state in ("gone", "replaced") else "")


def summary(entries: Sequence[Entry], *, missing: int, removed: int) -> str:
    """Bytes that several entries share count once."""
    sizes = {entry.sha256: entry.size for entry in entries}
    return format.join(
        format.plural(len(entries), "LoRA"),
        format.plural(len(sizes), "file") if len(sizes) != len(entries) else "",
        format.size(sum(sizes.values())) if entries else "",
        f"{missing:,} missing" if missing else "",
        f"{removed:,} no longer on {'its hub' if removed == 1 else 'their hubs'}" if removed else "",
    )


def verify_summary(checked: Iterable[FileCheck], foreign: Sequence[str]) -> str:
    counts = Counter(result.state for result in checked)
    wrong = [f"{counts[state]:,} {state}" for state in ("missing", "changed", "unreadable") if counts[state]]
    problems = ", ".join(wrong) or "nothing missing or changed"
    extra = f"; {format.plural(len(foreign), 'file')} that no entry names" if foreign else ""
    return f"Verified: {format.plural(counts['right'], 'file')} right, {problems}{extra}."


def update_summary(standings: Iterable[UpdateStatus]) -> str:
    counts = Counter(result.state for result in standings)
    names: dict[UpdateState, str] = {
        "newer": "with a newer version",
        "superseded": "whose newer version is here, too",
        "replaced": "replaced by its author",
        "ignored": "whose update is ignored",
        "gone": "gone from its hub",
        "unknown": "that no hub says enough of",
        "failed": "that could not be asked about",
    }
    others = [f", {counts[state]:,} {text}" for state, text in names.items() if counts[state]]
    return f"Asked the hubs: {counts['current']:,} up to date{''.join(others)}."
