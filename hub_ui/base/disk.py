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
    """Read once, for as long as the file stays the same. Raises OSError for one that can't be read."""
    return _sha256(path, stamp(path))


@lru_cache(maxsize=1_000)
def _sha256(path: Path, _stamp: object) -> str:
    return hash_of(path).sha256


def holds_bytes(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_of(path).sha256 == sha256.lower()


def visible_files(folder: Path) -> Iterator[Path]:
    """Everything below it that is no folder, without what is hidden."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def link(source: Path, target: Path) -> bool:
    """A hard link; False where the file system has none."""
    try:
        os.link(source.resolve(), target)
    # Another file system, one without hard links, or too many of them.
    except OSError:
        return False
    return True


def link_or_copy(source: Path, target: Path) -> None:
    if not link(source, target):
        shutil.copyfile(source, target)


def write_all(file: BinaryIO, data: bytes) -> None:
    """An unbuffered write may write only some of the bytes, as on a disk that is almost full."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def move(source: Path, target: Path) -> None:
    """A rename that survives a power cut."""
    os.replace(source, target)
    sync_folders([target.parent])


def sync_folders(folders: Iterable[Path]) -> None:
    """Renames in these folders survive a power cut from now on."""
    # Windows can't open folders, and needs no fsync of them.
    for path in folders if os.name == "posix" else ():
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace_file(path: Path, data: bytes) -> None:
    """Writes all of a file or nothing, also through a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, path.with_name(path.name + ".new")) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, new: Path) -> Iterator[BinaryIO]:
    """The same for what is written in parts, as `new` at first."""
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        move(new, path)
    finally:
        new.unlink(missing_ok=True)


def drop_empty(folder: Path, top: Path) -> None:
    """Removes `folder` and its parents below `top` as far as they are empty."""
    while folder != top and folder.is_relative_to(top):
        try:
            folder.rmdir()
        # Not empty, or gone already.
        except OSError:
            return
        folder = folder.parent


def leads_inside(path: str) -> bool:
    """Whether a relative path, which may come from anyone, stays below its folder on every system."""
    parts = path.split("/")
    return "\\" not in path and ":" not in path and all(part not in ("", ".", "..") for part in parts)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced or written; None without a file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def check_space(folder: Path, size: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if size is not None and size + _SPARE_BYTES > free:
        takes, spare, there = (size_text(number, precise=True) for number in (size, _SPARE_BYTES, free))
        raise HubUiError(
            f"The file takes {takes}, and {spare} should stay free where the library is, but only {there} are free "
            "there. Make room, or choose another folder with --library."
        )


@contextmanager
def disk_errors_as_messages(out: Path | None = None) -> Iterator[None]:
    """`out` is the folder that is written to, where that is not the library."""
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
    """Shows it in the file manager, where there is a screen."""
    if sys.platform in ("darwin", "win32") or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        typer.launch(str(path), locate=True)
