"""Two things timed in turn, and what is printed of it: always a ratio, both sides measured in the same run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median


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
        return _time(value) if self.unit == "s" else f"{value:.3g} {self.unit}"


def interleaved(ours: Callable[[], float], other: Callable[[], float], *, runs: int) -> tuple[float, float]:
    """Medians of seconds, taken in turn so that a busy moment of the machine hits both sides."""
    pairs = [(ours(), other()) for _ in range(runs)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def report(figures: Iterable[Figure]) -> int:
    """Prints each as soon as it is measured; the exit code tells whether all are good."""
    all_good = True
    for figure in figures:
        print(figure, flush=True)
        all_good &= figure.good
    return 0 if all_good else 1


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
