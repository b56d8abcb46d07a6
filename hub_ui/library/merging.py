"""Another library's lock file beside our own: what of it is new here, what is here, and what contradicts ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from hub_ui.library.entry import Entry
from hub_ui.library.folder import SUFFIX

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
