import pytest

from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.replicate_runs import Runs

RECORDED: Json = {"id": "old", "status": "processing", "created_at": "2024-01-01T00:00:00Z"}


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def runs(clock: list[float]) -> Runs:
    return Runs(kind="predictions", origin="http://r", recorded={"old": RECORDED}, now=lambda: clock[0])


def create(runs: Runs, *, finished: bool = False) -> Json:
    return runs.create(model="o/n", version="v", inputs={"prompt": "x"}, output=lambda run: [run], finished=finished)


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
