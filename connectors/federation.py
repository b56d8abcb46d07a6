"""A search of all hubs in parallel that yields each page on arrival. A failing hub costs only its own results."""

import contextvars
import functools
import itertools
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from connectors.connector import Connector, LoraSource
from connectors.errors import HubTimeout, HubUiError
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Origin, Ref
from connectors.registry import origin_label

TIMEOUT_SECONDS = 20.0
# The timeout for opening one LoRA, while a person waits for nothing but its page.
OPEN_SECONDS = 8.0
# Pages that arrive within this time are yielded as one group, so that the list is drawn once. The delay is invisible.
TOGETHER_SECONDS = 0.015
# Rounds without a new LoRA, because a hub that lists many other models (Replicate) may have thousands of such pages.
MAX_BARREN_ROUNDS = 8
# CivitAI filters after paging, so an empty page may be followed by others.
MAX_EMPTY_PAGES = 5
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A hub's response after `seconds`: exactly one of `page` and `error` is set."""

    hub: HubName
    seconds: float
    page: Page | None = None
    error: HubUiError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResults:
    """The LoRAs of all hubs, hub after hub in each hub's order, and the errors of hubs that failed."""

    loras: tuple[Lora, ...] = ()
    failures: tuple[HubUiError, ...] = ()


def search(
    connectors: Sequence[Connector],
    query: Query,
    *,
    pause: float = TIMEOUT_SECONDS,
    cursors: Mapping[HubName, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[tuple[Answer, ...]]:
    """Yield one Answer for each hub, in order of arrival, in groups that arrive within `TOGETHER_SECONDS`.

    While a hub has not responded, an empty group is yielded `pause` seconds after the start and `pause` seconds after
    the first response. With `cursors`, only hubs that have a cursor are queried, each for its next page. A hub that
    doesn't respond within `timeout` seconds yields a HubTimeout; its daemon thread is left running.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    start = time.monotonic()
    end, pause_end = start + timeout, start + pause
    silent: list[HubName] = []
    for connector in connectors:
        if not query.may_ask(connector.name) or (cursors is not None and connector.name not in cursors):
            continue
        silent.append(connector.name)
        cursor = cursors[connector.name] if cursors else None
        _start(functools.partial(_ask, connector, query, cursor, start, answers))
    is_first = True
    while silent:
        group = tuple(_group(answers, len(silent), max(0.0, min(end, pause_end) - time.monotonic())))
        for answer in group:
            silent.remove(answer.hub)
        if not group:
            if pause_end >= end:
                break
            pause_end = math.inf
        elif is_first:
            is_first, pause_end = False, time.monotonic() + pause
        yield group
    for hub in silent:
        message = f"{origin_label(hub)} has not answered for {timeout:.0f} s. Its results are left out."
        yield (Answer(hub=hub, seconds=timeout, error=HubTimeout(message, hub=hub)),)


def _start(function: Callable[[], object]) -> None:
    """Run `function` in a daemon thread with a copy of this context, which decides whose keys are used."""
    threading.Thread(target=contextvars.copy_context().run, args=(function,), daemon=True).start()


def _group(answers: queue.SimpleQueue[Answer], most: int, timeout: float) -> Iterator[Answer]:
    for _ in range(most):
        try:
            yield answers.get(timeout=timeout)
        except queue.Empty:
            return
        timeout = TOGETHER_SECONDS


def _ask(
    connector: Connector, query: Query, cursor: str | None, start: float, answers: queue.SimpleQueue[Answer]
) -> None:
    def read() -> Page:
        page = connector.search(query, cursor)
        for _ in range(MAX_EMPTY_PAGES):
            if page.loras or page.cursor is None:
                break
            page = connector.search(query, page.cursor)
        return page

    outcome = _outcome(connector.name, read)
    error, page = (outcome, None) if isinstance(outcome, HubUiError) else (None, outcome)
    answers.put(Answer(hub=connector.name, seconds=time.monotonic() - start, page=page, error=error))


def _outcome(hub: Origin, ask: Callable[[], _T]) -> _T | HubUiError:
    """Return the result of `ask`, or its error. A bug in one connector must not cost the other hubs' results."""
    try:
        return ask()
    except HubUiError as error:
        return error
    except Exception as error:
        failure = HubUiError(f"{origin_label(hub)} answered in a way we can't read ({error!r}).", hub=hub)
        failure.__cause__ = error
        return failure


def get(connector: LoraSource, ref: Ref, timeout: float) -> Lora:
    """Fetch the LoRA from its hub. Raises the hub's error, or HubTimeout after `timeout` seconds.

    After a timeout, the request continues in a daemon thread, and later calls for the same LoRA wait for it too
    (guard.ResponseCache).
    """
    answers: queue.SimpleQueue[Lora | HubUiError] = queue.SimpleQueue()
    _start(lambda: answers.put(_outcome(ref.hub, lambda: connector.get(ref))))
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        message = f"{origin_label(ref.hub)} has not answered for {timeout:.0f} s. Try again in a minute."
        raise HubTimeout(message, hub=ref.hub) from None
    if isinstance(answer, HubUiError):
        raise answer
    return answer


def collect(
    connectors: Sequence[Connector], query: Query, *, on_answer: Callable[[Answer], object] = lambda answer: None
) -> SearchResults:
    """Read pages until each hub has `query.limit` distinct LoRAs, ends, fails, or has many pages without a match."""
    loras_by_hub: dict[HubName, dict[Ref, Lora]] = {}
    rounds_without_match: dict[HubName, int] = {}
    failures: list[HubUiError] = []
    cursors: dict[HubName, str] | None = None
    while cursors is None or cursors:
        previous, cursors = cursors, {}
        for answer in itertools.chain.from_iterable(search(connectors, query, cursors=previous)):
            on_answer(answer)
            if answer.error is not None:
                failures.append(answer.error)
            elif answer.page is not None:
                hub, page = answer.hub, answer.page
                loras_by_ref = loras_by_hub.setdefault(hub, {})
                before = len(loras_by_ref)
                for lora in page.loras:
                    loras_by_ref.setdefault(lora.ref, lora)
                rounds_without_match[hub] = 0 if len(loras_by_ref) > before else rounds_without_match.get(hub, 0) + 1
                if page.cursor and len(loras_by_ref) < query.limit and rounds_without_match[hub] < MAX_BARREN_ROUNDS:
                    cursors[hub] = page.cursor
    loras = tuple(lora for _, loras_by_ref in sorted(loras_by_hub.items()) for lora in loras_by_ref.values())
    return SearchResults(loras=loras, failures=tuple(failures))
