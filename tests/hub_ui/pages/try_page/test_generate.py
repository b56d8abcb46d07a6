from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from connectors.errors import Gated, HubUiError, NeedsFetching, NoBase, RateLimited, UsageError
from connectors.ref import Ref
from hub_ui.generate.comparison import Comparison, before_after
from hub_ui.generate.request import GenerationRequest, LoraInput, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.library.download.progress import PullCancelled
from hub_ui.pages.try_page import generate
from hub_ui.pages.try_page.form import FormValues
from hub_ui.pages.try_page.generate import DownloadWait, PendingDownloads, TryOrder
from hub_ui.pages.try_page.generations import Generations, GenerationSubject
from hub_ui.web.view import StackedLora, TrySettings, View
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.result import Result, Tile
from tests.hub_ui.library.queueing import A, Pulls
from tests.hub_ui.web.conftest import with_settings

TINY = View(stack=(StackedLora(ref="civitai:2"),))


def wait(built: Services, view: View = TINY, is_cancelled: Callable[[], bool] = lambda: False) -> list[DownloadWait]:
    waits: list[DownloadWait] = []
    generate.wait_for_downloads(built.queue, enqueue(built, view), waits.append, is_cancelled)
    return waits


def enqueue(built: Services, view: View = TINY) -> PendingDownloads:
    return generate.enqueue(built, [Ref.parse(s.ref) for s in view.stack])


def test_what_is_to_be_tried_is_fetched_by_the_queue_first(queued: Services) -> None:
    fetches = enqueue(queued)
    generate.wait_for_downloads(queued.queue, fetches, print, lambda: False)
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
        generate.wait_for_downloads(queued.queue, fetches, print, lambda: False)


def test_a_lora_that_no_base_here_carries_is_refused(queued: Services) -> None:
    with pytest.raises(NoBase, match="hub-ui serve"):
        generate.check_bases(queued, [Ref.parse("civitai:1")])


VIEW = View(page="try", stack=(StackedLora(ref="civitai:2"),))
NEED = NeedsFetching(
    "Two gigabytes.", label="SDXL 1.0", repo="a/b", bytes=2 * 10**9, present=0, free=7 * 10**10, license="", gated=False
)


@dataclass
class Asking:
    """A studio that asks before it fetches."""

    jobs: list[GenerationRequest] = field(default_factory=list)

    def generate(self, job: GenerationRequest, sheet: Comparison, **_: Any) -> GenerationResult:
        self.jobs.append(job)
        raise NEED

    def close(self) -> None:
        """Has nothing open."""


@pytest.fixture
def studio(built: Services, monkeypatch: pytest.MonkeyPatch) -> Asking:
    asking = Asking()
    monkeypatch.setattr(built.generation, "local", asking)
    return asking


def job(built: Services, **fields: Any) -> GenerationRequest:
    [adapter] = [LoraInput(ref=ref, path=built.settings.home, title="Ink") for ref in VIEW.refs]
    return GenerationRequest(adapters=(adapter,), prompt="a boat", **fields)


TINY_GENERATE = View(stack=(StackedLora(ref="civitai:2"),))
FILLED_TINY = FormValues(settings=TrySettings(prompt="a boat"))
RESULT = Result(kind="pair", tiles=(Tile(src="a.png", label="a"),), width=8, height=8, proof="", whole=True, detail="")
FILLED = FormValues(settings=TrySettings(prompt="a boat", base="sdxl-1.0"))


def test_for_strangers_no_gigabytes_are_fetched_even_if_they_agree(built: Services, studio: Asking) -> None:
    hosted = with_settings(built, hosted=True)
    wanted = job(built, may_fetch=True)
    with pytest.raises(UsageError, match="This shared page does not have SDXL 1"):
        hosted.generation.generate(wanted, before_after(wanted))
    assert [asked.may_fetch for asked in studio.jobs] == [False]


@pytest.mark.parametrize("base", ["/etc", "../../etc/x.safetensors", "maker/own"])
def test_strangers_draw_on_no_folder_and_no_repo_of_their_choice(built: Services, studio: Asking, base: str) -> None:
    hosted = with_settings(built, hosted=True)
    wanted = job(built, base=base)
    for ask in (hosted.generation.generate, hosted.generation.estimate):
        with pytest.raises(UsageError, match="bases of its list"):
            ask(wanted, before_after(wanted))
    assert studio.jobs == []


def test_at_home_a_person_is_asked_with_what_the_answer_is_about() -> None:
    html = Renderer()("download_question", need=NEED, subject=TryOrder(view=VIEW, filled=FILLED).subject)
    for text in ('data-subject="sdxl-1.0 civitai:2"', "2.0 GB from", "<dd>named on its page</dd>"):
        assert text in html


def test_a_failure_leaves_no_stop_button_behind() -> None:
    def failing() -> Iterator[Any]:
        yield generate.Updates()
        raise UsageError("No.")

    steps = generate.clear_on_error(failing())
    progress, _result, _kept, question, stop, generation, _asked = [next(steps), next(steps)][1]
    assert (progress, question, stop, generation) == ("", "", gr.update(visible=False), "")
    with pytest.raises(UsageError):
        next(steps)


@pytest.fixture
def generations() -> Iterator[Generations]:
    made = Generations()
    yield made
    made.close()


def start(built: Services, generations: Generations, page: str = "") -> Iterator[Any]:
    order = TryOrder(view=TINY_GENERATE, filled=FILLED_TINY)
    return generate.generate(built, Renderer(), generations, order, requested=3, cache="", page=page)


def test_what_is_to_be_tried_is_downloaded_first_and_the_list_of_downloads_hears_of_it(
    queued: Services, studio: Asking, generations: Generations, pulls: Pulls
) -> None:
    pulls.held.set()
    steps = start(queued, generations)
    _starting, added, waiting = next(steps), next(steps), next(steps)
    assert (added[-1], len(queued.queue.tasks())) == (4, 1)
    assert generations.find(waiting[-2]) == GenerationSubject(
        kind="pair", refs=("civitai:2",), downloads=(1,), waits_for=(1,)
    )


def test_a_lora_that_does_not_fit_is_refused_before_anything_is_downloaded(
    queued: Services, generations: Generations
) -> None:
    order = TryOrder(view=View(stack=(StackedLora(ref="civitai:1"),)), filled=FILLED_TINY)
    with pytest.raises(NoBase, match="hub-ui serve"):
        list(generate.generate(queued, Renderer(), generations, order, requested=3, cache=""))
    assert queued.queue.tasks() == ()


def test_stopping_pauses_the_downloads_of_this_page_and_no_other(
    queued: Services, generations: Generations, pulls: Pulls
) -> None:
    pulls.held.set()
    other = queued.queue.add(A)
    steps = start(queued, generations)
    id_ = [next(steps), next(steps), next(steps)][2][-2]
    said = generate.stop(queued, Renderer(), generations, id_)[0]
    assert "What has come of the download is kept." in said
    assert [task.state == "paused" for task in queued.queue.tasks()] == [False, True]
    assert queued.queue.tasks()[0].id == other.id


def test_stopping_leaves_a_download_that_somebody_else_waits_for(
    queued: Services, generations: Generations, pulls: Pulls
) -> None:
    pulls.held.set()
    first, second = start(queued, generations, "a"), start(queued, generations, "b")
    mine, theirs = ([next(steps), next(steps), next(steps)][2][-2] for steps in (first, second))
    said = generate.stop(queued, Renderer(), generations, mine)[0]
    assert ("Nothing was changed." in said, queued.queue.tasks()[0].rests) == (True, False)
    assert generations.find(theirs) == GenerationSubject(kind="pair", refs=("civitai:2",), waits_for=(1,))


def test_a_visitor_who_stops_leaves_no_download_behind(
    queued: Services, generations: Generations, pulls: Pulls
) -> None:
    hosted = with_settings(queued, hosted=True)
    pulls.held.set()
    steps = start(hosted, generations)
    id_ = [next(steps), next(steps), next(steps)][2][-2]
    assert "Nothing was changed." in generate.stop(hosted, Renderer(), generations, id_)[0]
    assert hosted.queue.tasks() == ()


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (VIEW, True),
        (View(page="browse", stack=VIEW.stack), True),
        (View(page="try", stack=(StackedLora(ref="civitai:9"),)), False),
        (View(page="try", stack=VIEW.stack, settings=TrySettings(sheet="strip")), False),
    ],
)
def test_a_page_finds_again_only_what_its_address_is_about(generations: Generations, view: View, found: bool) -> None:
    id_ = generations.start(GenerationSubject(kind="pair", refs=("civitai:2@20",)), lambda report, over: RESULT)
    steps = list(generate.resume(Renderer(), generations, view, id_))
    assert [step[2] == RESULT for step in steps[-1:]] == [True] * found


def test_an_id_that_nobody_knows_leads_to_nothing(generations: Generations) -> None:
    assert list(generate.resume(Renderer(), generations, VIEW, "guessed")) == []


def test_a_first_look_is_part_of_the_page_and_no_file() -> None:
    step = Step(stage="Generating", done=1, total=4, preview=Image.new("RGB", (2, 2)), seconds_left=90)
    html = generate.step_html(Renderer(), step)
    assert 'src="data:image/png;base64,' in html
    assert "about 1 min 30 s left" in html
