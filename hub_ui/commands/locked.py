"""What the commands on a library share: which one is meant, and what they say of its entries."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError, NotFound
from hub_ui import settings
from hub_ui.library.library import Library
from hub_ui.library.lockfile import Entry
from hub_ui.settings import Settings


def settings_of(args: argparse.Namespace) -> Settings:
    """Raises NotFound where there is no lock file to go by."""
    made = settings.from_environment(os.environ, library=args.library, lock=args.lock)
    check_lock(made.lock)
    return made


def library_of(args: argparse.Namespace) -> Library:
    made = settings_of(args)
    return Library(made.library, made.lock)


def check_lock(lock: Path) -> None:
    if not lock.exists():
        raise NotFound(f"There is no lock file {lock}. Pull something first, or name another with --lock.")


def named(library: Library, entry: Entry) -> dict[str, Any]:
    return {
        "ref": str(entry.ref),
        "title": entry.title,
        "file": entry.file,
        "path": str(library.path(entry)),
    }


def failure(error: HubUiError) -> dict[str, Any]:
    return {"error": error.name, "message": error.message}


def worst(errors: Iterable[HubUiError | None]) -> int:
    """The exit code for several: the highest, so wrong bytes lead."""
    return max((error.exit_code for error in errors if error is not None), default=0)


def some(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
