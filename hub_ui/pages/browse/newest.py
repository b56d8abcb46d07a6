"""The newest results of a page, for all of its events: Gradio's State has only those that were sent."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

from connectors.query import Query
from hub_ui.pages.browse.results import Results
from hub_ui.pages.view import View


class Newest:
    """Those of one page, as the value of a State that is no output: freed with the page. Thread-safe."""

    def __init__(self) -> None:
        self._results: Results | None = None
        self._asked: tuple[Query, int] | None = None
        self._lock = threading.Lock()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Gradio copies a State's first value for each page."""
        return type(self)()

    @property
    def results(self) -> Results | None:
        with self._lock:
            return self._results

    def is_asked(self, view: View) -> bool:
        """Whether the view asks for another list than the one before, or for that list once more."""
        with self._lock:
            before, self._asked = self._asked, (view.query, view.visit)
            return before != self._asked

    def put(self, results: Results) -> None:
        """Unless those of a later turn are there."""
        with self._lock:
            if self._results is None or results.turn >= self._results.turn:
                self._results = results

    def replace(self, before: Results, now: Results | None) -> bool:
        """Whether `before` still were the newest."""
        with self._lock:
            is_newest = self._results is before
            if is_newest:
                self._results = now
            return is_newest

    def paint(self, paint: Callable[[Results], Any]) -> Iterator[Any]:
        """Updates of the page, until what was sent last is the newest: of two events, the older one may send last."""
        painted = None
        while (now := self.results) is not None and now is not painted and not now.is_held:
            painted = now
            yield paint(now)
