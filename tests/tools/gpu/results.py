"""What the sections find, the time that they may take, and the table in docs/gpu.md."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

Verdict = Literal["good", "bad", "figure", "left out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """`figure` is for display. A "figure" has no aim."""

    what: str
    figure: str
    verdict: Verdict = "figure"

    @property
    def good(self) -> bool:
        return self.verdict != "bad"

    def __str__(self) -> str:
        return f"{self.what}: {self.figure}" + {"bad": "   WRONG", "left out": "   (left out)"}.get(self.verdict, "")


def judged(what: str, figure: str, *, good: bool) -> Line:
    return Line(what=what, figure=figure, verdict="good" if good else "bad")


def left_out(what: str, reason: str) -> Line:
    return Line(what=what, figure=reason, verdict="left out")


@dataclass(kw_only=True, slots=True)
class Budget:
    """Seconds that a section may take. It asks before each piece of work, and says what there was no time for."""

    seconds: float
    _start: float = field(default_factory=time.monotonic)

    def is_spent(self) -> bool:
        return time.monotonic() - self._start >= self.seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    title: str
    seconds: float
    lines: tuple[Line, ...]


def failures(sections: Sequence[Section]) -> list[Line]:
    return [line for section in sections for line in section.lines if not line.good]


def table(sections: Sequence[Section], *, device: str, versions: str) -> str:
    """Markdown: one table, a row for each line."""
    return "\n".join(_rows(sections, device, versions))


def _rows(sections: Sequence[Section], device: str, versions: str) -> Iterator[str]:
    yield f"On {device} ({versions}), {sum(section.seconds for section in sections):.0f} seconds in all:"
    yield ""
    yield "| | | |"
    yield "| --- | --- | --- |"
    shown = {"good": "good", "bad": "**wrong**", "figure": "", "left out": "left out"}
    for section in sections:
        yield f"| **{section.title}** | {section.seconds:.0f} s | |"
        for line in section.lines:
            yield f"| {_cell(line.what)} | {_cell(line.figure)} | {shown[line.verdict]} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_between_markers(page: Path, text: str) -> None:
    """Replaces what stands between the markers of a page."""
    document = page.read_text(encoding="utf-8")
    before, begin, rest = document.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
