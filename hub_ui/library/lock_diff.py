"""The difference between two lock files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hub_ui.library.file_names import free_path
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
    # A path of a repo stays the same from commit to commit; a file number of CivitAI's does not.
    for with_file in (True, False):
        old_names, new_names = _by_lora(removed, with_file), _by_lora(added, with_file)
        pairs += [(old_names[name], new_names[name]) for name in old_names if name in new_names]
        removed = [entry for entry in removed if entry not in [one for one, _ in pairs]]
        added = [entry for entry in added if entry not in [other for _, other in pairs]]
    changes = []
    for one, other in pairs:
        old_values, new_values = values(one), values(other)
        names = [*KEYS, *sorted({*one.extra, *other.extra})]
        both = {name: (old_values.get(name), new_values.get(name)) for name in names}
        keys = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
        changes.append(Change(old=one, new=other, keys=keys))
    return Difference(
        added=tuple(sorted(added, key=lambda entry: str(entry.ref))),
        removed=tuple(sorted(removed, key=lambda entry: str(entry.ref))),
        changed=tuple(sorted((c for c in changes if c.keys), key=lambda change: str(change.old.ref))),
    )


def _by_lora(entries: list[Entry], with_file: bool) -> dict[str, Entry]:
    """Those whose name, the ref without its version, no other one of the entries has."""
    names = [str(entry.ref.at(None, entry.ref.file) if with_file else entry.ref.lora) for entry in entries]
    counts = Counter(names)
    return {name: entry for name, entry in zip(names, entries, strict=True) if counts[name] == 1}


def values(entry: Entry) -> dict[str, Any]:
    """Every key of the entry's table as plain JSON values."""
    known = {key: getattr(entry, key) for key in KEYS}
    known |= {"ref": str(entry.ref), "trigger_words": list(entry.trigger_words)}
    return {**known, **{key: plain(value) for key, value in entry.extra.items()}}


def plain(value: Any) -> Any:
    """TOML's dates and times become text."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else value.isoformat()


# "differs": the same ref with other bytes. Ours is kept.
MergeState = Literal["new", "here", "differs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeResult:
    """`entry` is ours, or theirs with a file name that is free here."""

    entry: Entry
    state: MergeState


def merge(ours: Iterable[Entry], theirs: Iterable[Entry]) -> tuple[MergeResult, ...]:
    """One result for each of their entries, in the same order."""
    known = {entry.ref: entry for entry in ours}
    taken = [entry.file for entry in known.values()]
    results = []
    for entry in theirs:
        own = known.get(entry.ref)
        if own is not None:
            results.append(MergeResult(entry=own, state="here" if own.sha256 == entry.sha256 else "differs"))
            continue
        added = replace(entry, file=free_path(entry.file, entry.ref, taken))
        taken.append(added.file)
        results.append(MergeResult(entry=added, state="new"))
    return tuple(results)
