"""Two things timed in turn, and what is printed of it: always a ratio, both sides measured in the same run."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

if sys.platform != "win32":
    import resource


class Judged(Protocol):
    """What a line of a report is."""

    @property
    def good(self) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Seconds (or `unit`s) of ours and of what it is held against; good while ours / other stays within `target`."""

    name: str
    ours: float
    other: float
    against: str
    target: float
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours / self.other

    @property
    def good(self) -> bool:
        return self.ratio <= self.target

    def __str__(self) -> str:
        verdict = "" if self.good else "   MISSED"
        ours, other = self._shown(self.ours), self._shown(self.other)
        return (
            f"{self.name}: {self.ratio:.2f} ({ours} against {other}, {self.against}; target {self.target:g}){verdict}"
        )

    def _shown(self, value: float) -> str:
        if self.unit != "s":
            return f"{value:.3g} {self.unit}"
        return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def limit(name: str, ours: float, most: float, unit: str = "s", against: str = "the limit") -> Figure:
    """Of what is held against nothing but the most that it may be."""
    return Figure(name=name, ours=ours, other=most, against=against, target=1, unit=unit)


def interleaved(ours: Callable[[], float], other: Callable[[], float], *, runs: int) -> tuple[float, float]:
    """Medians of seconds, taken in turn so that a busy moment of the machine hits both sides."""
    pairs = [(ours(), other()) for _ in range(runs)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def percentile(times: Sequence[float], percent: int) -> float:
    taken = sorted(times)
    return taken[min(len(taken) - 1, len(taken) * percent // 100)]


def report(figures: Iterable[Judged]) -> int:
    """Prints each as soon as it is measured; the exit code tells whether all are good."""
    all_good = True
    for figure in figures:
        print(figure, flush=True)
        all_good &= figure.good
    return 0 if all_good else 1


def peak_memory() -> int:
    """The most memory that this process ever had, in bytes; 0 where the system does not tell.

    Not getrusage on Linux, whose figure starts with what the parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    # In bytes on macOS, in kilobytes on the BSDs.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
