"""What was found out about the library's files, in the words of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.ref import LOCAL, Ref
from connectors.registry import origin_label
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import State, UpdateStatus
from hub_ui.library.verify import Checked
from hub_ui.pages.library.entries import Look
from hub_ui.widgets import format
from hub_ui.widgets.library_list import Note

FOR_GOOD = Note(text="No hub is known to have it: the file would be gone for good.", tone="problem")
COMING = Note(text="It is being downloaded.")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Kept for one open page: checks are made when asked for, and hold until the next. `said` sums the last one up.

    `shown` is the entry whose place on disk is shown, `asking` the one that is about to be removed. `look` is what is
    looked for.
    """

    checked: Mapping[Ref, Checked] = field(default_factory=dict)
    standing: Mapping[Ref, UpdateStatus] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    said: str = ""
    shown: str = ""
    asking: str = ""
    look: Look = field(default_factory=Look)


def notes(
    entry: Entry,
    found: Findings,
    coming: Collection[Ref],
    *,
    missing: bool,
    removed: bool,
    held: Callable[[Ref], bool],
) -> tuple[Note, ...]:
    """The most pressing first. `coming` are the refs that are being downloaded."""
    told = [
        COMING if entry.ref in coming else _file(entry, found.checked.get(entry.ref), missing=missing),
        _news(entry, found.standing.get(entry.ref), coming, held),
    ]
    gone = Note(text=f"No longer on {origin_label(entry.ref.hub)}. Keep the file.", tone="problem")
    known_gone = any(note is not None and note.text == gone.text for note in told)
    if found.asking == str(entry.ref) and entry.ref.hub == LOCAL:
        told.insert(0, FOR_GOOD)
    return tuple(note for note in (*told, gone if removed and not known_gone else None) if note is not None)


def _file(entry: Entry, checked: Checked | None, *, missing: bool) -> Note | None:
    again = {"act": "fetch", "ref": str(entry.ref)}
    if entry.ref.hub == LOCAL and (missing or (checked is not None and checked.state == "changed")):
        what = "gone from the folder" if missing else "not what was entered any more"
        return Note(text=f"The file is {what}, and no hub is known to have it.", tone="problem")
    if missing:
        return Note(text="The file is gone from the folder.", tone="problem", button="Download again", **again)
    if checked is None or checked.state == "missing":
        return None
    if checked.state == "right":
        return Note(text="✓ the bytes are right", tone="good")
    if checked.state == "unreadable":
        return Note(text="The file can't be read. Check its permissions.", tone="problem")
    text = "The file was changed: it is not what the lock file pins."
    return Note(text=text, tone="problem", button="Download again", **again)


def _news(
    entry: Entry, standing: UpdateStatus | None, coming: Collection[Ref], held: Callable[[Ref], bool]
) -> Note | None:
    if standing is None or standing.state == "current":
        return None
    if standing.state == "newer" and standing.newest is not None:
        name = format.visible(standing.newest_name) or "A newer version"
        if held(standing.newest):
            return Note(text=f"{name} is in the library too.")
        if standing.newest in coming:
            return Note(text=f"{name} is being downloaded.")
        return Note(text=f"{name} is out.", act="update", button="Update", ref=str(standing.newest))
    if standing.state == "superseded":
        return Note(text=f"{format.visible(standing.newest_name) or 'A newer version'} is in the library too.")
    if standing.state == "failed" and standing.error is not None:
        return Note(text=standing.error.message, tone="problem")
    if standing.state == "replaced":
        said = format.visible(standing.note)
        return Note(text=f"{said} Yours is kept; remove it first to get the new one.", tone="problem")
    if standing.state == "gone" and standing.note is None:
        return Note(text=f"No longer on {origin_label(entry.ref.hub)}. Keep the file.", tone="problem")
    return Note(text=format.visible(standing.note), tone="problem" if standing.state == "gone" else "")


def summary(entries: Sequence[Entry], *, missing: int, removed: int) -> str:
    """Bytes that several entries share count once: they lie on the disk once."""
    sizes = {entry.sha256: entry.size for entry in entries}
    parts = [
        some(len(entries), "LoRA"),
        some(len(sizes), "file") if len(sizes) != len(entries) else "",
        format.size(sum(sizes.values())) if entries else "",
        f"{missing:,} missing" if missing else "",
        f"{removed:,} no longer on {'its hub' if removed == 1 else 'their hubs'}" if removed else "",
    ]
    return " · ".join(part for part in parts if part)


def verified(checked: Iterable[Checked], foreign: Sequence[str]) -> str:
    counts = Counter(result.state for result in checked)
    wrong = [f"{counts[state]:,} {state}" for state in ("missing", "changed", "unreadable") if counts[state]]
    told = ", ".join(wrong) or "nothing missing or changed"
    extra = f"; {some(len(foreign), 'file')} that no entry names" if foreign else ""
    return f"Verified: {some(counts['right'], 'file')} right, {told}{extra}."


def compared(standings: Iterable[UpdateStatus]) -> str:
    counts = Counter(result.state for result in standings)
    names: dict[State, str] = {
        "newer": "with a newer version",
        "superseded": "whose newer version is here, too",
        "replaced": "replaced by its author",
        "gone": "gone from its hub",
        "unknown": "that no hub says enough of",
        "failed": "that could not be asked about",
    }
    told = [f"{counts[state]:,} {text}" for state, text in names.items() if counts[state]]
    return f"Asked the hubs: {counts['current']:,} up to date{''.join(f', {part}' for part in told)}."


def some(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
