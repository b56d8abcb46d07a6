"""Files and folders: hashes, links, renames that survive a power cut, free space, and the file manager."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import typer

from connectors.errors import HubUiError
from hub_ui.base.format import size as size_text

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    size: int
    sha256: str


def hash_of(path: Path) -> Fetched:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Fetched(size=path.stat().st_size, sha256=digest.hexdigest())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, cached until the file changes. Raise OSError if it can't be read."""
    return _sha256(path, stamp(path))


@lru_cache(maxsize=1_000)
def _sha256(path: Path, _stamp: object) -> str:
    return hash_of(path).sha256


def holds_bytes(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_of(path).sha256 == sha256.lower()


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, except hidden files and the files in hidden folders."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def link(source: Path, target: Path) -> bool:
    """Create a hard link. Return False if the file system does not allow it."""
    try:
        os.link(source.resolve(), target)
    # The target is on another file system, hard links are not supported, or the file has too many of them.
    except OSError:
        return False
    return True


def link_or_copy(source: Path, target: Path) -> None:
    if not link(source, target):
        shutil.copyfile(source, target)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all bytes to an unbuffered file, whose `write` may write only a part, such as on an almost full disk."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def move(source: Path, target: Path) -> None:
    """Rename a file so that the rename survives a power cut."""
    os.replace(source, target)
    sync_folders([target.parent])


def sync_folders(folders: Iterable[Path]) -> None:
    """Flush folders to the disk, so that earlier renames in them survive a power cut."""
    # Windows can't open folders, and does not need to flush them.
    for path in folders if os.name == "posix" else ():
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file atomically, even if the power is cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, path.with_name(path.name + ".new")) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, new: Path) -> Iterator[BinaryIO]:
    """Replace a file atomically with the bytes that the block writes to the yielded file, first named `new`."""
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        move(new, path)
    finally:
        new.unlink(missing_ok=True)


def drop_empty(folder: Path, top: Path) -> None:
    """Remove `folder` if it is empty, and then its parents below `top` that became empty."""
    while folder != top and folder.is_relative_to(top):
        try:
            folder.rmdir()
        # The folder is not empty, or was deleted already.
        except OSError:
            return
        folder = folder.parent


def leads_inside(path: str) -> bool:
    """Return whether an untrusted relative path stays below its folder on all operating systems."""
    parts = path.split("/")
    return "\\" not in path and ":" not in path and all(part not in ("", ".", "..") for part in parts)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return a value that changes when the file is replaced or written, or None if the file is missing."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def check_space(folder: Path, size: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if size is not None and size + _SPARE_BYTES > free:
        needed, spare, left = (size_text(number, precise=True) for number in (size, _SPARE_BYTES, free))
        raise HubUiError(
            f"The file takes {needed}, and {spare} should stay free where the library is, but only {left} are free "
            "there. Make room, or choose another folder with --library."
        )


@contextmanager
def disk_errors_as_messages(out: Path | None = None) -> Iterator[None]:
    """Raise HubUiError in place of OSError. `out` is the folder that is written to, if it is not the library."""
    try:
        yield
    except OSError as error:
        raise disk_message(error, out) from error


def disk_message(error: OSError, out: Path | None = None) -> HubUiError:
    folder, option = (f"The folder {out}", "--out") if out else ("The library folder", "--library")
    if error.errno in FULL:
        again = "try again" if out else "pull again, which goes on with what came"
        return HubUiError(f"{folder} is on a full disk. Make room and {again}, or choose another folder with {option}.")
    where = f" ({error.filename})" if error.filename else ""
    advice = "Allow it" if error.errno in _READ_ONLY else "Check its permissions and the free space"
    return HubUiError(
        f"{folder} can't be written{where}: {error.strerror or error}. {advice}, or choose another folder with "
        f"{option}."
    )


def reveal(path: Path, environ: Mapping[str, str]) -> None:
    """Show a file in the file manager, if there is a screen."""
    if sys.platform in ("darwin", "win32") or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        typer.launch(str(path), locate=True)
