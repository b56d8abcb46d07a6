"""`python -m tests.tools.accuracy`: what is read from each recorded header, against what it is; then what loading does.

Then how good the order of search results is, on judged queries (see relevance.py); with `search`, that alone.

The exit code is 1 if either is too little.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.corpus import HEADERS, RESPONSES
from tests.tools.accuracy import loading, relevance
from tests.tools.accuracy.relevance_corpus import loras
from tests.tools.accuracy.scoring import Score, cases, judge, share, shortfalls

_FIELDS = ("rank", "format", "algorithm")


def main() -> int:
    if sys.argv[1:] == ["search"]:
        missed = _order()
        print(*missed, sep="\n", end="\n" if missed else "")
        return 1 if missed else 0
    if not cases():
        print(f"There are no recorded headers at {HEADERS}, so nothing can be said.")
        return 1
    scores = [judge(path) for path in cases()]
    positives, negatives = [s for s in scores if s.positive], [s for s in scores if not s.positive]
    print(f"Recorded headers: {len(positives)} of LoRAs, {len(negatives)} of other files.", *_misses(scores), sep="\n")
    networks = loading.Networks()
    loads = [each for path in cases() if (each := loading.load_case(path, networks))]
    print("", *loading.table(loads), sep="\n")
    missed = [*shortfalls(scores), *loading.shortfalls(loads), *_order()]
    print(*missed, sep="\n", end="\n" if missed else "")
    return 1 if missed else 0


def _order() -> list[str]:
    """Prints how good the order of results is; returns what is too little."""
    found = loras()
    if not found:
        print(f"\nThere are no recorded answers at {RESPONSES}, so nothing is said about the order of results.")
        return []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        measured = relevance.measure(found, Path(folder))
        number, lost = relevance.lost(found, Path(folder))
    print("", *relevance.table(measured), f"Of {number} names with one typo, {len(lost)} find nothing.", sep="\n")
    return [*relevance.shortfalls(measured), *(f"Nothing is found for “{text}”." for text in lost)]


def _misses(scores: Sequence[Score]) -> list[str]:
    missed = [miss for each in scores for miss in each.misses]
    positives = [each for each in scores if each.positive]
    figures = ", ".join(f"{field} {share(positives, field):.1%}" for field in ("architecture", *_FIELDS))
    return [f"Right: {figures}.", f"{len(missed)} misses" + (":" if missed else "."), *missed]


if __name__ == "__main__":
    sys.exit(main())
