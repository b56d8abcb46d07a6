from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.errors import Gated, HubUiError, NoBase, RateLimited, UsageError
from connectors.ref import Ref
from hub_ui.library.download.progress import PullCancelled
from hub_ui.pages.try_page import download_first
from hub_ui.pages.try_page.download_first import Fetches, Wait
from hub_ui.pages.view import Stacked, View
from hub_ui.services import Services
from tests.hub_ui.library.queueing import Pulls

TINY = View(stack=(Stacked(ref="civitai:2"),))


def wait(built: Services, view: View = TINY, is_cancelled: Callable[[], bool] = lambda: False) -> list[Wait]:
    waits: list[Wait] = []
    download_first.wait_for_downloads(built.queue, enqueue(built, view), waits.append, is_cancelled)
    return waits


def enqueue(built: Services, view: View = TINY) -> Fetches:
    return download_first.enqueue(built, [Ref.parse(s.ref) for s in view.stack])


def test_what_is_to_be_tried_is_fetched_by_the_queue_first(queued: Services) -> None:
    fetches = enqueue(queued)
    download_first.wait_for_downloads(queued.queue, fetches, print, lambda: False)
    [task] = queued.queue.tasks()
    assert (str(task.ref), task.state, fetches.own) == ("civitai:2", "done", (task.id,))


def test_a_download_that_ran_before_is_not_this_pages_to_stop(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    queued.queue.add(Ref.parse("civitai:2"))
    assert enqueue(queued).own == ()


def test_who_gives_up_waiting_stops_no_download(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    with pytest.raises(PullCancelled):
        wait(queued, is_cancelled=lambda: True)
    assert not queued.queue.tasks()[0].rests


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Gated("Ask the author."), "Ask the author."),
        (RateLimited("Slow down.", retry_after=3600), "Slow down. The download goes on by itself: tried again in 1 h"),
    ],
)
def test_what_keeps_a_download_from_coming_soon_is_told(
    queued: Services, pulls: Pulls, error: HubUiError, said: str
) -> None:
    pulls.outcomes[Ref.parse("civitai:2")].append(error)
    with pytest.raises(HubUiError, match=said):
        wait(queued)


def test_a_paused_download_is_told_and_not_waited_for(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    fetches = enqueue(queued)
    queued.queue.pause(fetches.tasks[0].id)
    with pytest.raises(UsageError, match="Resume it under Downloads"):
        download_first.wait_for_downloads(queued.queue, fetches, print, lambda: False)


def test_a_lora_that_no_base_here_carries_is_refused(queued: Services) -> None:
    with pytest.raises(NoBase, match="hub-ui serve"):
        download_first.check_bases(queued, [Ref.parse("civitai:1")])
