"""LoRAs that belong together: pairs of files, named collections, and the combined licence of a set.

A LoRA for high and low noise (Wan 2.2) is a pair: it is shown, tried, moved, removed and exported as one. A collection
is a lock file, so it can be shared, and `hub-ui sync` restores its files. A licence summary states the most that LoRAs
and their base models permit. Unknown uses count as not permitted. It is not legal advice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from filelock import FileLock

from connectors.claims import base_models
from connectors.claims.license import Permissions, Use, permissions_of
from connectors.claims.resolve import best, noise_of
from connectors.errors import NotFound, UsageError
from connectors.record import Claim
from connectors.ref import Ref
from hub_ui.base.disk import disk_errors_as_messages, replace_file
from hub_ui.library import lockfile
from hub_ui.library.file_names import fold, natural, safe_name
from hub_ui.library.library import read_lock
from hub_ui.library.lockfile import Entry, Lock

_ARCHITECTURE = "wan"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One row of the library: an entry or a pair. `first` is the half for high noise, if that is known.

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
    """Return a Pair for each entry or pair, in the order of the first entries.

    `other_half` returns the other half of a ref from the catalog.
    """
    library = tuple(entries)
    by_ref = {entry.ref: entry for entry in library}
    done: set[Ref] = set()
    pairs = []
    for entry in library:
        if entry.ref in done:
            continue
        half = other_half(entry.ref) if may_be_half(entry) else None
        other = by_ref.get(half) if half is not None else None
        is_low = any(noise_of(name) == "low" for name in (entry.ref.file or "", entry.file, entry.title))
        first, second = (other, entry) if other is not None and is_low else (entry, other)
        pairs.append(Pair(first=first, second=second, missing=half if other is None else None))
        done |= {entry.ref} if half is None else {entry.ref, half}
    return tuple(pairs)


def with_halves(
    chosen: Iterable[Entry], entries: Iterable[Entry], other_half: Callable[[Ref], Ref | None]
) -> tuple[Entry, ...]:
    """Add the other halves of the chosen entries that are in the library, without duplicates."""
    by_ref = {entry.ref: entry for entry in entries}
    found: dict[Entry, None] = {}
    for entry in chosen:
        half = other_half(entry.ref) if may_be_half(entry) else None
        found[entry] = None
        if half in by_ref:
            found[by_ref[half]] = None
    return tuple(found)


LONGEST_NAME = 60
_ENDING = ".lock"
# The key of the lock file for the collection's name, because not every name is a valid file name.
_NAME = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    name: str
    entries: tuple[Entry, ...] = ()

    @property
    def refs(self) -> frozenset[Ref]:
        return frozenset(entry.ref for entry in self.entries)

    def lock_text(self, library: Iterable[Entry] = ()) -> str:
        """Return the text of a lock file. Entries of the library replace the collection's own."""
        by_ref = {entry.ref: entry for entry in library}
        return lockfile.dumps(by_ref.get(entry.ref, entry) for entry in self.entries)


class Collections:
    """The collections in a folder. Several threads and processes may use it. The first collection creates it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Collection, ...]:
        """Return the collections by name. Files that can't be read are skipped (see `damaged`)."""
        read = [one for _path, one in self._read_all() if isinstance(one, Collection)]
        return tuple(sorted(read, key=lambda one: (natural(one.name), one.name)))

    def damaged(self) -> tuple[tuple[str, str], ...]:
        """Return the names of the files that can't be read, each with the reason."""
        return tuple(sorted((path.name, one) for path, one in self._read_all() if isinstance(one, str)))

    def _read_all(self) -> Iterator[tuple[Path, Collection | str]]:
        for path in self._folder.glob(f"*{_ENDING}") if self._folder.is_dir() else ():
            try:
                yield path, _read(path)
            except lockfile.LockError as error:
                yield path, error.message

    @disk_errors_as_messages()
    def get(self, name: str) -> Collection:
        """Return a collection. Raises NotFound if it is missing, and LockError if its file is damaged."""
        path = self._path(_check_name(name))
        if not path.exists():
            raise NotFound(
                f"There is no collection “{name[:LONGEST_NAME]}”. hub-ui collection lists those that are there."
            )
        return _read(path)

    def add(self, name: str, entries: Iterable[Entry]) -> Collection:
        """Add entries to a collection, which is created if it is missing."""
        return self._change(name, lambda now: {**now, **{entry.ref: entry for entry in entries}})

    def take_out(self, name: str, refs: Iterable[Ref]) -> Collection:
        removed = set(refs)
        self.get(name)
        return self._change(name, lambda now: {ref: entry for ref, entry in now.items() if ref not in removed})

    @disk_errors_as_messages()
    def delete(self, name: str) -> Collection:
        """Delete a collection. Its LoRAs stay in the library."""
        found = self.get(name)
        self._path(found.name).unlink(missing_ok=True)
        return found

    @disk_errors_as_messages()
    def _change(self, name: str, edit: Callable[[dict[Ref, Entry]], dict[Ref, Entry]]) -> Collection:
        name = _check_name(name)
        path = self._path(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / ".writer"):
            known = _read(path) if path.exists() else Collection(name=name)
            entries = edit({entry.ref: entry for entry in known.entries})
            # Paths must be unique in a lock file, but entries from before a move may share one.
            unique = tuple(result.entry for result in lockfile.merge((), entries.values()))
            changed = replace(known, entries=unique)
            lock = Lock(entries=changed.entries, extra={_NAME: changed.name})
            replace_file(path, lockfile.write(lock).encode())
        return changed

    def _path(self, name: str) -> Path:
        """Return the file of a collection, which may have any name, or the file to create.

        Names that differ only in case are the same collection, because some disks can't tell their files apart.
        """
        key = fold(name)
        for path, one in self._read_all():
            if isinstance(one, Collection) and fold(one.name) == key:
                return path
        safe = safe_name(key)
        stem = safe if safe == key else f"{safe}-{sha256(key.encode()).hexdigest()[:8]}"
        return self._folder / f"{stem}{_ENDING}"


def _check_name(name: str) -> str:
    # A lock file is UTF-8, which can't encode lone surrogates.
    name = " ".join(name.split()).encode("utf-8", "replace").decode()
    if not 0 < len(name) <= LONGEST_NAME:
        raise UsageError(
            f"A collection has a name of at most {LONGEST_NAME} characters. Write one, such as “My styles”."
        )
    return name


def _read(path: Path) -> Collection:
    lock = lockfile.read(read_lock(path), str(path))
    name = lock.extra.get(_NAME)
    return Collection(name=name if isinstance(name, str) else path.name.removesuffix(_ENDING), entries=lock.entries)


Answer = Literal["yes", "no", "unknown"]

QUESTIONS: Mapping[Use, str] = {
    "sell_images": "sell the images",
    "run_as_service": "run it as a paid service",
    "sell": "sell the LoRA itself",
    "merge": "merge it with others",
    "no_credit": "leave out the credit",
}
_STRICTEST: tuple[Answer, ...] = ("no", "unknown", "yes")
_ANSWERS: Mapping[bool | None, Answer] = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryLicense:
    """The licences of one entry.

    `license` is in the hub's words, `terms` in ours, and `own` are the answers of these terms. `base` is the base
    model's licence, which applies as well: `answers` combine both.
    """

    entry: Entry
    license: str | None
    terms: str | None
    base: str | None
    base_terms: str | None
    own: Mapping[Use, Answer]
    answers: Mapping[Use, Answer]
    conditions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseSummary:
    """What the licences of several entries permit together.

    `together` maps each use to its answer, with the entries that restrict it.
    """

    each: tuple[EntryLicense, ...]
    together: Mapping[Use, tuple[Answer, tuple[Entry, ...]]]
    conditions: tuple[str, ...]


def summarize_licenses(entries: Iterable[Entry], claims: Callable[[Entry], Iterable[Claim]]) -> LicenseSummary:
    """Combine the licences of entries. `claims` returns the claims about an entry outside its lock file, if any."""
    each = tuple(_entry_license(entry, tuple(claims(entry))) for entry in entries)
    together: dict[Use, tuple[Answer, tuple[Entry, ...]]] = {}
    for use in QUESTIONS:
        answer = _strictest(one.answers[use] for one in each)
        together[use] = answer, tuple(one.entry for one in each if one.answers[use] == answer != "yes")
    conditions = {condition for one in each for condition in one.conditions}
    return LicenseSummary(each=each, together=together, conditions=tuple(sorted(conditions)))


def _entry_license(entry: Entry, claims: tuple[Claim, ...]) -> EntryLicense:
    known = base_models.by_id(entry.base_model) if entry.base_model else None
    license = entry.license or best(claims, "license")
    terms = best(claims, "license_terms")
    # CivitAI's licence field has defined permissions. Authors on other hubs name a licence or write any text.
    if terms is None and license is not None:
        terms = license if entry.ref.hub == "civitai" else _text(permissions_of(license))
    base = known.license if known else None
    base_permissions = permissions_of(base) if base else None
    licenses = [Permissions.parse(terms) if terms else None]
    # Without a known base model only the LoRA's own licence counts.
    if entry.base_model:
        licenses.append(base_permissions)
    return EntryLicense(
        entry=entry,
        license=license,
        terms=terms,
        base=base,
        base_terms=_text(base_permissions),
        own={use: _ANSWERS[licenses[0].allows(use) if licenses[0] else None] for use in QUESTIONS},
        answers={use: _strictest(_ANSWERS[one.allows(use) if one else None] for one in licenses) for use in QUESTIONS},
        conditions=tuple(sorted({text for one in (*licenses, base_permissions) if one for text in one.conditions})),
    )


def _text(permissions: Permissions | None) -> str | None:
    return str(permissions) if permissions else None


def _strictest(answers: Iterable[Answer]) -> Answer:
    return min(answers, key=_STRICTEST.index, default="unknown")
