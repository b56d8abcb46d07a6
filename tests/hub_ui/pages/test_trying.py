from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import Gated, HubUiError, NoBase, RateLimited, UsageError
from connectors.record import Example
from connectors.ref import Ref
from hub_ui import services
from hub_ui.library.progress import Progress
from hub_ui.pages import trying
from hub_ui.pages.view import Stacked, View
from hub_ui.preview.job import Step
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.library.queueing import A, Pulls, queue
from tests.hub_ui.stand_ins import Hub

ASKED = trying.Wish(
    refs=(Ref.parse("civitai:1"),), weights=(1.0,), prompt="a boat", use_trigger_words=True, seed=1, steps=None
)


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    pictured = version("civitai:2@20", base="Tiny Shapes", examples=(Example(url="x", prompt="a cat <lora:x:1>"),))
    loras = [lora(1, base="Flux.1 D"), lora(2, versions=(pictured,))]
    hubs: tuple[Connector, ...] = (Hub(name="civitai", loras=loras),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    settings = replace(from_environment({"HUB_UI_HOME": str(home)}), demo=True)
    with services.build(settings) as made:
        yield made


def show(built: Services, *refs: str, before: tuple[str, ...] = ()) -> Any:
    view = View(page="try", stack=tuple(Stacked(ref=ref) for ref in refs))
    return trying.show(built, Renderer(), view, before)


def test_the_first_example_suggests_the_prompt_without_other_tools_tags(built: Services) -> None:
    assert show(built, "civitai:2")[2] == "a cat"


def test_a_prompt_already_written_is_left_alone_while_weights_change(built: Services) -> None:
    assert show(built, "civitai:2", before=("civitai:2",))[2:5] == (gr.skip(), gr.skip(), gr.skip())


def test_a_lora_the_demo_can_not_draw_says_so_in_place(built: Services) -> None:
    assert "This LoRA needs FLUX.1 dev, and the demo brings only its tiny base." in show(built, "civitai:1")[0]


def test_a_lora_that_does_not_fit_is_refused_before_anything_is_downloaded(built: Services) -> None:
    made = trying.make(built, Renderer(), ASKED, ordered=True, cache="")
    assert next(made)[3] is False
    assert next(made)[0] == ""
    with pytest.raises(NoBase, match="hub-ui serve"):
        next(made)
    assert built.library.entries() == ()


def test_without_an_order_nothing_is_made(built: Services) -> None:
    assert list(trying.make(built, Renderer(), ASKED, ordered=False, cache="")) == [(gr.skip(),) * 4]


def test_without_a_lora_there_is_nothing_to_try(built: Services) -> None:
    with pytest.raises(UsageError, match="Open one on the Browse page"):
        next(trying.make(built, Renderer(), replace(ASKED, refs=(), weights=()), ordered=True, cache=""))


def test_a_weight_must_be_a_number() -> None:
    view = View(stack=(Stacked(ref="civitai:1"),))
    assert trying.act(view, {"act": "weigh", "ref": "civitai:1", "value": "0.4"}).stack[0].weight == 0.4
    with pytest.raises(UsageError):
        trying.act(view, {"act": "weigh", "ref": "civitai:1", "value": "much"})


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Progress(done=500_000, total=2_000_000, seconds=1.0), ("Downloading: 500 kB of 2.0 MB", 0.25)),
        (Step(stage="Drawing", done=5, total=20), ("Drawing", 0.25)),
        (Step(stage="Loading", done=0, total=0), ("Loading", None)),
    ],
)
def test_steps_are_told_in_words(step: Progress | Step, told: tuple[str, float | None]) -> None:
    assert trying.step_words(step) == told


@pytest.fixture
def pulls() -> Pulls:
    return Pulls()


@pytest.fixture
def queued(built: Services, pulls: Pulls, home: Path) -> Iterator[Services]:
    """With a queue that runs, and pulls that do as they are told."""
    with queue(home, pulls) as started:
        object.__setattr__(built, "queue", started)
        yield built


def fetch(built: Services, *, ordered: bool = True) -> Iterator[Any]:
    return trying.fetch(built, Renderer(), View(stack=(Stacked(ref="civitai:2"),)), ordered=ordered, asked=3)


def test_what_is_to_be_tried_is_fetched_by_the_queue_first(queued: Services, pulls: Pulls) -> None:
    steps = list(fetch(queued))
    [task] = queued.queue.tasks()
    assert (str(task.ref), task.state) == ("civitai:2", "done")
    assert steps[1][1:] == (gr.update(visible=True), (task.id,), 4)
    assert steps[-1][2] == ()


def test_without_an_order_nothing_is_fetched(queued: Services) -> None:
    assert list(fetch(queued, ordered=False)) == [(gr.skip(),) * 4]
    assert queued.queue.tasks() == ()


def test_stopping_pauses_the_downloads_of_this_page_and_no_other(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    other = queued.queue.add(A)
    steps = fetch(queued)
    own = [next(steps), next(steps)][1][2]
    trying.stopped(queued, own)
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
