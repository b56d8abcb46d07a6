"""Shows a file in the file manager of the machine this runs on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def command(
    path: Path,
    environ: Mapping[str, str],
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> list[str] | None:
    """None where there is no file manager to be opened: no screen, or none that we know of."""
    if platform == "darwin":
        return ["open", "-R", str(path)]
    if platform == "win32":
        return ["explorer", f"/select,{path}"]
    opener = which("xdg-open")
    has_screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return [opener, str(path.parent)] if opener and has_screen else None


def reveal(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether a file manager was asked to show it."""
    wanted = command(path, environ)
    if wanted is None:
        return False
    try:
        subprocess.Popen(wanted, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return True
