"""Installs axe-core for the browser tests with npm, and runs it. `python -m tests.browser.axe` prints where it is."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

HERE = Path(__file__).parent
SCRIPT = HERE / "node_modules" / "axe-core" / "axe.min.js"
INSTALL = ("install", "--prefix", str(HERE), "--no-package-lock", "--no-audit", "--no-fund", "--loglevel", "error")
RUN = "async (options) => (await axe.run(document, {resultTypes: ['violations'], ...options})).violations"
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


class NoAxe(Exception):
    """axe-core is not installed, and can't be."""


def install() -> Path:
    """Where axe-core's script lies. npm runs again when package.json is newer. Raises NoAxe."""
    wanted = HERE / "package.json"
    if SCRIPT.exists() and SCRIPT.parent.parent.stat().st_mtime >= wanted.stat().st_mtime:
        return SCRIPT
    npm = shutil.which("npm")
    if npm is None:
        raise NoAxe("The browser tests need npm, to install axe-core. Install Node.js 20 or newer, which has it.")
    done = subprocess.run([npm, *INSTALL], check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise NoAxe("npm could not install axe-core; its own words are above. Check the connection, then try again.")
    return SCRIPT


def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    """The violations of the page as it stands, grave or not: rule and element, one line each."""
    if not SCRIPT.exists():
        raise NoAxe("axe-core is not installed. Install it with: python -m tests.browser.axe (make test does it)")
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    results = page.evaluate(RUN, COLOURS if colours_only else {})
    return [line for found in results for line in _lines(found)]


def _lines(found: dict[str, Any]) -> list[str]:
    return [f"{found['id']}: {node['html'][:120]} ({_reason(node)})" for node in found["nodes"]]


def _reason(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))


def main() -> int:
    try:
        print(install())
    except NoAxe as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
