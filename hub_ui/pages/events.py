"""Between our code and Gradio: errors become messages, callbacks become updates of a page."""

import contextvars
import html
import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gradio as gr
from cachetools import LRUCache

from connectors.errors import HubUiError
from hub_ui.i18n import _
from hub_ui.policy import PAGES, REFUSALS, Action, Policy
from hub_ui.widgets.render import Renderer, widget

Result = TypeVar("Result")
# Options of every event on the page: no public endpoint, no overlay on the content.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Of events that change the view: each click counts, and one after the other, so that none works on an older view and
# takes back what the one before it did.
IN_ORDER: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_id": "view", "concurrency_limit": 1, **QUIET}

MOST_PAGES = 10_000


class Turns:
    """The current request of each page, the only one that may update it: Gradio's `cancels` (6.31) ends too much."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._now: LRUCache[str, int] = LRUCache(MOST_PAGES)
        self._lock = threading.Lock()

    def take(self, request: gr.Request) -> int:
        with self._lock:
            turn = next(self._numbers)
            self._now[request.session_hash or ""] = turn
        return turn

    def now(self, request: gr.Request) -> int:
        """The page's turn; 0 before its first."""
        with self._lock:
            return self._now.get(request.session_hash or "", 0)

    def is_at(self, request: gr.Request, turn: int) -> bool:
        return self.now(request) == turn


@dataclass(frozen=True, kw_only=True)
class Listener:
    update: Callable[..., Any]
    inputs: Sequence[gr.components.Component]
    outputs: Sequence[gr.components.Component]


class Listeners:
    """Updates of several pages after one change, as one event: each event takes a browser 20 ms (Gradio 6.31).

    An error of one ends all, so only one of them at a time may have work that fails.
    """

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(
        self,
        update: Callable[..., Any],
        inputs: Sequence[gr.components.Component],
        outputs: Sequence[gr.components.Component],
    ) -> None:
        """`update` takes the inputs, and returns the output, or all of them if there are several."""
        self._all.append(Listener(update=update, inputs=inputs, outputs=outputs))

    def connect(self, changed: Callable[..., Any]) -> None:
        """Makes the event of all listeners that were added so far."""

        def on_change(*values: Any) -> list[Any]:
            left, updates = iter(values), list[Any]()
            for each in self._all:
                update = each.update(*itertools.islice(left, len(each.inputs)))
                updates += update if len(each.outputs) > 1 else [update]
            return updates

        inputs = [one for each in self._all for one in each.inputs]
        outputs = [one for each in self._all for one in each.outputs]
        changed(on_change, inputs, outputs, **QUIET)


def while_current(steps: Iterable[Any], is_current: Callable[[], bool], nothing: Any) -> Iterator[Any]:
    """`steps` while they are current, then `nothing`: Gradio sends an event's last step once more when it ends."""
    for step in steps:
        if not is_current():
            break
        yield step
    yield nothing


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Shows our errors as Gradio's messages. Anything else is a bug and is raised."""
    try:
        yield
    except HubUiError as error:
        # Gradio shows the message as HTML, and it may contain text from files and hubs.
        raise gr.Error(html.escape(error.message, quote=False), duration=30, print_exception=False) from error


@dataclass(frozen=True, kw_only=True)
class Done(Generic[Result]):
    result: Result


@dataclass(frozen=True, kw_only=True)
class Failed:
    error: BaseException


def run_in_thread(
    work: Callable[[Callable[[Any], None], Callable[[], bool]], Result], *, beat: float | None = None
) -> Generator[Any, None, Result]:
    """Runs `work(on_progress, is_cancelled)` in a thread; yields its progress and returns its result.

    Closing the generator makes `is_cancelled()` true. With a `beat` in seconds, None is yielded after so long without
    progress; without it, a stop waits for the next step, and Gradio (6.31) drops a restart of the event meanwhile.
    """
    steps: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stop = threading.Event()
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(run_work, work, steps.put, stop.is_set), daemon=True).start()
    try:
        while True:
            try:
                step = steps.get(timeout=beat)
            except queue.Empty:
                step = None
            if isinstance(step, Done):
                return step.result  # type: ignore[no-any-return]
            if isinstance(step, Failed):
                raise step.error
            yield step
    finally:
        stop.set()


def run_work(work: Callable[..., Any], put: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> None:
    """Puts the work's progress, and at the end a Done or a Failed."""
    try:
        put(Done(result=work(put, is_cancelled)))
    # Raised again in the page's own thread, where it is shown or logged.
    except BaseException as error:
        put(Failed(error=error))


def build_closed_page(render: Renderer, action: Action) -> None:
    widget(lambda: render("hint", text=_(REFUSALS[action])), elem_id=f"closed-{PAGES[action]}")


def list_closed_pages(policy: Policy) -> tuple[str, ...]:
    return tuple(page for action, page in PAGES.items() if not policy.allows(action))
