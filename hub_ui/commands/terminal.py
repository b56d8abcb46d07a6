"""The output of the command line: text for people, or one JSON document.

A hub's control characters and markup are never printed.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from connectors.errors import HubUiError
from hub_ui.base.format import clean
from hub_ui.base.json_values import plain

# Don't limit the width of tables: a terminal wraps long lines, and a program needs whole lines.
_UNLIMITED = 100_000


class Terminal:
    """The two output streams: data is written to `out`, and all other text to `err`.

    If `json` is set, the data is one document, also for an error. A stream gets plain text unless it is a terminal.
    """

    def __init__(self, *, out: TextIO, err: TextIO, json: bool = False) -> None:
        self.out = out
        self.err = err
        self.json = json
        self._progress: Progress | None = None

    def show(self, document: Any, text: Callable[[], None]) -> None:
        """Print the results of a command: `document` with --json, otherwise call `text`, which prints them."""
        if self.json:
            self.document(document)
        else:
            text()

    def document(self, value: Any) -> None:
        """Print ASCII JSON, which keeps a hub's text unchanged without sending control characters to the terminal."""
        self.clear_progress()
        print(json.dumps(plain(value), indent=2), file=self.out)

    def line(self, text: str = "") -> None:
        self.clear_progress()
        print(clean(text), file=self.out)

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.line(line)

    def facts(self, pairs: Sequence[tuple[str, str | None]]) -> None:
        """Print names and values in two columns. Leave out empty values."""
        shown = [(name, value) for name, value in pairs if value]
        width = max((len(name) for name, _ in shown), default=0)
        self.lines(f"{name:<{width}}  {value}" for name, value in shown)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, max_width: int = 48) -> None:
        """Print a table, or nothing if it has no rows. All columns but the last are cut at `max_width` characters."""
        if not rows:
            return
        grid = Table.grid(padding=(0, 2), pad_edge=False)
        for _ in header[:-1]:
            grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max_width)
        grid.add_column(no_wrap=True)
        # Pass Text objects, because rich interprets markup in plain strings.
        grid.add_row(*(Text.assemble((title, "bold")) for title in header))
        for row in rows:
            grid.add_row(*(Text(clean(cell)) for cell in row))
        console = Console(file=self.out, force_terminal=self.out.isatty(), width=_UNLIMITED)
        with console.capture() as captured:
            console.print(grid)
        self.clear_progress()
        for line in captured.get().splitlines():
            print(line.rstrip(), file=self.out)

    def note(self, text: str) -> None:
        self.clear_progress()
        print(clean(text), file=self.err, flush=True)

    def error(self, error: HubUiError) -> None:
        self.note(f"hub-ui: {error.message}")
        if self.json:
            self.document({"error": error.name, "message": error.message})

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Redraw the progress line, with a bar if `fraction` is known. Do nothing unless `err` is a terminal."""
        if not self.err.isatty():
            return
        if self._progress is None:
            column = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
            self._progress = Progress(
                column,
                BarColumn(bar_width=20),
                console=Console(file=self.err, force_terminal=True),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._progress.add_task("", total=1)
        self._progress.update(self._progress.task_ids[0], description=clean(text), completed=fraction or 0)
        self._progress.start()
        self._progress.refresh()

    def clear_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
