"""What a run is made of: numbered cases, each the same every time, and what came of them."""

from __future__ import annotations

import itertools
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from connectors.errors import HubUiError
from connectors.http.json_fields import text
from tests.tools.benchmarks.figures import peak_memory
from tests.tools.fuzz import answers, headers

What = Literal["bombs", "headers", "answer bombs", "answers"]
MOST_MEMORY = 200 * 2**20
# Processor time, since others may use the machine too. The longest header takes a fifth of it.
MOST_SECONDS = 5.0


Case = headers.Damaged | answers.Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """`where` tells two faults apart; `data` is what was read."""

    number: int
    error: str
    where: str
    name: str
    data: bytes
    details: str


@dataclass(kw_only=True, slots=True)
class Tally:
    """`memory` is the most that a process ever had, in bytes; `slowest` the seconds of the slowest case."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    memory: int = 0
    slowest: float = 0.0

    def add(self, other: Tally) -> None:
        self.outcomes += other.outcomes
        self.faults += [fault for fault in other.faults if not self.knows(fault.where)]
        self.memory, self.slowest = max(self.memory, other.memory), max(self.slowest, other.slowest)

    def knows(self, where: str) -> bool:
        return any(fault.where == where for fault in self.faults)

    @property
    def good(self) -> bool:
        return not self.outcomes["FAULT"] and self.memory <= MOST_MEMORY


Make = Callable[[Random], Any]
Read = Callable[[Any], None]


@contextmanager
def kind(what: What) -> Iterator[tuple[Make, Read]]:
    """How a case comes from a Random, and how it is read."""
    if what == "bombs":
        bombs = itertools.cycle(headers.BOMBS)
        yield lambda draw: headers.whole(next(bombs)()), headers.outcome
        return
    if what == "headers":
        files = headers.seeds()
        yield lambda draw: headers.damaged_file(draw, files), headers.outcome
        return
    with answers.wired() as (wire, hubs):
        filled, healthy = answers.bombs(), answers.seeds()
        yield (
            lambda draw: next(filled) if what == "answer bombs" else answers.damaged_answer(draw, healthy),
            lambda case: answers.outcome(wire, hubs, case),
        )


def run(what: What, seed: int, numbers: range) -> Tally:
    """Reads the cases of these numbers, one after the other, in this process."""
    tally = Tally()
    with kind(what) as (make, read):
        for number in numbers:
            _count(tally, read, number, make(Random(f"{seed} {what} {number}")))
    tally.memory = peak_memory()
    return tally


def _count(tally: Tally, read: Read, number: int, case: Case) -> None:
    start = time.process_time()
    outcome = outcome_of(read, case)
    took = time.process_time() - start
    tally.slowest = max(tally.slowest, took)
    if took > MOST_SECONDS:
        outcome = TimeoutError(f"{took:.1f} seconds")
    tally.outcomes[outcome if isinstance(outcome, str) else "FAULT"] += 1
    if isinstance(outcome, Exception) and not tally.knows(where := place_of(outcome)):
        details = "".join(traceback.format_exception(outcome))
        tally.faults.append(
            Fault(
                number=number, error=repr(outcome)[:300], where=where, name=case.name, data=case.data, details=details
            )
        )


def outcome_of(read: Read, case: Case) -> str | Exception:
    """`record`, the name of one of our errors, or what should not have left."""
    try:
        read(case)
    except HubUiError as error:
        return error.name if _can_be_shown(error.message) else error
    except Exception as error:  # Whatever it is, it is what a run is looking for.
        return error
    return "record"


def _can_be_shown(message: str) -> bool:
    """On a page and in a terminal: one or two sentences without a letter that text can't hold or that moves others."""
    return len(message) < 1_000 and text(message) == message


def place_of(error: Exception) -> str:
    """What tells two faults apart: the kind of error, and the last line of ours that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "connectors" in Path(frame.filename).parts] or frames[-1:]
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "nowhere"
    return f"{type(error).__name__} at {place}"
