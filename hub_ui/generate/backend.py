"""Where comparisons are generated: one interface for this process, other computers and Replicate.

A backend that runs elsewhere sends events there and back: steps, and at last the result or one of our errors.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from connectors.errors import HubUiError, PreviewError
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationRequest, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.i18n import _, use_language
from hub_ui.locales import get_language


class HasSentence(Protocol):
    """An estimate: how long it takes, or what it costs."""

    @property
    def sentence(self) -> str: ...


class Backend(Protocol):
    """Generates comparisons. Its callers are threads, several at once."""

    @property
    def loaded_base(self) -> PipelineSpec | None:
        """The base that is ready, where there is one for all requests."""

    def prepare(self) -> None:
        """What can be done before the first request, when the page starts."""

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        """The images of all cells. Raises GenerationCancelled soon after `callbacks` say so."""

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> HasSentence:
        """Without generating anything."""

    def close(self) -> None:
        """Frees what it holds."""


class DeferredBackend:
    """A backend that is built with its first use: what it imports takes long, and most commands need none of it."""

    def __init__(self, build: Callable[[], Backend]) -> None:
        self._build = build
        self._built: Backend | None = None
        self._lock = threading.Lock()

    @property
    def backend(self) -> Backend:
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built

    @property
    def loaded_base(self) -> PipelineSpec | None:
        return None if self._built is None else self._built.loaded_base

    @property
    def is_built(self) -> bool:
        """Whether what it imports is here."""
        return self._built is not None

    def prepare(self) -> None:
        self.backend.prepare()

    def generate(
        self, request: GenerationRequest, comparison: Comparison, callbacks: Callbacks = NO_CALLBACKS
    ) -> GenerationResult:
        return self.backend.generate(request, comparison, callbacks)

    def estimate(self, request: GenerationRequest, comparison: Comparison) -> HasSentence:
        return self.backend.estimate(request, comparison)

    def close(self) -> None:
        if self._built is not None:
            self._built.close()


# What a backend elsewhere sends back. All of it can be pickled.
Event: TypeAlias = Step | GenerationResult | HubUiError


class EventStream:
    """A generation in a thread of its own, as a stream of events."""

    def __init__(
        self, backend: Backend, request: GenerationRequest, comparison: Comparison, *, language: str = "en"
    ) -> None:
        """`language` is the code of who reads the steps and notes."""
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._cancelled = threading.Event()

        def work() -> None:
            try:
                with use_language(get_language(language)):
                    callbacks = Callbacks(on_progress=self._events.put, is_cancelled=self._cancelled.is_set)
                    self._events.put(backend.generate(request, comparison, callbacks))
            except HubUiError as error:
                self._events.put(error)

        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(work)
        self._future.add_done_callback(lambda _done: self._events.put(None))

    def next(self) -> Event | None:
        """Waits for the next event; None after the last. What nobody foresaw is raised."""
        event = self._events.get()
        if event is None:
            self._future.result()
        return event

    def close(self, *, wait: bool) -> None:
        """Cancels what still runs, which ends at its next step."""
        self._cancelled.set()
        self._pool.shutdown(wait=wait)


def iterate_events(stream: EventStream) -> Iterator[Event]:
    """To the end. Closing the iterator cancels the generation, and waits until it has stopped."""
    try:
        while (event := stream.next()) is not None:
            yield event
    finally:
        stream.close(wait=True)


def result_of(events: Iterable[Event], callbacks: Callbacks) -> GenerationResult:
    """Hands steps on until the result comes. Raises the error that comes instead."""
    for event in events:
        if isinstance(event, HubUiError):
            raise event
        if isinstance(event, GenerationResult):
            return event
        callbacks.on_progress(event)
        callbacks.raise_if_cancelled()
    raise PreviewError(_("The generation ended without an image. Try again."))
