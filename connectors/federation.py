"""Searches all hubs at once and yields each page as it arrives. One hub's failure costs its own results only."""

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
# For what is known of one LoRA, while a person waits for nothing else.
OPEN_SECONDS = 8.0
# Nobody sees the difference, and the list is painted once.
TOGETHER_SECONDS = 0.015
# A hub that lists many other things (Replicate) may have thousands of pages without a match.
MAX_BARREN_ROUNDS = 8
# CivitAI filters a page of hits afterwards, so pages may be empty without being the last.
MAX_EMPTY_PAGES = 5
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One hub's answer after `seconds`: exactly one of `page` and `error` is set."""

    hub: HubName
    seconds: float
    page: Page | None = None
    error: HubUiError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResults:
    """The LoRAs of every hub as it orders them, hub after hub, and the errors of hubs that failed."""

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
    """Yields one Answer for each hub, in order of arrival: those that come within `TOGETHER_SECONDS` of each other in
    one group. A group is empty `pause` seconds after the start and after the first answer, while a hub is silent.

    With `cursors`, only hubs that have one are asked for more. A hub that doesn't answer within `timeout` seconds
    yields a HubTimeout; its thread is left behind as a daemon.
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


def _start(work: Callable[[], object]) -> None:
    """In a thread of its own, and in this context, on which it depends whose keys count."""
    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()


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
    """What the hub answers, or its error. A bug in one connector must not cost the other hubs' results."""
    try:
        return ask()
    except HubUiError as error:
        return error
    except Exception as error:
        failure = HubUiError(f"{origin_label(hub)} answered in a way we can't read ({error!r}).", hub=hub)
        failure.__cause__ = error
        return failure


def get(connector: LoraSource, ref: Ref, timeout: float) -> Lora:
    """The LoRA as its hub has it now. Raises the hub's error, or HubTimeout after `timeout` seconds: the request goes
    on in a daemon thread, and whoever asks for the same meanwhile waits for it too (guard.SharedAnswers).
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
    """Reads pages until each hub has `query.limit` distinct LoRAs, ends, fails, or has no match for many pages."""
    found: dict[HubName, dict[Ref, Lora]] = {}
    barren: dict[HubName, int] = {}
    failures: list[HubUiError] = []
    cursors: dict[HubName, str] | None = None
    while cursors is None or cursors:
        seen, cursors = cursors, {}
        for answer in itertools.chain.from_iterable(search(connectors, query, cursors=seen)):
            on_answer(answer)
            if answer.error is not None:
                failures.append(answer.error)
            elif answer.page is not None:
                hub, page = answer.hub, answer.page
                known = found.setdefault(hub, {})
                before = len(known)
                for lora in page.loras:
                    known.setdefault(lora.ref, lora)
                barren[hub] = 0 if len(known) > before else barren.get(hub, 0) + 1
                if page.cursor and len(known) < query.limit and barren[hub] < MAX_BARREN_ROUNDS:
                    cursors[hub] = page.cursor
    loras = tuple(lora for _, known in sorted(found.items()) for lora in known.values())
    return SearchResults(loras=loras, failures=tuple(failures))
