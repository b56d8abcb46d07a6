"""Events of a page that reach the server late, as they do where the network is slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route

JOIN = "**/queue/join*"
TRIES = 300


@contextmanager
def all_held(page: Page, text: str = "") -> Iterator[None]:
    """What is asked within, with this text, comes to the server only afterwards."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if text in (route.request.post_data or "") else route.continue_()

    page.route(JOIN, hold)
    yield
    for each in held:
        each.continue_()
    page.unroute(JOIN)


@contextmanager
def first_held(page: Page, text: str) -> Iterator[None]:
    """The first event with this text comes to the server only afterwards, and the others at once."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held or text not in (route.request.post_data or ""):
            route.continue_()
        else:
            held.append(route)

    page.route(JOIN, hold)
    yield
    for _ in range(TRIES):
        if held:
            break
        page.wait_for_timeout(100)
    held[0].continue_()
    page.unroute(JOIN)
