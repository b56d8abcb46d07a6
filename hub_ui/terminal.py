"""What the command line prints: words for people or one JSON document, never a hub's control characters."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from connectors.errors import HubUiError

# Categories that move the cursor, reorder or hide text: control, format (bidi overrides, zero width), surrogate,
# private use, line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_WIDE = ("W", "F")
_BLANKS = str.maketrans({"\t": " ", "\n": " ", "\r": " ", "\u2028": " ", "\u2029": " "})


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """Data goes to `out`, everything else to `err`. With `json` the data is one document."""

    out: TextIO
    err: TextIO
    json: bool = False

    def document(self, value: Any) -> None:
        """ASCII JSON: whatever a hub wrote arrives whole and can't drive the terminal."""
        print(json.dumps(value, indent=2), file=self.out)

    def line(self, text: str = "") -> None:
        print(clean(text), file=self.out)

    def lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.line(line)

    def note(self, text: str) -> None:
        print(clean(text), file=self.err, flush=True)

    def rewrite(self, text: str) -> None:
        """A line of progress in place of the last one; "" clears it. Nothing where nobody is watching."""
        if self.err.isatty():
            print(f"\r\x1b[K{clean(text)}", end="", file=self.err, flush=True)

    def error(self, error: HubUiError) -> None:
        self.note(f"hub-ui: {error.message}")
        if self.json:
            self.document({"error": error.name, "message": error.message})


def clean(text: str) -> str:
    """One line without anything a terminal would obey or that changes the order of what is read."""
    return "".join(c for c in text.translate(_BLANKS) if unicodedata.category(c) not in _UNSAFE)


def table(rows: Sequence[Sequence[str]], *, widest: int = 48) -> list[str]:
    """Left-aligned columns, two spaces apart. A cell over `widest` columns is cut, but in the last column."""
    cells = [[*(cut(clean(cell), widest) for cell in row[:-1]), clean(row[-1])] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in cells]


def facts(pairs: Sequence[tuple[str, str | None]]) -> list[str]:
    """Name and value below each other; an unknown value is left out."""
    known = [(name, value) for name, value in pairs if value]
    longest = max((len(name) for name, _ in known), default=0)
    return [f"{name:<{longest}}  {clean(value)}" for name, value in known]


def width(text: str) -> int:
    """Terminal columns: East Asian wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text)


def cut(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def size(bytes_: int | None) -> str | None:
    """A file size as people read it."""
    if bytes_ is None:
        return None
    amount = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")
