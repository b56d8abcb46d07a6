"""The server of the page: it starts on a slow computer too, and lets no other site's page read its answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradio import http_server
from gradio.exceptions import ServerFailedToStartError
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette
from uvicorn import Config

MOST_SECONDS = 120.0


class PatientServer(http_server.Server):
    """Gradio (6.31) takes a port for another program's if its server does not run on it after five seconds.

    It would also let every site read what a page on the internet answers, with the visitor's cookies (CORS).
    """

    def __init__(self, config: Config, **more: Any) -> None:
        app = config.app
        if isinstance(app, Starlette):
            app.user_middleware = [each for each in app.user_middleware if each.cls != CustomCORSMiddleware]
        super().__init__(config, **more)

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
