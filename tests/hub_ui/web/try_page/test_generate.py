from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Gated, HubTimeout, HubUiError, NeedsFetching, NoBase, RateLimited, UsageError
from connectors.ref import Ref
from hub_ui.app.jobs import Jobs, JobSubject
from hub_ui.app.services import Services
from hub_ui.generate.compare.comparison import Comparison, before_after
from hub_ui.generate.request import GenerationRequest, LoraInput, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.try_fields import TrySettings
from hub_ui.library.download.partial_file import PullCancelled
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page import generate
from hub_ui.web.try_page.generate import Generator, TryOrder, download_subject, is_about
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.library.download.queueing import A, Pulls
from tests.hub_ui.web.conftest import with_settings

TINY = View(stack=(StackedLora(ref="civitai:2"),))


def wait(built: Services, view: View = TINY, is_cancelled: Callable[[], bool] = lambda: False) -> list[Step]:
    waits: list[Step] = []
    generate.wait_for_downloads(built.queue, enqueue(built, view)[0], waits.append, is_cancelled)
    return waits


def enqueue(built: Services, view: View = TINY) -> Any:
    return generate.enqueue(built, [Ref.parse(s.ref) for s in view.stack])


def test_what_is_to_be_tried_is_fetched_by_the_queue_first(queued: Services) -> None:
    tasks, own = enqueue(queued)
    generate.wait_for_downloads(queued.queue, tasks, print, lambda: False)
    [task] = queued.queue.tasks()
    assert (str(task.ref), task.state, own) == ("civitai:2", "done", (task.id,))


def test_who_gives_up_waiting_stops_no_download_nor_one_that_ran_before(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    queued.queue.add(Ref.parse("civitai:2"))
    assert enqueue(queued)[1] == ()
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
def test_what_holds_a_download_up_is_told(queued: Services, pulls: Pulls, error: HubUiError, said: str) -> None:
    pulls.outcomes[Ref.parse("civitai:2")].append(error)
    with pytest.raises(HubUiError, match=said):
        wait(queued)


def test_a_paused_download_is_told_and_not_waited_for(queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    tasks, _own = enqueue(queued)
    queued.queue.pause(tasks[0].id)
    with pytest.raises(UsageError, match="Resume it under Downloads"):
        generate.wait_for_downloads(queued.queue, tasks, print, lambda: False)


@pytest.mark.parametrize("installed", [True, False])
def test_a_hub_that_says_nothing_of_a_lora_ends_it_where_that_is_to_be_fetched(
    queued: Services, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(queued.downloads, "find_installed", lambda ref: installed or None)
    [hub] = queued.connectors
    hub.connector.error = HubTimeout("not answered", hub="civitai")  # type: ignore[attr-defined]
    with nullcontext() if installed else pytest.raises(HubTimeout):
        generate.check_bases(queued, [Ref.parse("civitai:404")])


VIEW = View(page="try", stack=(StackedLora(ref="civitai:2"),))
NEED = NeedsFetching(
    "Two gigabytes.", label="SDXL 1.0", repo="a/b", bytes=2 * 10**9, present=0, free=7 * 10**10, license="", gated=False
)


@dataclass
class Asking:
    """A studio that asks before it fetches."""

    jobs: list[GenerationRequest] = field(default_factory=list)

    def generate(self, job: GenerationRequest, sheet: Comparison, *_: Any) -> GenerationResult:
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


def test_for_strangers_no_gigabytes_are_fetched_even_if_they_agree(built: Services, studio: Asking) -> None:
    hosted = with_settings(built, hosted=True)
    wanted = job(built, may_fetch=True)
    with pytest.raises(UsageError, match="This shared page does not have SDXL 1"):
        hosted.generation.generate(wanted, before_after(wanted))
    assert [asked.may_fetch for asked in studio.jobs] == [False]


def test_the_answer_to_a_question_says_what_it_is_about() -> None:
    assert download_subject(replace(VIEW, settings=TrySettings(base="sdxl-1.0"))) == "sdxl-1.0 civitai:2"


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


@pytest.fixture
def generator(queued: Services, jobs: Jobs, tmp_path: Path) -> Generator:
    return Generator(services=queued, jobs=jobs, images=GeneratedImages(folder=tmp_path))


ORDER = TryOrder(view=replace(TINY, settings=TrySettings(prompt="a boat")))


def test_what_is_to_be_tried_is_downloaded_first(queued: Services, generator: Generator, pulls: Pulls) -> None:
    pulls.held.set()
    found = generator.jobs.find(generator.start(ORDER))
    assert found is not None
    assert found.subject == JobSubject(name="pair", refs=("civitai:2",), downloads=(1,), waits_for=(1,))
    assert len(queued.queue.tasks()) == 1


def test_a_lora_that_does_not_fit_is_refused_before_any_download(queued: Services, generator: Generator) -> None:
    order = TryOrder(view=View(stack=(StackedLora(ref="civitai:1"),)))
    with pytest.raises(NoBase, match="hub-ui serve"):
        generator.start(order)
    assert queued.queue.tasks() == ()


def test_of_several_loras_one_that_does_not_fit_is_left(queued: Services, generator: Generator, pulls: Pulls) -> None:
    pulls.held.set()
    stack = tuple(StackedLora(ref=ref) for ref in ("civitai:1", "civitai:2", "civitai:2@20"))
    order = TryOrder(view=View(page="try", stack=stack, settings=TrySettings(sheet="loras")))
    fitting, aside = generator.fit(order)
    assert (fitting.view.settings.base, [note[:14] for note in aside]) == ("tiny-shapes", ["“Ink 1” stands"])
    found = generator.jobs.find(generator.start(order))
    assert found is not None
    assert found.subject.refs == ("civitai:2", "civitai:2@20")


def test_stopping_pauses_its_own_downloads_and_no_other(queued: Services, generator: Generator, pulls: Pulls) -> None:
    pulls.held.set()
    other = queued.queue.add(A)
    said = generator.stop(generator.start(ORDER))
    assert said == "Stopped. What has come of the download is kept."
    assert [(task.id == other.id, task.state == "paused") for task in queued.queue.tasks()] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_stopping_leaves_what_somebody_else_waits_for(queued: Services, generator: Generator, pulls: Pulls) -> None:
    pulls.held.set()
    mine = generator.start(ORDER)
    generator.start(TryOrder(view=replace(TINY, settings=TrySettings(prompt="a cat"))))
    assert generator.stop(mine) == "Stopped. Nothing was changed."
    assert not queued.queue.tasks()[0].rests


def test_a_visitor_who_stops_leaves_no_download_behind(generator: Generator, pulls: Pulls) -> None:
    hosted = replace(generator, services=with_settings(generator.services, hosted=True))
    pulls.held.set()
    assert hosted.stop(hosted.start(ORDER)) == "Stopped. Nothing was changed."
    assert hosted.services.queue.tasks() == ()


def test_a_file_that_has_gone_since_the_pair_was_made_is_fetched_again(
    generator: Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "1").touch()
    [here, gone] = [
        LoraInput(ref=Ref.parse(f"civitai:{name}"), path=tmp_path / name, title="", weight=0.5, text_encoder_scale=2)
        for name in ("1", "2")
    ]

    def fetch(refs: list[Ref], **_: Any) -> list[LoraInput]:
        return [LoraInput(ref=ref, path=tmp_path / "new", title="") for ref in refs]

    monkeypatch.setattr(generator.services.generation, "inputs", fetch)
    ready = generator.with_files(GenerationRequest(adapters=(here, gone), prompt=""), print, lambda: False)
    assert ready.adapters == (here, replace(gone, path=tmp_path / "new"))


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (VIEW, True),
        (View(page="browse", stack=VIEW.stack), True),
        (View(page="try", stack=(StackedLora(ref="civitai:9"),)), False),
        (View(page="try", stack=VIEW.stack, settings=TrySettings(sheet="strip")), False),
    ],
)
def test_images_belong_to_what_the_address_is_about(view: View, found: bool) -> None:
    assert is_about("pair", ("civitai:2@20",), view) is found
