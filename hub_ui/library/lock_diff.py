"""What tells one lock file from another."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hub_ui.library.file_names import SUFFIX
from hub_ui.library.lockfile import KEYS, Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """`keys` holds the old and the new value of each key that differs, None where one of them has no such key."""

    old: Entry
    new: Entry
    keys: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[Change, ...] = ()

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed)


def difference(old: Iterable[Entry], new: Iterable[Entry]) -> Difference:
    """Entries go together by their ref; those left over by their LoRA, where each side has one of it: a new version."""
    before, after = {entry.ref: entry for entry in old}, {entry.ref: entry for entry in new}
    pairs = [(before[ref], after[ref]) for ref in before if ref in after]
    removed = [entry for ref, entry in before.items() if ref not in after]
    added = [entry for ref, entry in after.items() if ref not in before]
    moved = _moved(removed, added)
    pairs += moved
    gone, come = {one.ref for one, _ in moved}, {other.ref for _, other in moved}
    changes = (Change(old=one, new=other, keys=_keys(one, other)) for one, other in pairs)
    return Difference(
        added=tuple(sorted((entry for entry in added if entry.ref not in come), key=_place)),
        removed=tuple(sorted((entry for entry in removed if entry.ref not in gone), key=_place)),
        changed=tuple(sorted((change for change in changes if change.keys), key=lambda change: _place(change.old))),
    )


def _moved(removed: list[Entry], added: list[Entry]) -> list[tuple[Entry, Entry]]:
    """A path of a repo stays the same from commit to commit; a file number of CivitAI's does not."""
    found: list[tuple[Entry, Entry]] = []
    for name in (_lora_and_file, _lora):
        left = [entry for entry in removed if entry not in [one for one, _ in found]]
        right = [entry for entry in added if entry not in [other for _, other in found]]
        once = {key for key, number in Counter(map(name, left)).items() if number == 1}
        once &= {key for key, number in Counter(map(name, right)).items() if number == 1}
        by_name = {name(entry): entry for entry in right}
        found += [(entry, by_name[name(entry)]) for entry in left if name(entry) in once]
    return found


def _lora(entry: Entry) -> str:
    return str(entry.ref.lora)


def _lora_and_file(entry: Entry) -> str:
    return str(entry.ref.at(None, entry.ref.file))


def _keys(one: Entry, other: Entry) -> dict[str, tuple[Any, Any]]:
    before, after = values(one), values(other)
    names = [*KEYS, *sorted({*one.extra, *other.extra})]
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def values(entry: Entry) -> dict[str, Any]:
    """Every key of the entry's table as plain JSON values."""
    known = {key: getattr(entry, key) for key in KEYS} | {
        "ref": str(entry.ref),
        "trigger_words": list(entry.trigger_words),
    }
    return {**known, **{key: plain(value) for key, value in entry.extra.items()}}


def plain(value: Any) -> Any:
    """TOML's dates and times become text."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool) else value.isoformat()


def _place(entry: Entry) -> str:
    return str(entry.ref)


# "differs": the same ref with other bytes. Ours is kept.
State = Literal["new", "here", "differs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """`entry` is to be entered here; its file has a name that nothing here has."""

    entry: Entry
    state: State


def merged(ours: Iterable[Entry], theirs: Iterable[Entry]) -> tuple[Merged, ...]:
    """One a foreign entry, in its order."""
    known = {entry.ref: entry for entry in ours}
    taken = {entry.file.casefold() for entry in known.values()}
    found = []
    for entry in theirs:
        own = known.get(entry.ref)
        if own is not None:
            found.append(Merged(entry=own, state="here" if own.sha256 == entry.sha256 else "differs"))
            continue
        named = _renamed(entry) if entry.file.casefold() in taken else entry
        taken.add(named.file.casefold())
        found.append(Merged(entry=named, state="new"))
    return tuple(found)


def _renamed(entry: Entry) -> Entry:
    digest = hashlib.sha256(str(entry.ref).encode()).hexdigest()[:8]
    return replace(entry, file=f"{entry.file[: -len(SUFFIX)]}-{digest}{SUFFIX}")
