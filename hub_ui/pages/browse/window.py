"""Which of the loaded cards a page has in the browser: those around its screen. The list may have thousands."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import gradio as gr
from cachetools import LRUCache

from hub_ui.pages.events import MOST_PAGES

# Pages of cards at a time.
MOST_AT_ONCE = 5


@dataclass(frozen=True, kw_only=True)
class Window:
    """The pages of cards from `first` to `last`, and the card at `focused`, which may be on none of them."""

    first: int = 0
    last: int = 2
    focused: int = -1

    @classmethod
    def of(cls, act: Mapping[str, object]) -> Self | None:
        """As the script (grid.js) names it; None for anything else."""
        first, last, focused = (str(act.get(name, "")) for name in ("first", "last", "focused"))
        if not all(text.isascii() and text.isdigit() and len(text) < 9 for text in (first, last)):
            return None
        at = int(focused) if focused.isascii() and focused.isdigit() and len(focused) < 9 else -1
        return cls(first=int(first), last=min(int(last), int(first) + MOST_AT_ONCE - 1), focused=at)

    def places(self, page: int) -> range:
        """The places in the list, with so many cards a page."""
        return range(self.first * page, (self.last + 1) * page)


class Windows:
    """The window of each page that is open in a browser. Thread-safe."""

    def __init__(self) -> None:
        self._windows: LRUCache[str, Window] = LRUCache(MOST_PAGES)
        self._lock = threading.Lock()

    def get(self, request: gr.Request) -> Window:
        with self._lock:
            return self._windows.get(request.session_hash or "", Window())

    def put(self, request: gr.Request, window: Window) -> None:
        with self._lock:
            self._windows[request.session_hash or ""] = window
