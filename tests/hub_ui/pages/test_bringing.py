from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from connectors.errors import Gated, HubUiError, NoBase, RateLimited, UsageError
from connectors.ref import Ref
from hub_ui.pages import bringing
from hub_ui.pages.view import Stacked, View
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer
from tests.hub_ui.library.queueing import A, Pulls

TINY = View(stack=(Stacked(ref="civitai:2"),))


def fetch(built: Services, view: View = TINY, **changes: Any) -> Iterator[Any]:
    return bringing.fetch(built, Renderer(), view, **{"ordered": True, "asked": 3, **changes})


def test_what_is_to_be_tried_is_fetched_by_the_queue_first(queued: Services) -> None:
    steps = list(fetch(queued))
    [task] = queued.queue.tasks()
    assert (str(task.ref), task.state) == ("civitai:2", "done")
    assert steps[1][1:] == (gr.update(visible=True), (task.id,), 4)
    assert steps[-1][2] == ()


def test_without_an_order_nothing_happens(queued: Services) -> None:
    assert list(fetch(queued, ordered=False)) == [(gr.skip(),) * 4]
    assert queued.queue.tasks() == ()


def test_for_another_place_nothing_is_fetched_and_the_page_says_that_it_waits(queued: Services) -> None:
    waiting = list(fetch(queued, here=False))[-1]
    assert "Waiting for its turn…" in waiting[0]
    assert waiting[1] == gr.update(visible=True)
    assert queued.queue.tasks() == ()


def test_a_lora_that_does_not_fit_is_refused_before_anything_is_downloaded(queued: Services) -> None:
    with pytest.raises(NoBase, match="hub-ui serve"):
        list(fetch(queued, View(stack=(Stacked(ref="civitai:1"),))))
    assert queued.queue.tasks() == ()


def test_stopping_pauses_the_downloads_of_this_page_and_no_other(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    other = queued.queue.add(A)
    steps = fetch(queued)
    own = [next(steps), next(steps)][1][2]
    said = bringing.stopped(queued, Renderer(), own)[0]
    assert "What has come of the download is kept." in said
    assert [(task.id, task.state) for task in queued.queue.tasks() if task.state == "paused"] == [(own[0], "paused")]
    assert other.id not in own


def test_a_download_that_ran_before_is_not_this_pages_to_stop(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    queued.queue.add(Ref.parse("civitai:2"))
    steps = fetch(queued)
    assert [next(steps), next(steps)][1][2] == ()


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
        list(fetch(queued))


def test_a_paused_download_is_told_and_not_waited_for(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    steps = fetch(queued)
    [next(steps), next(steps)]
    queued.queue.pause(queued.queue.tasks()[0].id)
    with pytest.raises(UsageError, match="Resume it under Downloads"):
        list(steps)
