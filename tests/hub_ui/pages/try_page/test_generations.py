from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.errors import NoBase, UsageError
from hub_ui.hosting.visitor import Visitor, use_visitor
from hub_ui.pages.try_page.generations import (
    ABANDONED_SECONDS,
    KEPT_SECONDS,
    MOST_KEPT,
    MOST_RUNNING,
    Generations,
    GenerationSubject,
    Stopped,
)
from hub_ui.widgets.result import Result, Tile
from tests.hub_ui.library.queueing import eventually

PAIR = GenerationSubject(kind="pair", refs=("civitai:1",))
RESULT = Result(kind="pair", tiles=(Tile(src="a.png", label="a"),), width=8, height=8, proof="", whole=True, detail="")
BEAT = 0.01


class Held:
    """Work that goes on until it is let go or cancelled."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.cancelled = False

    def __call__(self, report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> Result:
        report("half")
        while not self.go.wait(0.002):
            if is_cancelled():
                self.cancelled = True
                raise UsageError("Stopped.")
        return RESULT


@pytest.fixture
def time() -> list[float]:
    return [0.0]


@pytest.fixture
def generations(time: list[float]) -> Iterator[Generations]:
    made = Generations(clock=lambda: time[0])
    yield made
    made.close()


def finish(generations: Generations) -> str:
    id_ = generations.start(PAIR, lambda report, is_cancelled: RESULT)
    assert list(generations.follow(id_, beat=BEAT))[-1] == RESULT
    return id_


def test_whoever_follows_later_gets_the_last_step_and_the_result(generations: Generations) -> None:
    work = Held()
    id_ = generations.start(PAIR, work)
    left = generations.follow(id_, beat=60)
    assert next(left) == "half"
    left.close()
    again = generations.follow(id_, beat=BEAT)
    assert next(again) == "half"
    work.go.set()
    assert list(again)[-1] == RESULT


@pytest.mark.timeout(30)
def test_whoever_follows_learns_of_a_stop_without_waiting_for_the_next_step(generations: Generations) -> None:
    go_on = threading.Event()

    def work(report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> Result:
        report("half")
        go_on.wait(60)
        return RESULT

    id_ = generations.start(PAIR, work)
    steps = generations.follow(id_, beat=600)
    assert next(steps) == "half"
    threading.Timer(0.2, generations.stop, [id_, "Stopped."]).start()
    try:
        assert list(steps) == [Stopped(text="Stopped.")]
    finally:
        go_on.set()


@pytest.mark.timeout(30)
def test_a_stop_between_a_look_and_the_wait_for_the_next_step_is_not_missed(time: list[float]) -> None:
    stopping: list[str] = []

    def clock() -> float:
        # A follower asks for the time right before it waits.
        for id_ in stopping:
            stopping.remove(id_)
            generations.stop(id_, "Stopped.")
        return time[0]

    def work(report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> Result:
        report("half")
        go_on.wait(60)
        return RESULT

    generations, go_on = Generations(clock=clock), threading.Event()
    try:
        id_ = generations.start(PAIR, work)
        steps = generations.follow(id_, beat=600)
        assert next(steps) == "half"
        stopping.append(id_)
        assert list(steps) == [Stopped(text="Stopped.")]
    finally:
        go_on.set()
        generations.close()


def test_a_result_is_there_more_than_once_and_a_failure_is_told_once(generations: Generations) -> None:
    id_ = finish(generations)
    assert list(generations.follow(id_, beat=BEAT)) == [RESULT]

    def fail(report: Any, is_cancelled: Any) -> Result:
        raise NoBase("No.")

    failed = generations.start(PAIR, fail)
    with pytest.raises(NoBase):
        list(generations.follow(failed, beat=BEAT))
    assert list(generations.follow(failed, beat=BEAT)) == []


def test_what_is_stopped_ends_and_is_found_no_more(generations: Generations) -> None:
    work = Held()
    id_ = generations.start(PAIR, work)
    generations.stop(id_)
    assert generations.find(id_) is None
    assert list(generations.follow(id_, beat=BEAT)) == []
    eventually(lambda: work.cancelled)


def test_a_result_is_forgotten_after_an_hour(generations: Generations, time: list[float]) -> None:
    id_ = finish(generations)
    time[0] = KEPT_SECONDS - 1
    assert generations.find(id_) == PAIR
    time[0] = KEPT_SECONDS + 1
    assert generations.find(id_) is None


def test_only_the_last_results_are_kept(generations: Generations) -> None:
    ids = [finish(generations) for _ in range(MOST_KEPT + 1)]
    assert [generations.find(id_) for id_ in ids[:2]] == [None, PAIR]


def test_only_so_many_run_or_wait(generations: Generations) -> None:
    for _ in range(MOST_RUNNING):
        generations.start(PAIR, Held())
    with pytest.raises(UsageError, match="Try again in a few minutes"):
        generations.start(PAIR, Held())


def test_what_a_page_has_under_way_is_not_started_again(generations: Generations) -> None:
    work = Held()
    first = generations.start(PAIR, work, page="a", inputs="a boat")
    assert generations.start(PAIR, Held(), page="a", inputs="a boat") == first
    others = [
        generations.start(PAIR, Held(), page=page, inputs=inputs) for page, inputs in (("a", "a cat"), ("b", "a boat"))
    ]
    assert first not in others
    work.go.set()
    assert list(generations.follow(first, beat=BEAT))[-1] == RESULT
    assert generations.start(PAIR, Held(), page="a", inputs="a boat") != first


def test_what_was_stopped_starts_again(generations: Generations) -> None:
    first = generations.start(PAIR, Held(), page="a", inputs="a boat")
    generations.stop(first)
    assert generations.start(PAIR, Held(), page="a", inputs="a boat") != first


def start_as(generations: Generations, visitor: Visitor, page: str = "") -> str:
    with use_visitor(visitor):
        return generations.start(PAIR, Held(), page=page)


def refusal(generations: Generations, visitor: Visitor) -> str:
    with use_visitor(visitor):
        try:
            generations.start(PAIR, Held())
        except UsageError as error:
            return error.message
    return ""


@pytest.fixture
def shared() -> Iterator[Generations]:
    made = Generations(hosted=True, most=8, own=2, people=10)
    yield made
    made.close()


def test_a_visitor_has_two_under_way_whatever_session_they_name(shared: Generations) -> None:
    ada = Visitor(id="ada", address="8.8.8.8")
    for page in ("one", "other"):
        start_as(shared, ada, page)
    assert refusal(shared, ada) == "Your last images are not made yet. Wait for them, or stop them."
    assert refusal(shared, Visitor(id="ben", address="9.9.9.9")) == ""


def test_all_at_one_address_without_a_cookie_have_what_one_visitor_has(shared: Generations) -> None:
    for name in ("new", "newer"):
        start_as(shared, Visitor(id=name, address="8.8.8.8", known=False))
    assert refusal(shared, Visitor(id="newest", address="8.8.8.8", known=False)).startswith("Your last images")
    assert refusal(shared, Visitor(id="new", address="9.9.9.9", known=False)) == ""


def test_one_address_leaves_half_of_the_queue_to_others(shared: Generations) -> None:
    for number in range(4):
        start_as(shared, Visitor(id=f"cookie {number}", address="8.8.8.8"))
    said = refusal(shared, Visitor(id="another cookie", address="8.8.8.8"))
    assert said == "Others at your network address wait for their images. Try again in a few minutes."
    assert refusal(shared, Visitor(id="ben", address="9.9.9.9")) == ""


def test_the_owner_waits_for_room_alone(shared: Generations) -> None:
    for _ in range(8):
        shared.start(PAIR, Held())
    with pytest.raises(UsageError, match="8 others wait for their images here"):
        shared.check_room()
    assert shared.running() == 8


@pytest.mark.parametrize("reads", [True, False])
def test_who_follows_and_has_nobody_to_read_it_is_no_reader(time: list[float], reads: bool) -> None:
    generations, work = Generations(hosted=True, is_read=lambda page: reads, clock=lambda: time[0]), Held()
    id_ = generations.start(PAIR, work, page="a")
    steps = generations.follow(id_, beat=BEAT, page="a")
    next(steps)
    time[0] = ABANDONED_SECONDS - 1
    next(steps)
    time[0] = ABANDONED_SECONDS + 1
    if reads:
        work.go.set()
        assert list(steps)[-1] == RESULT
    else:
        with pytest.raises(UsageError, match="Stopped"):
            list(steps)
    assert work.cancelled is not reads


@pytest.mark.parametrize("hosted", [True, False])
def test_only_among_strangers_what_nobody_looks_at_any_more_ends(hosted: bool) -> None:
    time, work = [0.0], Held()
    generations = Generations(hosted=hosted, clock=lambda: time[0])
    id_ = generations.start(PAIR, work)
    time[0] = ABANDONED_SECONDS + 1
    if hosted:
        eventually(lambda: work.cancelled)
    work.go.set()
    outcome = list(generations.follow(id_, beat=BEAT))[-1:] if not hosted else []
    assert (work.cancelled, outcome) == (hosted, [] if hosted else [RESULT])


def test_ids_can_not_be_guessed(generations: Generations) -> None:
    assert len({finish(generations) for _ in range(20)}) == 20
    assert len(finish(generations)) == 32


def test_closing_waits_until_the_work_has_ended() -> None:
    generations, ends = Generations(), []

    def work(report: Any, is_cancelled: Any) -> Any:
        while not is_cancelled():
            threading.Event().wait(0.01)
        threading.Event().wait(0.05)
        ends.append("ended")

    stopped = generations.start(PAIR, work)
    generations.start(PAIR, work)
    generations.stop(stopped)
    generations.close()
    assert ends == ["ended", "ended"]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux a thread has a priority of its own")
def test_the_page_answers_before_images_are_made(generations: Generations) -> None:
    def work(report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    id_ = generations.start(PAIR, work)
    assert [*generations.follow(id_, beat=BEAT)][-1:] == [10]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
