"""The commands by topic: each is a class whose fields are options, and whose `run(terminal)` returns the exit code.

This module has their shared code: options, parsers of option values, questions and progress.
"""

# Don't postpone annotations: typer would evaluate the annotations of a base class in the subclass's module.

import os
import re
import shlex
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from typer.models import ArgumentInfo, OptionInfo

from connectors.errors import BadRef, HubUiError, NotFound, UsageError
from connectors.http import json_fields
from connectors.ref import Ref, is_bare
from hub_ui import settings
from hub_ui.base.format import size
from hub_ui.base.json_values import attributes
from hub_ui.commands.terminal import Terminal
from hub_ui.generate.request import Step
from hub_ui.library.download.partial_file import Progress
from hub_ui.library.file_names import DEFAULT
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.settings import Settings, user_path

N = TypeVar("N")
T = TypeVar("T")
_MEMORY = re.compile(r"(\d{1,4}(?:\.\d+)?)\s*(?:GB|GiB|G)?", re.IGNORECASE)
ProgressCallback = Callable[[Progress | Step], None]
_LARGEST_COUNT = 10_000


def argument(metavar: str, help: str) -> ArgumentInfo:
    info: ArgumentInfo = typer.Argument(metavar=metavar, help=help)
    return info


def option(
    metavar: str | None,
    help: str,
    parser: Callable[[str], Any] | None = None,
    panel: str | None = None,
    names: Sequence[str] = (),
) -> OptionInfo:
    """Return a typer option. Its name is the field's, unless `names` are given."""
    info: OptionInfo = typer.Option(*names, metavar=metavar, help=help, parser=parser, rich_help_panel=panel)
    return info


def flag(name: str, help: str, panel: str | None = None) -> OptionInfo:
    """Return a typer flag, without the --no-NAME that typer adds by default."""
    info: OptionInfo = typer.Option(name, help=help, rich_help_panel=panel)
    return info


Json = Annotated[bool, flag("--json", "Print one JSON document on standard output.")]
Names = Annotated[str | None, option("T", f"A template for file names. Default: HUB_UI_NAMES, else {DEFAULT}.")]


@dataclass(frozen=True, kw_only=True)
class JsonOption:
    """The option --json of every command that prints data. `main` reads --json before typer does."""

    json: Json = False


@dataclass(frozen=True, kw_only=True)
class LibraryOptions(JsonOption):
    library: Annotated[Path | None, option("DIR", "The folder of LoRA files.", user_path)] = None
    lock: Annotated[Path | None, option("FILE", "The lock file. Default: loras.lock in the library.", user_path)] = None

    def read_settings(self) -> Settings:
        """Return the settings with these options, also if the lock file is missing."""
        return settings.from_environment(os.environ, library=self.library, lock=self.lock)

    def settings(self) -> Settings:
        """Return the settings with these options. Raise NotFound if the lock file is missing."""
        chosen = self.read_settings()
        if not chosen.lock.exists():
            raise NotFound(f"There is no lock file {chosen.lock}. Pull something first, or name another with --lock.")
        return chosen

    def command(self, *words: str) -> str:
        """Return the shell command for `words` on the same library."""
        library = ["--library", str(self.library)] if self.library else []
        lock = ["--lock", str(self.lock)] if self.lock else []
        return shlex.join(["hub-ui", *words, *library, *lock])


def check_file(path: Path | None) -> None:
    """Raise UsageError if `path` is a folder."""
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder. Name the file itself.")


def read_lock(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a lock file, which may be named by its folder. Raise NotFound or LockError."""
    lock = path / "loras.lock" if path.is_dir() else path
    if not lock.exists():
        raise NotFound(f"There is no lock file {lock}. Check the name.")
    return Library(lock.parent, lock).entries()


def entry_json(library: Library, entry: Entry) -> dict[str, Any]:
    return {**attributes(entry, "ref", "title", "file"), "path": str(library.path(entry))}


def error_json(error: HubUiError | None) -> dict[str, Any]:
    return {} if error is None else {"error": error.name, "message": error.message}


def count_states(states: Iterable[str]) -> str:
    return ", ".join(f"{number:,} {state}" for state, number in Counter(states).items())


def try_each(names: Iterable[N], action: Callable[[N], T], terminal: Terminal) -> list[T | HubUiError]:
    """Run `action` for each name. Print each error and return it in place of the result, and continue."""
    results: list[T | HubUiError] = []
    for name in names:
        try:
            results.append(action(name))
        except HubUiError as error:
            terminal.note(error.message if str(name) in error.message else f"{name}: {error.message}")
            results.append(error)
    return results


def results_json(results: Sequence[T | HubUiError], to_json: Callable[[T], Any]) -> Any:
    """Return the JSON object of a single result, or a list for several."""
    items = [error_json(result) if isinstance(result, HubUiError) else to_json(result) for result in results]
    return items[0] if len(items) == 1 else items


def worst_exit_code(results: Iterable[object]) -> int:
    """Return the highest exit code of the errors, so that an integrity error takes precedence."""
    return max((result.exit_code for result in results if isinstance(result, HubUiError)), default=0)


class Size(NamedTuple):
    """An image size in pixels."""

    width: int
    height: int


class Weights(tuple[float, ...]):
    """The weights in one option. A class of its own, because typer treats a plain tuple as several values."""


def whole_number(least: int, most: int) -> Callable[[str | int], int]:
    def parse(text: str | int) -> int:
        text = str(text)
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise typer.BadParameter(f"{text[:40]!r} is no whole number from {least} to {most}")
        return int(text)

    return parse


def memory_size(text: str | int) -> int:
    """Return the bytes of a size such as "12GB". GPU memory is sold in GiB, so this is 12 * 2^30."""
    match = _MEMORY.fullmatch(str(text).strip())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter(f"{str(text)[:40]!r} is no size of memory, such as 12GB")
    return round(float(match[1]) * 2**30)


def number(text: str) -> float:
    value = json_fields.number(text)
    if value is None:
        raise typer.BadParameter(f"{text[:40]!r} is no number, such as 0.8")
    return value


def weights(text: str) -> Weights:
    try:
        return Weights(number(part) for part in text.split(","))
    except typer.BadParameter:
        raise typer.BadParameter(f"{text[:40]!r} are no weights, such as 0,0.5,1") from None


def image_size(text: str) -> Size:
    width, cross, height = text.lower().partition("x")
    if not cross:
        raise typer.BadParameter(f"{text[:40]!r} is no size, such as 1024x768")
    side = whole_number(16, 4096)
    return Size(side(width), side(height))


count = whole_number(1, 10_000)
port = whole_number(0, 65_535)


def parse_source(text: str, find: Callable[[str], Ref] = Ref.parse) -> Path | Ref | str:
    """Return an existing file, the ref that `find` returns, any other URL, or a file name, in this order.

    Raise BadRef if the text is none of these.
    """
    path = Path(text)
    if os.path.exists(text):
        _check_folder(text)
        return path
    try:
        return find(text)
    except (BadRef, NotFound):
        if text.lower().startswith(("http://", "https://")):
            return text
        if "://" not in text and (path.suffix or "/" in text or os.sep in text):
            return path
        raise


def parse_lora(text: str, find: Callable[[str], Ref]) -> Path | Ref:
    """Return an existing file, or the ref that `find` returns. Raise BadRef, UsageError or NotFound otherwise."""
    source = parse_source(text, find)
    if isinstance(source, str):
        raise BadRef(f"{text} is no address of a LoRA's page. Download the file, and name it here.")
    if isinstance(source, Path) and not source.is_file():
        if source.is_dir():
            raise UsageError(f"{text} is a folder. Name one of the .safetensors files in it.")
        raise NotFound(f"There is no file {text} here. Check the name, or give a web address or HUB:ID.")
    return source


def parse_ref(text: str, find: Callable[[str], Ref] = Ref.parse) -> Ref:
    """Return the ref that `find` returns. Raise BadRef for an existing path, even if a repo has the same name."""
    if not os.path.exists(text):
        return find(text)
    _check_folder(text)
    raise BadRef(
        f"{text} is on this computer, and a REF is wanted here. hub-ui inspect says what a file is, hub-ui try "
        "generates with it, and hub-ui import enters the files of a folder into the library."
    )


def _check_folder(text: str) -> None:
    if is_bare(text) and os.path.isdir(text):
        raise BadRef(
            f"{text} is a folder here. For the repo of that name on Hugging Face write huggingface:{text}; for a file "
            "in the folder name the file."
        )


def can_answer(terminal: Terminal) -> bool:
    """Check whether a person can answer questions. With --json this is False, because a program reads the output."""
    return not terminal.json and sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, terminal: Terminal) -> bool:
    terminal.clear_progress()
    print(f"{question} [y/N] ", end="", file=terminal.err, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm_payment(what: str, terminal: Terminal, *, yes: bool) -> None:
    """Ask before spending money. Raise UsageError unless the user agrees or has passed --yes."""
    if yes:
        return
    if not can_answer(terminal):
        raise UsageError(f"{what} costs money. Add --yes to start it without being asked.")
    if not confirm("Start it?", terminal):
        raise UsageError("Not started. Nothing was sent, and nothing is paid.")


def progress_callback(terminal: Terminal) -> ProgressCallback:
    return lambda now: terminal.progress(describe_progress(now), now.done / now.total if now.total else None)


def describe_progress(now: Progress | Step) -> str:
    if isinstance(now, Progress):
        total = f" of {size(now.total, precise=True)}" if now.total else ""
        return f"Downloading: {size(now.done, precise=True)}{total}"
    if not now.total:
        return f"{now.stage}…"
    # A large total is a number of bytes, so show a percentage.
    if now.total > _LARGEST_COUNT:
        return f"{now.stage}: {now.done * 100 // now.total} %"
    return f"{now.stage}: {now.done} of {now.total}"


@contextmanager
def watch_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield `is_cancelled` for other threads, which Ctrl-C does not interrupt. The main thread is interrupted."""
    pressed = threading.Event()

    def interrupt(signum: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    previous = signal.getsignal(signal.SIGINT)
    # Keep the handler if the program ignores SIGINT or has a handler of its own.
    if previous is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
