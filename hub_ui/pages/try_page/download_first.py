"""LoRA files that are not here yet: the queue downloads them, and the generation waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.errors import HubUiError, UsageError
from connectors.ref import Ref
from hub_ui.library.download.progress import PullCancelled
from hub_ui.library.queue import Queue, Task
from hub_ui.pages.try_page.compatibility import choose_base
from hub_ui.pages.try_page.form import find_record
from hub_ui.services import Services
from hub_ui.widgets import drawer

LOOK_SECONDS = 0.4
# A hub that asks for more than this is not waited for with the page.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What a generation waits for, in a line for the page, and how far that is."""

    text: str
    fraction: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fetches:
    """Downloads that a generation waits for; `own` are those that it has put into the queue, and may pause."""

    tasks: tuple[Task, ...] = ()
    own: tuple[int, ...] = ()


def enqueue(services: Services, refs: Sequence[Ref]) -> Fetches:
    """Queues what is not here yet; it is downloaded whether the page stays open or not."""
    missing = [ref for ref in refs if services.held(ref) is None]
    under_way = {task.id for task in services.queue.tasks() if not task.rests}
    tasks = tuple(services.enqueue(ref) for ref in missing)
    return Fetches(tasks=tasks, own=tuple(task.id for task in tasks if task.id not in under_way))


def wait_for_downloads(
    queue: Queue, fetches: Fetches, on_progress: Callable[[Wait], None], is_cancelled: Callable[[], bool]
) -> None:
    """Returns once all of them are in the library. A cancelled wait leaves the downloads as they are."""
    for task in fetches.tasks:
        for wait in follow_download(queue, task):
            if is_cancelled():
                raise PullCancelled("Stopped. The download goes on.")
            on_progress(wait)


def follow_download(queue: Queue, task: Task) -> Iterator[Wait]:
    """Yields how far a download is, until it is done. Raises what keeps it from being done soon."""
    while (now := queue.wait(task.id, timeout=LOOK_SECONDS)).state != "done":
        at = time.time()
        if now.state == "paused":
            raise UsageError("The download is paused. Resume it under Downloads, then press the button again.")
        if now.state == "failed" and now.error is not None:
            raise HubUiError(now.error.message, hub=now.ref.hub)
        if now.not_before is not None and now.not_before - at > PATIENCE_SECONDS:
            reason = now.error.message if now.error else "The hub asks us to wait."
            raise HubUiError(f"{reason} The download goes on by itself: {drawer.line(now, at).lower()}.")
        yield Wait(text=f"Downloading: {drawer.line(now, at)}", fraction=now.fraction)


def check_bases(services: Services, refs: Sequence[Ref], base: str = "") -> None:
    """Before anything is downloaded for nothing."""
    for record in filter(None, (find_record(services, ref) for ref in refs)):
        choose_base(services, record, base or None)
