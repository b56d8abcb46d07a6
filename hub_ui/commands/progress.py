"""How far a download or a picture is: one line that rewrites itself while a person is watching."""

from __future__ import annotations

from collections.abc import Callable

from hub_ui.library.progress import Progress
from hub_ui.preview.job import Step
from hub_ui.terminal import Terminal, size


def progress(terminal: Terminal) -> Callable[[Progress | Step], None]:
    def report(now: Progress | Step) -> None:
        terminal.rewrite(words(now))

    return report


def words(now: Progress | Step) -> str:
    if isinstance(now, Progress):
        total = f" of {size(now.total)}" if now.total else ""
        return f"Downloading: {size(now.done)}{total}"
    return f"{now.stage}: {now.done} of {now.total}" if now.total else f"{now.stage}…"
