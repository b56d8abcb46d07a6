from typing import Any

import pytest

from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.replicate_runs import Runs, bars

RECORDED: Json = {"id": "old", "status": "processing", "created_at": "2024-01-01T00:00:00Z"}


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def runs(clock: list[float]) -> Runs:
    return Runs(kind="predictions", origin="http://r", recorded={"old": RECORDED}, now=lambda: clock[0])


def create(runs: Runs, *, finished: bool = False, **fields: Any) -> Json:
    given = {"output": lambda run: [run], **fields}
    return runs.create(model="o/n", version="v", inputs={"prompt": "x"}, finished=finished, **given)


def test_a_run_starts_and_succeeds_a_moment_later(runs: Runs, clock: list[float]) -> None:
    made = create(runs)
    assert (made["status"], made["output"]) == ("starting", None)
    clock[0] += 1
    assert runs.get(made["id"]) == {**made, "status": "succeeded", "output": [made["id"]], **times(runs, made)}


def times(runs: Runs, made: Json) -> Json:
    shown = runs.get(made["id"]) or {}
    return {key: shown[key] for key in ("started_at", "completed_at", "metrics")}


def test_a_run_that_is_waited_for_is_done(runs: Runs) -> None:
    assert create(runs, finished=True)["status"] == "succeeded"


def test_a_canceled_run_never_succeeds(runs: Runs, clock: list[float]) -> None:
    made = create(runs)
    runs.cancel(made["id"])
    clock[0] += 1
    assert (runs.get(made["id"]) or {})["status"] == "canceled"


def test_a_finished_run_is_not_canceled_and_a_recorded_one_is(runs: Runs) -> None:
    assert (runs.cancel(create(runs, finished=True)["id"]) or {})["status"] == "succeeded"
    assert (runs.cancel("old") or {})["status"] == "canceled"
    assert runs.cancel("nothing") is None


def test_runs_are_listed_newest_first(runs: Runs) -> None:
    made = create(runs)
    assert [run["id"] for run in runs.all()] == [made["id"], "old"]


def test_a_run_works_for_a_while_and_its_logs_grow(runs: Runs, clock: list[float]) -> None:
    made = create(runs, logs=["one", "two", "three", "four"])
    shown = []
    for _ in range(5):
        clock[0] += 0.051
        run = runs.get(made["id"]) or {}
        shown.append((run["status"], run["logs"].split()))
    assert shown[0] == ("processing", ["one"])
    assert shown[1] == ("processing", ["one", "two"])
    assert shown[-1] == ("succeeded", ["one", "two", "three", "four"])


def test_a_run_that_fails_says_why_and_made_nothing(runs: Runs, clock: list[float]) -> None:
    made = create(runs, error="out of memory", output=lambda _: pytest.fail("asked for an output"))
    clock[0] += 1
    run = runs.get(made["id"]) or {}
    assert (run["status"], run["error"], run["output"]) == ("failed", "out of memory", None)


def test_what_a_run_makes_is_made_once_and_without_being_asked_about(runs: Runs, clock: list[float]) -> None:
    asked: list[str] = []
    made = create(runs, output=asked.append)
    runs.settle()
    assert asked == []
    clock[0] += 1
    runs.settle()
    runs.get(made["id"])
    assert asked == [made["id"]]


def test_what_was_cancelled_makes_nothing(runs: Runs, clock: list[float]) -> None:
    made = create(runs, output=lambda _: pytest.fail("asked for an output"))
    runs.cancel(made["id"])
    clock[0] += 1
    runs.settle()


def test_a_bar_is_drawn_as_tqdm_does() -> None:
    assert bars(4) == [
        "  0%|          | 0/4 [00:01<00:01]",
        " 25%|██        | 1/4 [00:01<00:01]",
        " 50%|█████     | 2/4 [00:01<00:01]",
        " 75%|███████   | 3/4 [00:01<00:01]",
        "100%|██████████| 4/4 [00:01<00:01]",
    ]
    assert len(bars(1_000, name="train: ")) == 51
