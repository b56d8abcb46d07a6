"""Graceful shutdown: nothing new is begun, and what runs gets some time to be done."""

import threading
import time
from collections.abc import Callable

from connectors.errors import HubUiError
from hub_ui.base.i18n import N_, _

USUAL_SECONDS = 30.0
STOPPING = N_("hub-ui is being stopped here, so nothing new is begun. Try again in a minute.")
_LOOK_SECONDS = 0.1


class Lifecycle:
    """Any thread may call any method."""

    def __init__(self, seconds: float = USUAL_SECONDS) -> None:
        """`seconds` is how long a stop waits for what runs."""
        self._seconds = seconds
        self._until: float | None = None
        self._hurry = threading.Event()

    @property
    def is_stopping(self) -> bool:
        return self._until is not None

    def check(self) -> None:
        """Raises HubUiError once the run is being stopped."""
        if self.is_stopping:
            raise HubUiError(_(STOPPING))

    def stop(self, hurry: threading.Event) -> None:
        """From now on nothing new is begun. Once `hurry` is set, nothing is waited for any more."""
        self._hurry = hurry
        self._until = time.monotonic() + self._seconds

    def wait_for(self, is_done: Callable[[], bool]) -> bool:
        """Whether it was done in the time that a stop takes. Without a stop, only whether it is."""
        while not is_done():
            left = (self._until or 0.0) - time.monotonic()
            if left <= 0 or self._hurry.wait(min(left, _LOOK_SECONDS)):
                return is_done()
        return True
