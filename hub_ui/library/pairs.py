"""LoRAs in two files, for much noise and for little (Wan 2.2): shown, tried, moved, removed and exported as one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connectors.claims.resolve import noise_of
from connectors.ref import Ref
from hub_ui.library.lockfile import Entry

_ARCHITECTURE = "wan"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """What one row of the library stands for. Of a pair, `first` is the half for much noise, where that is known.

    `missing` is the ref of a half that is not in the library.
    """

    first: Entry
    second: Entry | None = None
    missing: Ref | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)


def may_be_half(entry: Entry) -> bool:
    return entry.architecture == _ARCHITECTURE


def pair_up(entries: Iterable[Entry], other_half: Callable[[Ref], Ref | None]) -> tuple[Pair, ...]:
    """One for each entry or pair of them, in the order of the first. `other_half` reads what the catalog knows."""
    library = tuple(entries)
    by_ref = {entry.ref: entry for entry in library}
    done: set[Ref] = set()
    pairs = []
    for entry in library:
        if entry.ref in done:
            continue
        half = other_half(entry.ref) if may_be_half(entry) else None
        other = by_ref.get(half) if half is not None else None
        first, second = (other, entry) if other is not None and _is_low(entry) else (entry, other)
        pairs.append(Pair(first=first, second=second, missing=half if other is None else None))
        done |= {entry.ref} if half is None else {entry.ref, half}
    return tuple(pairs)


def with_halves(
    chosen: Iterable[Entry], entries: Iterable[Entry], other_half: Callable[[Ref], Ref | None]
) -> tuple[Entry, ...]:
    """The chosen entries and the other halves of theirs that are in the library, each once."""
    by_ref = {entry.ref: entry for entry in entries}
    found: dict[Entry, None] = {}
    for entry in chosen:
        half = other_half(entry.ref) if may_be_half(entry) else None
        found[entry] = None
        if half in by_ref:
            found[by_ref[half]] = None
    return tuple(found)


def _is_low(entry: Entry) -> bool:
    return any(noise_of(name) == "low" for name in (entry.ref.file or "", entry.file, entry.title))
