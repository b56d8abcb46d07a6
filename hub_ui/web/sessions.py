"""Sessions of pages that were left: Gradio (6.31) keeps them, some 0.4 MB each, until there are ten thousand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from gradio.state_holder import StateHolder

# Of all pages, open ones among them: those that were used longest ago go first.
MOST = 1000
# A computer that slept finds its page as it was.
KEPT = timedelta(hours=1)
_BETWEEN = timedelta(minutes=1)


class Sessions:
    """Any thread may call `sweep`, as often as it likes."""

    def __init__(self, holder: Callable[[], StateHolder], clock: Callable[[], datetime] = datetime.now) -> None:
        """`holder` gives Gradio's own, which is there once the page is served."""
        self._holder = holder
        self._clock = clock
        self._swept = clock()
        self._lock = threading.Lock()

    def sweep(self) -> None:
        """Forgets the pages that were left, once a minute at most."""
        with self._lock:
            now = self._clock()
            if now - self._swept < _BETWEEN:
                return
            self._swept = now
        holder = self._holder()
        for session, state in list(holder.session_data.items()):
            if state.is_closed and now - holder.time_last_used.get(session, now) > KEPT:
                holder.delete_state(session)
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)
