"""Graceful shutdown: reject new work, and give running work some time to finish."""

import threading
import time
from collections.abc import Callable

from connectors.errors import HubUiError
from hub_ui.base.i18n import N_, _

USUAL_SECONDS = 30.0
STOPPING = N_("hub-ui is being stopped here, so nothing new is begun. Try again in a minute.")
_POLL_SECONDS = 0.1


class Lifecycle:
    """The state of a shutdown. It is thread-safe."""

    def __init__(self, seconds: float = USUAL_SECONDS) -> None:
        """Create the state. `seconds` is the time that a stop waits for running work."""
        self._seconds = seconds
        self._until: float | None = None
        self._hurry = threading.Event()

    @property
    def is_stopping(self) -> bool:
        return self._until is not None

    def check(self) -> None:
        """Raise HubUiError if the process is stopping."""
        if self.is_stopping:
            raise HubUiError(_(STOPPING))

    def stop(self, hurry: threading.Event) -> None:
        """Start the shutdown. `wait_for` ends early when `hurry` is set."""
        self._hurry = hurry
        self._until = time.monotonic() + self._seconds

    def wait_for(self, is_done: Callable[[], bool]) -> bool:
        """Wait for running work until the shutdown's time is over, and return whether it is done.

        If the process is not stopping, return at once.
        """
        while not is_done():
            left = (self._until or 0.0) - time.monotonic()
            if left <= 0 or self._hurry.wait(min(left, _POLL_SECONDS)):
                return is_done()
        return True
