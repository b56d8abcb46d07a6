"""Files of the library that are there twice: the same bytes, the same weights with other metadata, older versions.

Nothing is deleted here, and nothing is called the same that was not compared in full: sizes and samples only choose
what is compared. A file without tensors has no weights that could be the same.
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

# "bytes": equal in every byte. "weights": equal tensors under another header. "versions": of one LoRA for one base.
DuplicateKind = Literal["bytes", "weights", "versions"]
_SAMPLES = 8
_SAMPLE_BYTES = 4096
Inode = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateFile:
    """`file` is a path below the library folder. `inode` is shared by hard links, which take room once."""

    file: str
    size: int
    inode: Inode
    entry: Entry | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """The one to keep stands first: one with an entry, of the newest version."""

    kind: DuplicateKind
    files: tuple[DuplicateFile, ...]

    @property
    def gain(self) -> int:
        """The bytes that are free once all but the first are removed. Hard links gain nothing."""
        sizes = {file.inode: file.size for file in self.files[1:] if file.inode != self.files[0].inode}
        return sum(sizes.values())


def find_duplicates(
    library: Library,
    other_half: Callable[[Ref], Ref | None],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Duplicates, ...]:
    """The largest gain first. `other_half` names the file that belongs to one of a pair; those are no versions.

    `on_progress` gets how many files of how many have been compared.
    """
    files = _files(library)
    hashes = _hashes(library.folder, files, on_progress, is_cancelled)
    of_bytes = _groups(files, lambda file: hashes.get(file.inode, (None, None))[0])
    # Of equal files, one is enough to compare with the others.
    spare = {file.file for group in of_bytes for file in group[1:]}
    rest = (file for file in files if file.file not in spare)
    of_weights = _groups(rest, lambda file: hashes.get(file.inode, (None, None))[1])
    groups = [("bytes", group) for group in of_bytes]
    groups += [("weights", group) for group in of_weights]
    groups += [("versions", group) for group in _versions(files, other_half)]
    found = (Duplicates(kind=kind, files=tuple(group)) for kind, group in groups)  # type: ignore[arg-type]
    return tuple(sorted(found, key=lambda one: (-one.gain, one.kind, one.files[0].file)))


def _files(library: Library) -> list[DuplicateFile]:
    """Weight files in the folder, those with an entry first."""
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
    """The SHA-256 of each file that may be like another one, and of its tensors; None where it has none."""
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
        # The lock file may name other bytes than those that are there by now, so the file is read.
        with suppress(OSError):
            path = folder / file.file
            found[inode] = hash_of(path).sha256, None if start(file) is None else tensors_sha256(path)
        on_progress(done, len(likely))
    return found


def _versions(files: Iterable[DuplicateFile], other_half: Callable[[Ref], Ref | None]) -> Iterator[list[DuplicateFile]]:
    """On Hugging Face each file of a repo is a LoRA of its own; CivitAI has a version for each base model."""

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
    """Those that share a key with another one. None is a key of nobody, nor has a file one that can't be read."""
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
    """A digest of a few places after `start`: files that differ here need not be read in full."""
    step = max(1, (file.size - start) // _SAMPLES)
    digest = hashlib.sha256()
    with (folder / file.file).open("rb") as data:
        for place in range(start, file.size, step):
            data.seek(place)
            digest.update(data.read(_SAMPLE_BYTES))
    return digest.digest()
