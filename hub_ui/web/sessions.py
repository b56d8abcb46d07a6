"""Gradio's sessions, one for each open page: what they keep, and when they are forgotten."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta

from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder

# After the computer's sleep, pages are as they were.
KEPT = timedelta(hours=1)
_BETWEEN = timedelta(minutes=1)


class PlainSession(SessionState):
    """Without what Gradio (6.31) keeps for deep links, which no page here has: each component as it stands, a third of
    a megabyte that takes longer to make than the answer to a click.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values = {}
        self.state_data = {}
        self._state_ttl = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = int(KEPT.total_seconds())

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: object) -> None:
        pass


class PlainSessions(StateHolder):
    def __init__(self, blocks: Blocks) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.set_blocks(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        with self.lock:
            if session_id not in self.session_data:
                self.session_data[session_id] = PlainSession(self.blocks)
        return super().__getitem__(session_id)


class OpenStreams:
    """The sessions whose answers somebody reads just now. Any thread may ask, the server's own one changes them."""

    def __init__(self) -> None:
        self._open = Counter[str]()

    @contextmanager
    def reading(self, session: str) -> Iterator[None]:
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            if not self._open[session]:
                del self._open[session]

    def is_read(self, session: str) -> bool:
        return session in self._open


class Sessions:
    """Any thread may call `sweep` at any rate."""

    def __init__(self, holder: Callable[[], StateHolder], clock: Callable[[], datetime] = datetime.now) -> None:
        """`holder` returns Gradio's own, which exists once the page is served."""
        self._holder = holder
        self._clock = clock
        self._swept = clock()
        self._lock = threading.Lock()

    def sweep(self) -> None:
        """Forgets closed pages, at most once a minute."""
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
