from pathlib import Path
from typing import Any

import pytest

from connectors.errors import BadAnswer, Gated, HubTimeout, HubUiError, RateLimited
from connectors.ref import Ref
from hub_ui.library.queue_store import QueueLimits, QueueStore, Row, SpeedMeter, next_up, seconds_until
from tests.hub_ui.library.queueing import HF, A, B, C, Moved


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def test_a_row_is_there_after_opening_again(path: Path) -> None:
    first = QueueStore(path)
    first.add("civitai:1", "Ink lines")
    first.close()
    again = QueueStore(path)
    assert [(row.ref, row.title, row.state) for row in again.rows()] == [("civitai:1", "Ink lines", "waiting")]
    again.close()


def test_adding_a_ref_that_runs_changes_nothing(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    store.move(row.id, "running", only_from=("waiting",))
    assert store.add("civitai:1", "Ink lines").state == "running"
    store.close()


def test_adding_a_ref_that_failed_starts_it_afresh(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    store.move(row.id, "failed", only_from=("waiting",), attempts=5, error_name="NotFound", error_message="Gone.")
    again = store.add("civitai:1", "Ink lines")
    assert (again.id, again.state, again.attempts, again.error_name) == (row.id, "waiting", 0, None)
    store.close()


def test_a_move_from_another_state_does_nothing(path: Path) -> None:
    store = QueueStore(path)
    row = store.add("civitai:1", "Ink lines")
    assert not store.move(row.id, "done", only_from=("running",))
    assert store.rows()[0].state == "waiting"
    store.close()


def test_what_ran_waits_again(path: Path) -> None:
    store = QueueStore(path)
    store.move(store.add("civitai:1", "").id, "running", only_from=("waiting",))
    store.waiting_again()
    assert [row.state for row in store.rows(("waiting",))] == ["waiting"]
    store.close()


def test_only_the_last_of_those_that_are_done_are_kept(path: Path) -> None:
    store = QueueStore(path)
    for number in range(4):
        store.move(store.add(f"civitai:{number}", "").id, "done", only_from=("waiting",))
    store.add("civitai:9", "")
    store.prune("done", 2)
    assert [row.ref for row in store.rows()] == ["civitai:2", "civitai:3", "civitai:9"]
    store.close()


def row(ref: Ref = A, **fields: Any) -> Row:
    values: dict[str, Any] = {
        "id": 1, "ref": str(ref), "title": "Ink lines", "state": "waiting", "done": 0, "total": None, "best": 0,
        "error_name": None, "error_message": None, "attempts": 0, "not_before": 0.0,
    }  # fmt: skip
    return Row(**{**values, **fields})


def refs(rows: list[Row]) -> list[str]:
    return [found.ref for found in rows]


def test_first_come_first_served() -> None:
    assert refs(next_up([row(A), row(B), row(C)], set(), {}, 0.0, QueueLimits())) == [str(A), str(B)]


def test_a_busy_hub_is_stepped_over() -> None:
    assert refs(next_up([row(C), row(HF)], {A, B}, {}, 0.0, QueueLimits())) == [str(HF)]


def test_nothing_starts_while_all_workers_are_busy() -> None:
    assert next_up([row(HF)], {A, B, C}, {}, 0.0, QueueLimits()) == []


def test_one_whose_time_has_not_come_waits() -> None:
    later = row(A, not_before=50.0)
    assert next_up([later], set(), {}, 49.0, QueueLimits()) == []
    assert next_up([later], set(), {}, 50.0, QueueLimits()) == [later]


def test_a_hub_on_hold_keeps_only_its_own_waiting() -> None:
    assert refs(next_up([row(A), row(HF)], set(), {"civitai": 50.0}, 49.0, QueueLimits())) == [str(HF)]


def test_the_next_look_is_when_the_first_may_start() -> None:
    assert seconds_until([row(A, not_before=70.0), row(HF, not_before=60.0)], {}, 50.0) == 10.0
    assert seconds_until([row(A)], {}, 50.0) is None


@pytest.mark.parametrize(
    ("attempts", "jitter", "seconds"), [(1, 1.0, 2.0), (1, 0.0, 1.0), (3, 1.0, 8.0), (4, 0.5, 12.0)]
)
def test_waits_grow_and_are_spread(attempts: int, jitter: float, seconds: float) -> None:
    assert QueueLimits().next_try(attempts, HubTimeout("Slow."), jitter) == seconds


def test_no_hub_is_given_more_than_an_hour() -> None:
    assert QueueLimits().next_try(1, RateLimited("Wait.", retry_after=99_999_999), 0.0) == 3600.0


def test_a_hub_is_given_the_time_it_asks_for_and_never_less() -> None:
    assert QueueLimits().next_try(1, RateLimited("Wait.", retry_after=90), 0.0) == 90.0
    assert QueueLimits().next_try(4, RateLimited("Wait.", retry_after=1), 1.0) == 16.0


@pytest.mark.parametrize("error", [Gated("Ask."), HubUiError("The disk is full.")])
def test_what_time_does_not_mend_is_not_tried_again(error: HubUiError) -> None:
    assert QueueLimits().next_try(1, error, 1.0) is None


def test_five_tries_are_enough() -> None:
    assert QueueLimits().next_try(5, BadAnswer("What?"), 1.0) is None


def rate(*counts: tuple[int, int]) -> float:
    """After these bytes, each of which is the last for so many seconds."""
    clock = Moved()
    pace = SpeedMeter(clock.now)
    for done, seconds in counts:
        pace.update(done)
        clock.advance(seconds)
    return pace.rate() or 0.0


def test_bytes_of_an_earlier_try_are_not_speed() -> None:
    assert rate((1_000_000, 1), (1_000_500, 0)) == 500.0


def test_a_speed_is_smooth() -> None:
    assert 100.0 < rate((0, 1), (100, 1), (200, 1), (1200, 1)) < 1000.0


def test_a_speed_falls_while_nothing_comes() -> None:
    assert rate((0, 1), (1000, 10)) == 0.0


def test_a_start_from_the_front_is_no_negative_speed() -> None:
    assert rate((5000, 1), (0, 1), (100, 1)) >= 0.0
