from typing import Any

import pytest

from connectors.errors import BadAnswer, Gated, HubTimeout, HubUiError, RateLimited
from connectors.ref import HubName, Ref
from hub_ui.library.download.queue_tasks import QueueLimits, SpeedMeter, Task, next_up
from tests.hub_ui.library.download.queueing import HF, A, B, C, Moved


def row(ref: Ref = A, **fields: Any) -> Task:
    return Task(**{"id": 1, "ref": ref, "title": "Ink lines", "state": "waiting", **fields})


@pytest.mark.parametrize(("done", "total", "fraction"), [(1, 4, 0.25), (5, 4, 1.0), (1, None, None), (0, 0, None)])
def test_a_fraction_needs_a_total(done: int, total: int | None, fraction: float | None) -> None:
    assert row(done=done, total=total).fraction == fraction


LATER = row(A, not_before=50.0)
HELD = {"civitai": 50.0}


@pytest.mark.parametrize(
    ("rows", "running", "on_hold", "now", "found"),
    [
        pytest.param([row(A), row(B), row(C)], set(), {}, 0.0, [A, B], id="two of a hub, the first first"),
        pytest.param([row(C), row(HF)], {A, B}, {}, 0.0, [HF], id="a busy hub is stepped over"),
        pytest.param([row(HF)], {A, B, C}, {}, 0.0, [], id="all workers are busy"),
        pytest.param([LATER], set(), {}, 49.0, [], id="its time has not come"),
        pytest.param([LATER], set(), {}, 50.0, [A], id="its time has come"),
        pytest.param([row(A), row(HF)], set(), HELD, 49.0, [HF], id="a hub on hold keeps only its own waiting"),
    ],
)
def test_the_next_to_start_are_those_that_may(
    rows: list[Task], running: set[Ref], on_hold: dict[HubName, float], now: float, found: list[Ref]
) -> None:
    assert [each.ref for each in next_up(rows, running, on_hold, now, QueueLimits())] == found


@pytest.mark.parametrize(
    ("attempts", "error", "jitter", "seconds"),
    [
        (1, HubTimeout("Slow."), 1.0, 2.0),
        (1, HubTimeout("Slow."), 0.0, 1.0),
        (3, HubTimeout("Slow."), 1.0, 8.0),
        (4, HubTimeout("Slow."), 0.5, 12.0),
        (5, BadAnswer("What?"), 1.0, None),
        (1, RateLimited("Wait.", retry_after=90), 0.0, 90.0),
        (4, RateLimited("Wait.", retry_after=1), 1.0, 16.0),
        (1, RateLimited("Wait.", retry_after=99_999_999), 0.0, 3600.0),
        (1, Gated("Ask."), 1.0, None),
        (1, HubUiError("The disk is full."), 1.0, None),
    ],
)
def test_waits_grow_up_to_five_tries(attempts: int, error: HubUiError, jitter: float, seconds: float | None) -> None:
    assert QueueLimits().next_try(attempts, error, jitter) == seconds


@pytest.mark.parametrize(
    ("counts", "rate"),
    [
        pytest.param([(1_000_000, 1), (1_000_500, 0)], 500.0, id="bytes of an earlier try are no speed"),
        pytest.param([(0, 1), (1000, 10)], 0.0, id="it falls while nothing comes"),
        pytest.param([(5000, 1), (0, 1), (100, 1)], 50.0, id="a start from the front is no negative speed"),
    ],
)
def test_a_speed_is_that_of_the_last_seconds(counts: list[tuple[int, int]], rate: float) -> None:
    """After these bytes, each of which is the last for so many seconds."""
    clock = Moved()
    pace = SpeedMeter(clock.now)
    for done, seconds in counts:
        pace.update(done)
        clock.advance(seconds)
    assert pace.rate() == rate
