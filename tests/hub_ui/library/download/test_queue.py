import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.errors import HubDown, HubUiError, NotFound, RateLimited
from connectors.ref import Ref
from hub_ui.library.download.queue import Queue, Report
from hub_ui.library.download.queue_tasks import Failure, QueueLimits, Task
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry
from tests.hub_ui.library.download.queueing import HF, A, B, C, D, Moved, Pulls, at, eventually, queue

DOWN = HubDown("CivitAI can't be reached. Try again later.", hub="civitai")


@pytest.fixture
def pulls() -> Pulls:
    return Pulls()


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
def running(tmp_path: Path, pulls: Pulls, clock: Moved) -> Iterator[Queue]:
    with queue(tmp_path, pulls, clock=clock) as started:
        yield started


def state(running: Queue, task: Task) -> str | None:
    now = running.task(task.id)
    return now.state if now else None


def once(running: Queue, task: Task, holds: Callable[[Task], object]) -> Task:
    """The task as soon as that holds."""
    eventually(lambda: (now := running.task(task.id)) and holds(now))
    now = running.task(task.id)
    assert now is not None
    return now


def test_a_ref_wanted_twice_is_one_task_and_fetched_once(running: Queue, pulls: Pulls) -> None:
    pulls.held.set()
    first, second = running.add(A, "Ink lines"), running.add(A)
    pulls.let(A)
    done = running.wait(first.id)
    assert (done.state, done.title, done.done, done.total) == ("done", "Ink lines", 100, 100)
    assert first.id == second.id
    assert pulls.asked == [A]


def test_no_more_than_the_workers_run_at_once(tmp_path: Path, pulls: Pulls) -> None:
    pulls.held.set()
    with queue(tmp_path, pulls, limits=QueueLimits(workers=2, per_host=4)) as running:
        tasks = [running.add(ref) for ref in (A, B, C, D)]
        eventually(lambda: pulls.running == 2)
        pulls.let(A, B, C, D)
        for task in tasks:
            running.wait(task.id)
    assert (len(pulls.asked), pulls.most) == (4, 2)


def test_progress_has_a_speed_and_the_time_left(running: Queue, pulls: Pulls, clock: Moved) -> None:
    pulls.held.set()
    task = running.add(A)
    pulls.steps[A].append(at(0, 1000))
    eventually(lambda: not pulls.steps[A])
    clock.advance(1)
    pulls.steps[A].append(at(200, 1000))
    now = once(running, task, lambda now: now.speed == 200.0)
    assert (now.done, now.total, now.seconds_left, now.fraction) == (200, 1000, 4.0, 0.2)


def test_a_paused_download_stops_and_goes_on_when_resumed(running: Queue, pulls: Pulls) -> None:
    pulls.held.set()
    task = running.add(A)
    eventually(lambda: pulls.running == 1)
    running.pause(task.id)
    assert state(running, task) == "paused"
    eventually(lambda: pulls.running == 0)
    pulls.let(A)
    running.resume(task.id)
    assert running.wait(task.id).state == "done"
    assert pulls.asked == [A, A]
    assert pulls.dropped == []


def test_a_download_that_is_complete_when_it_is_paused_is_done(tmp_path: Path, clock: Moved) -> None:
    has_bytes, may_end = threading.Event(), threading.Event()

    def pull(ref: Ref, report: Report, cancelled: Callable[[], bool]) -> Entry:
        has_bytes.set()
        may_end.wait(30)
        return entry(ref=ref, size=100)

    running = Queue(tmp_path / "queue.sqlite", pull, clock=clock)
    running.start()
    task = running.add(A)
    assert has_bytes.wait(30)
    running.pause(task.id)
    may_end.set()
    eventually(lambda: running.running == 0)
    assert (state(running, task), running.tasks()[0].done) == ("done", 100)
    running.stop()


def test_one_that_waits_can_be_paused_too(running: Queue, pulls: Pulls) -> None:
    pulls.held.set()
    tasks = [running.add(ref) for ref in (A, B, C)]
    running.pause(tasks[2].id)
    pulls.let(A, B)
    running.wait(tasks[0].id)
    assert state(running, tasks[2]) == "paused"
    assert C not in pulls.asked


def test_a_cancelled_download_stops_and_its_part_is_dropped_also_of_a_paused_one(running: Queue, pulls: Pulls) -> None:
    pulls.held.set()
    task, paused = running.add(A), running.add(B)
    running.pause(paused.id)
    eventually(lambda: pulls.running == 1)
    running.cancel(task.id)
    running.cancel(paused.id)
    assert running.tasks() == ()
    eventually(lambda: sorted(pulls.dropped) == [A, B])
    assert pulls.running == 0


def test_waiting_for_a_cancelled_task_raises(running: Queue, pulls: Pulls) -> None:
    pulls.held.set()
    task = running.add(A)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(running.wait, task.id)
        running.cancel(task.id)
        with pytest.raises(NotFound) as told:
            waiting.result()
    assert told.value.message == "This download was taken off the list. Start it again if you still want it."


def test_a_hub_that_is_down_is_tried_again_after_a_while(running: Queue, pulls: Pulls, clock: Moved) -> None:
    pulls.outcomes[A].append(DOWN)
    task = running.add(A)
    now = once(running, task, lambda now: now.attempts == 1 and now.not_before)
    assert (now.state, now.error) == ("waiting", Failure(name="HubDown", message=DOWN.message))
    assert now.not_before == clock.now() + 2.0
    clock.advance(2.5)
    done = running.wait(task.id)
    assert (done.state, done.error, done.attempts) == ("done", None, 0)


def test_a_failed_try_that_came_further_does_not_count(running: Queue, pulls: Pulls, clock: Moved) -> None:
    task = running.add(A)
    running.wait(task.id)
    pulls.outcomes[A].extend([DOWN, DOWN])
    pulls.steps[A].append(at(10))
    running.add(A)
    once(running, task, lambda now: now.not_before)
    pulls.steps[A].append(at(20))
    clock.advance(10)
    assert once(running, task, lambda now: not pulls.outcomes[A] and now.not_before).attempts == 1


def test_a_rate_limit_is_waited_for_by_the_hubs_other_downloads(running: Queue, pulls: Pulls, clock: Moved) -> None:
    pulls.held.set()
    pulls.outcomes[A].append(RateLimited("CivitAI asks to wait a minute.", hub="civitai", retry_after=60))
    limited, other, elsewhere = running.add(A), running.add(B), running.add(HF)
    running.pause(other.id)
    pulls.let(A, HF)
    once(running, limited, lambda now: now.attempts == 1)
    running.resume(other.id)
    assert running.wait(elsewhere.id).state == "done"
    assert [task.not_before for task in running.tasks()][:2] == [clock.now() + 61.0] * 2
    pulls.let(B)
    clock.advance(62)
    assert running.wait(other.id).state == "done"
    assert running.wait(limited.id).state == "done"


def test_only_the_last_of_those_that_failed_are_kept(home: Path, pulls: Pulls) -> None:
    for ref in (A, B, C):
        pulls.outcomes[ref].append(NotFound("It is gone."))
    with queue(home, pulls, most_failed=2, limits=QueueLimits(workers=1)) as running:
        for ref in (A, B, C):
            running.wait(running.add(ref).id, timeout=30.0)
        assert [task.ref for task in running.tasks()] == [B, C]


def test_one_that_failed_starts_afresh_by_hand_or_when_it_is_added_again(running: Queue, pulls: Pulls) -> None:
    pulls.outcomes[A] += [NotFound("It is gone."), NotFound("It is gone.")]
    failed = running.wait(running.add(A).id)
    running.retry(failed.id)
    assert running.wait(failed.id).state == "failed"
    pulls.held.set()
    again = running.add(A)
    assert (failed.attempts, again.id, again.attempts, again.error) == (1, failed.id, 0, None)


def test_retry_ends_a_wait_for_the_next_try(running: Queue, pulls: Pulls) -> None:
    pulls.outcomes[A].append(RateLimited("Wait an hour.", hub="civitai", retry_after=3600))
    task = running.add(A)
    once(running, task, lambda now: now.not_before)
    running.retry(task.id)
    assert running.wait(task.id).state == "done"


def test_a_fault_of_ours_fails_one_download(running: Queue, pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda hooked: logged.append(hooked.exc_type))
    pulls.outcomes[A].append(ZeroDivisionError())
    failed, other = running.wait(running.add(A).id), running.wait(running.add(B).id)
    assert failed.error is not None
    assert "Something in hub-ui itself went wrong" in failed.error.message
    assert (failed.state, other.state) == ("failed", "done")
    eventually(lambda: logged == [ZeroDivisionError])


def test_those_that_are_done_can_be_taken_off_the_list(running: Queue, pulls: Pulls) -> None:
    running.wait(running.add(A).id)
    pulls.outcomes[B].append(NotFound("It is gone."))
    running.wait(running.add(B).id)
    running.clear()
    assert [task.ref for task in running.tasks()] == [B]


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path, pulls: Pulls) -> None:
    Queue(tmp_path / "home" / "queue.sqlite", pulls)
    assert not (tmp_path / "home").exists()


def test_the_next_start_goes_on_with_what_ran_and_waited(tmp_path: Path, pulls: Pulls) -> None:
    pulls.held.set()
    with queue(tmp_path, pulls) as first:
        tasks = [first.add(ref) for ref in (A, B, C)]
        eventually(lambda: pulls.running == 2)
        first.pause(tasks[1].id)
        first.stop()
    with queue(tmp_path, Pulls()) as second:
        assert [second.wait(task.id).state for task in tasks] == ["done", "paused", "done"]


def test_a_hub_that_asked_for_time_is_given_it_after_a_restart_too(tmp_path: Path, pulls: Pulls, clock: Moved) -> None:
    pulls.outcomes[A].append(RateLimited("Wait.", hub="civitai", retry_after=60))
    with queue(tmp_path, pulls, clock=clock) as first:
        task = first.add(A)
        once(first, task, lambda now: now.attempts == 1 and now.not_before)
    with queue(tmp_path, pulls, clock=clock) as second:
        once(second, second.add(B), lambda now: now.not_before == clock.now() + 61.0)
        clock.advance(62)
        assert second.wait(task.id).state == "done"


def test_one_queue_runs_and_another_of_the_same_file_only_adds_and_reads(tmp_path: Path, pulls: Pulls) -> None:
    idle = Pulls()
    with queue(tmp_path, pulls) as owner:
        owner.wait(owner.add(A).id)
        with queue(tmp_path, idle) as other:
            assert other.wait(other.add(B).id).state == "done"
    assert (pulls.asked, idle.asked) == ([A, B], [])


def test_another_process_can_pause_what_runs_here(tmp_path: Path, pulls: Pulls) -> None:
    pulls.held.set()
    with queue(tmp_path, pulls) as owner:
        task = owner.add(A)
        eventually(lambda: pulls.running == 1)
        other = Queue(tmp_path / "queue.sqlite", pulls)
        other.pause(task.id)
        eventually(lambda: pulls.running == 0)
        other.stop()


def test_when_the_one_that_runs_ends_another_takes_over(tmp_path: Path, pulls: Pulls) -> None:
    heir = Pulls()
    pulls.held.set()
    with queue(tmp_path, pulls) as owner:
        task = owner.add(A)
        eventually(lambda: pulls.running == 1)
        with queue(tmp_path, heir) as other:
            owner.stop()
            assert other.wait(task.id).state == "done"
    assert heir.asked == [A]


def test_an_unusable_list_is_tried_again(tmp_path: Path, pulls: Pulls, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "queue.sqlite").mkdir()
    with caplog.at_level(logging.WARNING), queue(tmp_path, pulls) as running:
        eventually(lambda: "The queue waits" in caplog.text)
        with pytest.raises(HubUiError, match=r"The list of downloads queue\.sqlite can't be used"):
            running.add(A)
