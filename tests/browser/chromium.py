"""Finds a Chromium for the browser tests, or installs one. `python -m tests.browser.chromium` prints its path.

In this order: HUB_UI_CHROMIUM; Playwright's own, once it is there; the system's; Playwright's, downloaded now;
the package manager's. A browser counts only if it starts: a download can miss its libraries, and some systems have a
script in its place that asks for another package.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
SECONDS = 600
_APT = [*([] if os.name == "nt" or os.geteuid() == 0 else ["sudo", "-n"]), "env", "DEBIAN_FRONTEND=noninteractive"]
_APT += ["apt-get", "--yes", "--quiet"]
# What is run where no browser starts, one after the other.
INSTALL = (
    ([sys.executable, "-m", "playwright", "install", "chromium"],),
    ([*_APT, "update"], [*_APT, "install", "--no-install-recommends", "chromium"]),
)


class NoChromium(Exception):
    """No browser here, and none could be installed."""


def chromium() -> Path:
    """An executable that starts; installed now where none is. To be called before a Playwright is started."""
    if named := os.environ.get("HUB_UI_CHROMIUM"):
        return Path(named)
    for commands in ((), *INSTALL):
        for command in commands:
            print("No Chromium starts here:", *command, file=sys.stderr)
            _ran(command, seconds=SECONDS)
        if found := next(filter(_starts, _present()), None):
            return found
    raise NoChromium("No Chromium here and none could be installed. Install one, or name it in HUB_UI_CHROMIUM.")


def _present() -> Iterator[Path]:
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    candidates = [own, *(Path(found) for name in NAMES if (found := shutil.which(name))), *map(Path, PLACES)]
    return (path for path in candidates if path.exists())


def _starts(path: Path) -> bool:
    if platform.system() == "Windows":
        return True  # chrome.exe opens a window instead of answering --version
    return _ran([str(path), "--version"], seconds=30)


def _ran(command: list[str], *, seconds: float) -> bool:
    """Whether the command ended well; its words go to stderr only if it did not."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return False
    if done.returncode:
        print(done.stdout[-2000:] + done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    print(chromium())
