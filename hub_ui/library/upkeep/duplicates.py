"""Duplicates in the library: files with equal bytes, with equal weights under other metadata, and older versions.

No file is deleted here. Only complete hashes make files duplicates: sizes and samples just select which files to hash.
Files without tensors are never compared by weights.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from connectors.errors import HubUiError
from connectors.ref import Ref
from connectors.weights.header import header_length, tensors_sha256
from hub_ui.base.disk import hash_of, visible_files
from hub_ui.library.file_names import SUFFIX, fold
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.outdated import version_number

# "bytes": equal bytes. "weights": equal tensors, different header. "versions": versions of one LoRA for one base model.
DuplicateKind = Literal["bytes", "weights", "versions"]
_SAMPLES = 8
_SAMPLE_BYTES = 4096
Inode = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateFile:
    """A file in a group of duplicates, as a path below the library folder. Hard links share their `inode`."""

    file: str
    size: int
    inode: Inode
    entry: Entry | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """A group of duplicates. The file to keep comes first: it has an entry, and the newest version."""

    kind: DuplicateKind
    files: tuple[DuplicateFile, ...]

    @property
    def gain(self) -> int:
        """The bytes that removing all files except the first would free. Hard links of it free none."""
        sizes = {file.inode: file.size for file in self.files[1:] if file.inode != self.files[0].inode}
        return sum(sizes.values())


def find_duplicates(
    library: Library,
    other_half: Callable[[Ref], Ref | None],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Duplicates, ...]:
    """Return all groups of duplicates, the largest gain first.

    `other_half` returns the other half of a pair, which is not a version. `on_progress` gets the number of hashed files
    and the total.
    """
    files = _files(library)
    hashes = _hashes(library.folder, files, on_progress, is_cancelled)
    of_bytes = _groups(files, lambda file: hashes.get(file.inode, (None, None))[0])
    # One of several equal files is enough to compare with others.
    spare = {file.file for group in of_bytes for file in group[1:]}
    rest = (file for file in files if file.file not in spare)
    of_weights = _groups(rest, lambda file: hashes.get(file.inode, (None, None))[1])
    groups = [("bytes", group) for group in of_bytes]
    groups += [("weights", group) for group in of_weights]
    groups += [("versions", group) for group in _versions(files, other_half)]
    found = (Duplicates(kind=kind, files=tuple(group)) for kind, group in groups)  # type: ignore[arg-type]
    return tuple(sorted(found, key=lambda one: (-one.gain, one.kind, one.files[0].file)))


def _files(library: Library) -> list[DuplicateFile]:
    """Return the weight files in the folder, those with an entry first."""
    entries = {fold(entry.file): entry for entry in library.entries()}
    found = []
    for path in sorted(visible_files(library.folder)):
        if path.name.lower().endswith(SUFFIX) and path.is_file():
            stat, file = path.stat(), path.relative_to(library.folder).as_posix()
            found.append(
                DuplicateFile(
                    file=file, size=stat.st_size, inode=(stat.st_dev, stat.st_ino), entry=entries.get(fold(file))
                )
            )
    return sorted(found, key=lambda file: (file.entry is None, file.file))


def _hashes(
    folder: Path,
    files: Sequence[DuplicateFile],
    on_progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool],
) -> dict[Inode, tuple[str, str | None]]:
    """Return the SHA-256 of each possible duplicate, and of its tensors or None if it has no tensors."""
    starts = {file.inode: _tensors_start(folder / file.file) for file in files}

    def start(file: DuplicateFile) -> int | None:
        found = starts[file.inode]
        return None if found is None or found >= file.size else found

    same_size = _groups(files, lambda file: (start(file) is None, file.size - (start(file) or 0)))
    sampled = [some for group in same_size for some in _groups(group, lambda f: _sample(folder, f, start(f) or 0))]
    likely = {file.inode: file for group in sampled for file in group}
    found: dict[Inode, tuple[str, str | None]] = {}
    for done, (inode, file) in enumerate(likely.items(), 1):
        if is_cancelled():
            break
        # Read the file, because its bytes may differ from the lock file by now.
        with suppress(OSError):
            path = folder / file.file
            found[inode] = hash_of(path).sha256, None if start(file) is None else tensors_sha256(path)
        on_progress(done, len(likely))
    return found


def _versions(files: Iterable[DuplicateFile], other_half: Callable[[Ref], Ref | None]) -> Iterator[list[DuplicateFile]]:
    """Yield groups of versions. A file in a Hugging Face repo is a LoRA; a CivitAI LoRA has versions per base model."""

    def lora(file: DuplicateFile) -> tuple[Ref, str | None] | None:
        if file.entry is None or file.entry.ref.hub == "local":
            return None
        ref, is_repo = file.entry.ref, file.entry.ref.hub == "huggingface"
        return ref.at(None, ref.file if is_repo else None), file.entry.base_model

    for group in _groups(files, lora):
        refs = {file.entry.ref for file in group if file.entry}
        if len({ref.version for ref in refs}) > 1 and not any(other_half(ref) in refs for ref in refs):
            newest = {file.file: version_number(file.entry.ref) for file in group if file.entry}
            yield sorted(group, key=lambda file: newest[file.file], reverse=True)


def _groups(files: Iterable[DuplicateFile], key: Callable[[DuplicateFile], Hashable]) -> list[list[DuplicateFile]]:
    """Group files by key. Files are left out if their key is None or unique, or if they can't be read."""
    found: dict[Hashable, list[DuplicateFile]] = defaultdict(list)
    for file in files:
        with suppress(OSError):
            if (value := key(file)) is not None:
                found[value].append(file)
    return [group for group in found.values() if len(group) > 1]


def _tensors_start(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            return 8 + header_length(file.read(9))
    except (OSError, HubUiError):
        return None


def _sample(folder: Path, file: DuplicateFile, start: int = 0) -> bytes:
    """Hash a few samples after `start`. Files with different samples need not be read completely."""
    step = max(1, (file.size - start) // _SAMPLES)
    digest = hashlib.sha256()
    with (folder / file.file).open("rb") as data:
        for place in range(start, file.size, step):
            data.seek(place)
            digest.update(data.read(_SAMPLE_BYTES))
    return digest.digest()
