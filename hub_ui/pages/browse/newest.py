"""The newest results of a page, for all of its events: Gradio's State has only those that were sent."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

from connectors.query import Query
from hub_ui.pages.browse import results
from hub_ui.pages.browse.results import Results
from hub_ui.services import Services


class Newest:
    """Those of one page, as the value of a State that is no output: freed with the page. Thread-safe.

    With how often Enter was pressed in the search box, so that what was typed before it is known from what came after.
    """

    def __init__(self) -> None:
        self._results: Results | None = None
        self._enters = 0
        self._lock = threading.Lock()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Gradio copies a State's first value for each page."""
        return type(self)()

    @property
    def results(self) -> Results | None:
        with self._lock:
            return self._results

    def count_enter(self) -> None:
        with self._lock:
            self._enters += 1

    def is_entered(self, enters: str) -> bool:
        """Whether Enter was pressed since the page had counted so many."""
        with self._lock:
            return enters.isascii() and enters.isdigit() and len(enters) < 9 and int(enters) < self._enters

    def put(self, now: Results) -> None:
        """Unless those of a later turn are there."""
        with self._lock:
            if self._results is None or now.turn >= self._results.turn:
                self._results = now

    def replace(self, before: Results, now: Results | None) -> bool:
        """Whether `before` still were the newest."""
        with self._lock:
            is_newest = self._results is before
            if is_newest:
                self._results = now
            return is_newest

    def search(self, services: Services, query: Query, turn: int) -> Iterator[Results]:
        """The steps of a search, whose query is the newest from now on, not only from its first step on."""
        before, begun = self.results, results.begin(services, query, turn)
        self.put(begun)
        try:
            yield from results.search(services, query, turn)
        finally:
            # Where it ended before its first step.
            self.replace(begun, before)

    def paint(self, paint: Callable[[Results], Any]) -> Iterator[Any]:
        """Updates of the page, until what was sent last is the newest: of two events, the older one may send last."""
        painted = None
        while (now := self.results) is not None and now is not painted and not now.is_held:
            painted = now
            yield paint(now)
