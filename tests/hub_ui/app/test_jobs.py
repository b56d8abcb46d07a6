import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.errors import NoBase, UsageError
from hub_ui.access.visitor import Visitor, use_visitor
from hub_ui.app.jobs import ABANDONED_SECONDS, GONE, KEPT_SECONDS, MOST_KEPT, Jobs, JobSubject, Stopped
from tests.hub_ui.library.download.queueing import eventually

PAIR = JobSubject(kind="generation", refs=("civitai:1",))
RESULT = "two images"
BEAT = 0.01


class Held:
    """Work that goes on until it is let go or cancelled."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.cancelled = False
        self.looks = 0

    def __call__(self, report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> str:
        report("half")
        while not self.go.wait(0.002):
            self.looks += 1
            if is_cancelled():
                self.cancelled = True
                raise UsageError("Stopped.")
        return RESULT

    def poll(self) -> None:
        """Lets it look once more whether it is to go on."""
        looks = self.looks
        eventually(lambda: self.cancelled or self.looks > looks + 1)


@pytest.fixture
def time() -> list[float]:
    return [0.0]


@pytest.fixture
def jobs(time: list[float]) -> Iterator[Jobs]:
    made = Jobs(clock=lambda: time[0])
    yield made
    made.close()


@pytest.fixture
def deaf() -> Iterator[Callable[..., str]]:
    """Work that looks at nothing, until the test has ended."""
    go_on = threading.Event()
    yield lambda report, is_cancelled: report("half") or str(go_on.wait(60))
    go_on.set()


def follow(jobs: Jobs, id_: str, *, beat: float = BEAT) -> Iterator[Any]:
    """The steps without their numbers."""
    return (step for _number, step in jobs.follow(id_, beat=beat))


def result_of(jobs: Jobs, id_: str) -> Any:
    found = jobs.find(id_)
    return found.result if found is not None else None


def finish(jobs: Jobs) -> str:
    id_ = jobs.start(PAIR, lambda report, is_cancelled: RESULT)
    assert list(follow(jobs, id_))[-1] == RESULT
    return id_


@pytest.mark.timeout(30)
def test_whoever_follows_learns_of_a_stop_without_waiting_for_the_next_step(
    jobs: Jobs, deaf: Callable[..., str]
) -> None:
    id_ = jobs.start(PAIR, deaf)
    steps = follow(jobs, id_, beat=600)
    assert next(steps) == "half"
    threading.Timer(0.2, jobs.stop, [id_, "Stopped."]).start()
    assert list(steps) == [Stopped(text="Stopped.")]


@pytest.mark.timeout(30)
def test_a_stop_between_a_look_and_the_wait_for_the_next_step_is_not_missed(
    time: list[float], deaf: Callable[..., str]
) -> None:
    stopping: list[str] = []

    def clock() -> float:
        # A follower asks for the time right before it waits.
        for id_ in stopping:
            stopping.remove(id_)
            made.stop(id_, "Stopped.")
        return time[0]

    made = Jobs(clock=clock)
    steps = follow(made, id_ := made.start(PAIR, deaf), beat=600)
    assert next(steps) == "half"
    stopping.append(id_)
    assert list(steps) == [Stopped(text="Stopped.")]


@pytest.mark.parametrize(("word", "said"), [("The app ends.", "The app ends."), ("", GONE)])
def test_what_is_stopped_before_the_first_step_is_read_has_its_last_word_too(jobs: Jobs, word: str, said: str) -> None:
    work = Held()
    id_ = jobs.start(PAIR, work)
    steps = follow(jobs, id_)
    jobs.stop(id_, word)
    assert (jobs.find(id_), list(steps)) == (None, [Stopped(text=said)])
    eventually(lambda: work.cancelled)


def test_steps_have_numbers_and_who_has_one_gets_what_is_newer(jobs: Jobs) -> None:
    work = Held()
    id_ = jobs.start(PAIR, work)
    for _ in range(2):
        assert next(jobs.follow(id_, beat=60)) == (1, "half")
    again = jobs.follow(id_, after=1, beat=BEAT)
    assert next(again) == (1, None)
    work.go.set()
    assert list(again)[-1] == (2, RESULT)
    assert list(jobs.follow(id_, after=2, beat=BEAT)) == [(2, RESULT)]


def test_a_result_and_a_failure_are_there_more_than_once(jobs: Jobs) -> None:
    id_ = finish(jobs)
    assert list(follow(jobs, id_)) == [RESULT]

    def fail(report: Any, is_cancelled: Any) -> str:
        raise NoBase("No.")

    failed = jobs.start(PAIR, fail)
    for _ in range(2):
        with pytest.raises(NoBase):
            list(follow(jobs, failed))


def test_a_job_says_where_it_is(jobs: Jobs) -> None:
    work = Held()
    id_ = jobs.start(PAIR, work)
    next(jobs.follow(id_, beat=60))
    found = jobs.find(id_)
    assert found is not None
    assert (found.id, found.subject, found.number, found.step, found.outcome) == (id_, PAIR, 1, "half", None)
    work.go.set()
    list(follow(jobs, id_))
    assert result_of(jobs, id_) == RESULT


def test_a_result_is_forgotten_after_an_hour(jobs: Jobs, time: list[float]) -> None:
    id_ = finish(jobs)
    time[0] = KEPT_SECONDS - 1
    assert result_of(jobs, id_) == RESULT
    time[0] = KEPT_SECONDS + 1
    assert jobs.find(id_) is None


def test_only_the_last_results_are_kept(jobs: Jobs) -> None:
    ids = [finish(jobs) for _ in range(MOST_KEPT + 1)]
    assert [result_of(jobs, id_) for id_ in ids[:2]] == [None, RESULT]


def test_what_somebody_has_under_way_is_not_started_again(jobs: Jobs) -> None:
    work = Held()
    first = jobs.start(PAIR, work, inputs="a boat")
    assert jobs.start(PAIR, Held(), inputs="a boat") == first
    with use_visitor(Visitor(id="ben", address="9.9.9.9")):
        others = [jobs.start(PAIR, Held(), inputs="a boat")]
    others += [jobs.start(PAIR, Held(), inputs="a cat"), jobs.start(PAIR, Held())]
    assert first not in others
    work.go.set()
    assert list(follow(jobs, first))[-1] == RESULT
    assert jobs.start(PAIR, Held(), inputs="a boat") != first


def test_what_was_stopped_starts_again_with_an_id_that_can_not_be_guessed(jobs: Jobs) -> None:
    first = jobs.start(PAIR, Held(), inputs="a boat")
    jobs.stop(first)
    assert jobs.start(PAIR, Held(), inputs="a boat") != first
    assert len({finish(jobs) for _ in range(20)}) == 20
    assert len(finish(jobs)) == 32


def start_as(jobs: Jobs, visitor: Visitor) -> str:
    with use_visitor(visitor):
        return jobs.start(PAIR, Held())


def refusal(jobs: Jobs, visitor: Visitor) -> str:
    with use_visitor(visitor):
        try:
            jobs.start(PAIR, Held())
        except UsageError as error:
            return error.message
    return ""


@pytest.fixture
def shared() -> Iterator[Jobs]:
    made = Jobs(hosted=True, most=8, own=2, people=10)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("ids", "has_cookie", "said"),
    [
        (["ada", "ada"], True, "Your last images are not made yet."),
        (["ada", "new"], False, "Your last images are not made yet."),
        (["a", "b", "c", "d"], True, "Others at your network address wait"),
    ],
)
def test_a_visitor_has_two_and_an_address_half_of_it(shared: Jobs, ids: list[str], has_cookie: bool, said: str) -> None:
    for id_ in ids:
        start_as(shared, Visitor(id=id_, address="8.8.8.8", known=has_cookie))
    assert refusal(shared, Visitor(id="ada", address="8.8.8.8", known=has_cookie)).startswith(said)
    assert refusal(shared, Visitor(id="ben", address="9.9.9.9")) == ""


def test_another_visitor_with_the_id_finds_follows_and_stops_nothing(shared: Jobs) -> None:
    ada, ben = (Visitor(id=name, address="8.8.8.8") for name in ("ada", "ben"))
    id_ = start_as(shared, ada)
    with use_visitor(ben):
        assert (shared.find(id_), list(shared.follow(id_, beat=BEAT))) == (None, [(1, Stopped(text=GONE))])
        shared.stop(id_)
    with use_visitor(ada):
        assert shared.find(id_) is not None


def test_the_owner_waits_for_room_alone(shared: Jobs) -> None:
    for _ in range(8):
        shared.start(PAIR, Held())
    with pytest.raises(UsageError, match="8 others wait for their images here"):
        shared.check_room()
    assert shared.running() == 8


def test_who_follows_or_asks_where_it_is_keeps_it_alive(time: list[float]) -> None:
    jobs, work = Jobs(hosted=True, clock=lambda: time[0]), Held()
    id_ = jobs.start(PAIR, work)
    steps = follow(jobs, id_)
    for look in (lambda: next(steps), lambda: jobs.find(id_), lambda: next(steps)):
        time[0] += ABANDONED_SECONDS - 1
        work.poll()
        look()
    work.go.set()
    assert list(steps)[-1] == RESULT


@pytest.mark.timeout(30)
def test_a_follower_whose_reader_is_stuck_is_none(time: list[float]) -> None:
    jobs, work = Jobs(hosted=True, clock=lambda: time[0]), Held()
    steps = jobs.follow(jobs.start(PAIR, work), beat=BEAT)
    next(steps)
    time[0] = ABANDONED_SECONDS + 1
    eventually(lambda: work.cancelled)


@pytest.mark.parametrize("hosted", [True, False])
def test_only_among_strangers_what_nobody_looks_at_any_more_ends(hosted: bool) -> None:
    time, work = [0.0], Held()
    jobs = Jobs(hosted=hosted, clock=lambda: time[0])
    id_ = jobs.start(PAIR, work)
    time[0] = ABANDONED_SECONDS + 1
    if hosted:
        eventually(lambda: work.cancelled)
    work.go.set()
    outcome = list(follow(jobs, id_))[-1:] if not hosted else []
    assert (work.cancelled, outcome) == (hosted, [] if hosted else [RESULT])


def test_closing_waits_until_the_work_has_ended() -> None:
    jobs, ends = Jobs(), []

    def work(report: Any, is_cancelled: Any) -> Any:
        while not is_cancelled():
            threading.Event().wait(0.01)
        threading.Event().wait(0.05)
        ends.append("ended")

    stopped = jobs.start(PAIR, work)
    jobs.start(PAIR, work)
    jobs.stop(stopped)
    jobs.close()
    assert ends == ["ended", "ended"]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux a thread has a priority of its own")
@pytest.mark.parametrize(("hosted", "lower"), [(True, 10), (False, 0)])
def test_pages_come_before_images_only_where_many_ask(hosted: bool, lower: int) -> None:
    def work(report: Callable[[Any], None], is_cancelled: Callable[[], bool]) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    jobs = Jobs(hosted=hosted)
    assert [*follow(jobs, jobs.start(PAIR, work))][-1:] == [max(before, lower)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
