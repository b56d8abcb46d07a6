"""Questions that only a person at the keyboard can answer: money, and downloads of gigabytes."""

from __future__ import annotations

import sys

from connectors.errors import UsageError
from hub_ui.terminal import Terminal


def somebody_answers(terminal: Terminal) -> bool:
    """Whether a person sits there. With --json a program reads, and nobody else can agree to anything."""
    return not terminal.json and sys.stdin is not None and sys.stdin.isatty()


def agreed(question: str, terminal: Terminal) -> bool:
    print(f"{question} [y/N] ", end="", file=terminal.err, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def agree_to_pay(what: str, terminal: Terminal, *, yes: bool) -> None:
    """Money is spent on a person's word only: typed now, or given beforehand with --yes. Raises UsageError without."""
    if yes:
        return
    if not somebody_answers(terminal):
        raise UsageError(f"{what} costs money. Add --yes to start it without being asked.")
    if not agreed("Start it?", terminal):
        raise UsageError("Not started. Nothing was sent, and nothing is paid.")
