"""How far a download or a picture is: one line that rewrites itself while a person is watching."""

from __future__ import annotations

from collections.abc import Callable

from hub_ui.generate.request import Step
from hub_ui.library.download.progress import Progress
from hub_ui.terminal import Terminal, size

_MOST_COUNTED = 10_000


def progress(terminal: Terminal) -> Callable[[Progress | Step], None]:
    def report(now: Progress | Step) -> None:
        terminal.rewrite(words(now))

    return report


def words(now: Progress | Step) -> str:
    if isinstance(now, Progress):
        total = f" of {size(now.total)}" if now.total else ""
        return f"Downloading: {size(now.done)}{total}"
    if not now.total:
        return f"{now.stage}…"
    # Bytes, which nobody wants to read in full.
    if now.total > _MOST_COUNTED:
        return f"{now.stage}: {now.done * 100 // now.total} %"
    return f"{now.stage}: {now.done} of {now.total}"
