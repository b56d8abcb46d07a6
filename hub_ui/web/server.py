"""The server of the page, which starts on a slow computer too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gradio import http_server
from gradio.exceptions import ServerFailedToStartError

MOST_SECONDS = 120.0


class PatientServer(http_server.Server):
    """Gradio (6.31) takes a port for another program's if its server does not run on it after five seconds."""

    def run_in_thread(self) -> None:
        """Raises ServerFailedToStartError where the port is not free."""
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            until = time.monotonic() + MOST_SECONDS
            while not self.started:
                # The thread ends at once if the port is another program's.
                if not self.thread.is_alive() or time.monotonic() > until:
                    self.should_exit = True
                    raise
                time.sleep(0.01)


@contextmanager
def patient_launch() -> Iterator[None]:
    """What is launched within has a PatientServer."""
    names, usual = vars(http_server), http_server.Server
    names["Server"] = PatientServer
    try:
        yield
    finally:
        names["Server"] = usual
