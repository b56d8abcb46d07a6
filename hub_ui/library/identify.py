"""Which LoRAs are the files on a disk? Told by their bytes: nothing is written, moved or renamed.

A file is one of a hub's when its SHA-256 is: the library's own lock file is asked first, then what was ever seen of the
hubs, then CivitAI, which finds files by hash. What shares only the tensors (AutoV3) is an edited copy: its notes were
changed, so the hub's bytes would be others.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, runtime_checkable

from connectors.claims.resolve import flatten, record_with_header
from connectors.errors import AccessError, BadHeader, HubUiError, NetworkError, NotFound, NotWeights, RateLimited
from connectors.record import Lora, Record
from connectors.ref import LOCAL, Ref, local_ref
from connectors.weights.header import header_length
from connectors.weights.inspect import Facts, inspect_path, restored
from hub_ui.library.file_names import SUFFIX, is_safe_path
from hub_ui.library.lockfile import Entry

# "held": the lock file has it already. "edited": the tensors of a hub's file, the rest changed. "unread": can't be, or
# won't be: the older formats can run code when they are loaded.
State = Literal["held", "recognised", "edited", "unknown", "unread"]
How = Literal["lock file", "catalog", "SHA256", "AutoV2", "AutoV3"]
_OLDER = (".ckpt", ".pt", ".pth", ".bin")
_CHUNK = 4 * 1024 * 1024
_AT_ONCE = min(4, os.cpu_count() or 1)
# AutoV3 of a file without a single tensor: it would be every such file's.
_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@runtime_checkable
class FindsByHash(Protocol):
    """A hub that can be asked for a file by any hash of it."""

    def by_hash(self, value: str) -> tuple[Lora, Ref]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """`tensors` is the SHA-256 of what follows the header."""

    size: int
    sha256: str
    tensors: str

    @property
    def autov2(self) -> str:
        return self.sha256[:10].upper()

    @property
    def autov3(self) -> str | None:
        return self.tensors[:12].upper() if self.tensors != _OF_NOTHING else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """`path` is below the folder, with forward slashes. `facts` are the header's, of a file that has one."""

    path: str
    state: State
    digests: Digests | None = None
    ref: Ref | None = None
    how: How | None = None
    record: Record | None = None
    facts: Facts | None = None
    error: HubUiError | None = None


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """`seen` gives every ref known for a SHA-256, `lora` what is known of a ref. Without `by_hash` no hub is asked.

    `inspect` reads a file's header. After a failure of the hub it is asked no more; `failure` is told.
    """

    entries: tuple[Entry, ...]
    seen: Callable[[str], Iterable[Ref]]
    lora: Callable[[Ref], Lora]
    inspect: Callable[[Path, Digests], Facts]
    by_hash: Callable[[str], tuple[Lora, Ref]] | None = None
    failure: Callable[[HubUiError], None] = lambda error: None

    def run(self, folder: Path) -> Iterator[Found]:
        """One result a file, in the order of their paths."""
        asked = self
        paths = files_in(folder)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for path, read in zip(paths, pool.map(_read, paths), strict=True):
                name = path.relative_to(folder).as_posix()
                if isinstance(read, HubUiError):
                    yield Found(path=name, state="unread", error=read)
                    continue
                try:
                    found = asked._told(name, read)
                except (AccessError, NetworkError, RateLimited) as error:
                    self.failure(error)
                    asked = replace(self, by_hash=None)
                    found = asked._told(name, read)
                yield asked._with_facts(found, path, read)

    def one(self, path: Path) -> Found:
        """A single file, wherever it lies. Raises what keeps it from being read."""
        read = _read(path)
        if isinstance(read, HubUiError):
            raise read
        found = self._with_facts(self._told(path.name, read), path, read)
        if found.error is not None:
            raise found.error
        return found

    def _told(self, name: str, read: Digests) -> Found:
        entry = next((entry for entry in self.entries if entry.sha256 == read.sha256), None)
        held = Found(path=name, state="held", digests=read, ref=entry.ref, how="lock file") if entry else None
        # What no hub was known to have when it was entered may be found on one by now.
        if held is not None and held.ref is not None and held.ref.hub != LOCAL:
            return held
        found = self._remembered(name, read) or self._asked(name, read)
        if found is not None and (held is None or found.state == "recognised"):
            return found
        return held or Found(path=name, state="unknown", digests=read)

    def _remembered(self, name: str, read: Digests) -> Found | None:
        for ref in self.seen(read.sha256):
            try:
                lora = self.lora(ref)
            except NotFound:
                continue
            if ref.pinned and (found := _recognised(name, read, lora, ref, "catalog")) is not None:
                return found
        return None

    def _asked(self, name: str, read: Digests) -> Found | None:
        ways: tuple[tuple[How, str | None], ...] = (
            ("SHA256", read.sha256.upper()),
            ("AutoV2", read.autov2),
            ("AutoV3", read.autov3),
        )
        for how, value in ways:
            if value is None or self.by_hash is None:
                continue
            try:
                lora, ref = self.by_hash(value)
            except NotFound:
                continue
            if (found := _recognised(name, read, lora, ref, how)) is not None:
                return found
        return None

    def _with_facts(self, found: Found, path: Path, read: Digests) -> Found:
        try:
            facts = self.inspect(path, read)
        except HubUiError as error:
            return replace(found, state="unread" if found.state == "unknown" else found.state, error=error)
        record = record_with_header(found.record, facts.adapter) if found.record else None
        return replace(found, facts=facts, record=record)


def _recognised(name: str, read: Digests, lora: Lora, ref: Ref, how: How) -> Found | None:
    """None where the file that was found is stated to have other bytes, though its hash should say it has these."""
    version = lora.version(ref.version)
    file = version.find_file(ref) if version else None
    stated = file.sha256 if file else None
    same = stated == read.sha256 or (stated is None and how != "AutoV3")
    if not same and how != "AutoV3":
        return None
    state: State = "recognised" if same else "edited"
    return Found(path=name, state=state, digests=read, ref=ref, how=how, record=flatten(lora, version, file))


def facts_of(
    path: Path, read: Digests, stored: Callable[[str], str | None], remember: Callable[[str, str], None]
) -> Facts:
    """From the header, which is remembered under the file's bytes, wherever they lie."""
    text = stored(read.sha256)
    known = restored(text) if text else None
    if known is None:
        known = inspect_path(path)
        remember(read.sha256, known.stored())
    return known


def files_in(folder: Path) -> list[Path]:
    """Weight files of any format, sorted; hidden folders hold none, and a pipe would be waited for without end."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, n) for n in names if n.lower().endswith((SUFFIX, *_OLDER)) and not n.startswith(".")]
    return sorted(path for path in found if not os.path.exists(path) or os.path.isfile(path))


def _read(path: Path) -> Digests | HubUiError:
    try:
        return digests(path)
    except (NotWeights, BadHeader) as error:
        return error
    except OSError as error:
        return HubUiError(f"{path.name} can't be read: {error.strerror or error}.")


def digests(path: Path) -> Digests:
    """Both hashes in one reading. Raises NotWeights or BadHeader for what is no safetensors file."""
    if path.name.lower().endswith(_OLDER):
        raise NotWeights(f"{path.name} has an older format, which can run code when loaded. It was not read.")
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(9)
        start = 8 + header_length(head)
        file.seek(0)
        place = 0
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
            tensors.update(chunk[max(0, start - place) :])
            place += len(chunk)
    return Digests(size=place, sha256=whole.hexdigest(), tensors=tensors.hexdigest())


def entry_of(found: Found, file: str, source: str) -> Entry | None:
    """The entry of a file that is exactly a hub's; None for any other, or a name that no lock file may hold."""
    if found.state != "recognised" or found.record is None or found.ref is None or not is_safe_path(file):
        return None
    return _entry(found, found.ref, found.record.title, file, source)


def local_entry(found: Found, file: str) -> Entry | None:
    """The entry of a LoRA that is no hub's file, or no longer: an edited copy. None for what is no LoRA."""
    if found.state not in ("unknown", "edited") or found.facts is None or found.digests is None:
        return None
    if not found.facts.adapter.is_lora or not is_safe_path(file):
        return None
    stem = PurePosixPath(file).name[: -len(SUFFIX)]
    return _entry(found, local_ref(stem, found.digests.sha256), found.record.title if found.record else stem, file, "")


def entry_of_file(found: Found, entries: Iterable[Entry]) -> Entry:
    """What an entry would say of a file that needs none because it is only tried."""
    held = next((entry for entry in entries if entry.ref == found.ref and found.state == "held"), None)
    stem = PurePosixPath(found.path).stem
    sha256 = found.digests.sha256 if found.digests else ""
    ref = found.ref if found.ref is not None and found.state == "recognised" else local_ref(stem, sha256)
    return held or _entry(found, ref, found.record.title if found.record else stem, found.path, "")


def _entry(found: Found, ref: Ref, title: str, file: str, source: str) -> Entry:
    record, adapter, read = found.record, found.facts.adapter if found.facts else None, found.digests
    said = record or adapter
    return Entry(
        ref=ref,
        title=title,
        file=file,
        size=read.size if read else 0,
        sha256=read.sha256 if read else "",
        source=source,
        base_model=said.base_model if said else None,
        architecture=said.architecture if said else None,
        trigger_words=said.trigger_words if said else (),
        weight=record.weight if record else None,
        license=record.license if record else None,
    )
