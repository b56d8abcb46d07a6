"""A running demo and a watched browser page: any console error, page error or request off loopback fails the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright

from hub_ui.demo.hubs.folder import SAMPLES
from tests.browser.chromium import chromium
from tests.browser.journey import SCREEN, stop
from tests.browser.layout import COUNT_SHIFTS
from tests.hub_ui.web.raw import Visitor, served

LOOPBACK = ("127.0.0.1", "localhost", "")
# Milliseconds that a page may take on a machine that is busy with other work.
expect.set_options(timeout=30_000)


@dataclass
class Watch:
    """Everything a page did that it should not have."""

    faults: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """All of its pages, also those that they open."""
        context.on("page", self._listen)

    def _listen(self, page: Page) -> None:
        page.on("console", lambda m: self.faults.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self._check(request.url))

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in LOOPBACK:
            self.faults.append(f"request left this machine: {url}")


@pytest.fixture(autouse=True, scope="session")
def _patient_page() -> Iterator[None]:
    """On a busy machine the local hubs may take longer for a LoRA than a page waits for a hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub_ui.app.lookup.OPEN_SECONDS", 60.0)
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the demo on its own sample hubs."""
    with served(tmp_path_factory.mktemp("demo"), data=SAMPLES) as running:
        yield running.url


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A demo of this module alone, with the hubs and what stands behind the page."""
    with served(tmp_path_factory.mktemp("whole"), data=SAMPLES) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Visitor]:
    """One of this test alone, with a catalog that has seen nothing yet."""
    with served(tmp_path, data=SAMPLES) as running:
        yield running


# All names of .example are this computer: pages of other sites are there.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP *.example 127.0.0.1"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: while a Playwright runs, no other test can run an event loop of its own."""
    path: Path = chromium()
    with sync_playwright() as playwright:
        # With scrollbars, as on most desks: they take room from the page.
        launched = playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, ignore_default_args=["--hide-scrollbars"]
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a context of its own, with options of Playwright's."""
    with ExitStack() as closing:

        def opened(**options: Any) -> Page:
            context = browser.new_context(**options)
            closing.callback(context.close)
            return context.new_page()

        yield opened


@contextmanager
def watched(browser: Browser, script: str = "", **options: Any) -> Iterator[Page]:
    """A page in a context of its own, which does nothing that it should not do. `script` runs before all others."""
    watch = Watch()
    context = browser.new_context(**options)
    context.add_init_script(script or "0")
    watch.over(context)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert watch.faults == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with watched(browser, viewport=SCREEN) as opened:
        yield opened


@pytest.fixture
def journey(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that is held to all of journey.py, wherever it goes. Its parameter is another size of the window."""
    size = getattr(request, "param", SCREEN)
    # Without motion: a colour half faded in has no contrast.
    with watched(browser, COUNT_SHIFTS, viewport=size, reduced_motion="reduce") as opened:
        yield opened
        stop(opened)
