from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.library.download.queue_tasks import Failure, Task, TaskState
from hub_ui.web.downloads import drawer
from hub_ui.web.downloads.routes import DownloadRoutes
from hub_ui.web.layout.pages import Pages, Signal
from hub_ui.web.layout.render import Renderer
from tests.hub_ui.library.download.queueing import A, B, Pulls, eventually
from tests.hub_ui.web.conftest import PART, open_client, read


@pytest.fixture
def client(queued: Services, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(queued, tmp_path) as opened:
        yield opened


def states(built: Services) -> list[str]:
    return [task.state for task in built.queue.tasks()]


def settle(built: Services) -> None:
    eventually(lambda: all(task.rests for task in built.queue.tasks()))


def test_each_page_has_the_drawer_with_its_number(client: TestClient, queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    queued.downloads.enqueue(A)
    page = read(client.get("/").text)
    assert page.select_one("#downloads").text == "↓Downloads, 1 running 1"
    assert page.select_one("#downloads-stream")["hx-sse:connect"] == "downloads/stream"


def test_while_nothing_moves_there_is_no_stream_and_no_act_is_refused(client: TestClient, queued: Services) -> None:
    assert not read(client.get("/").text).select("#downloads-stream")
    page = read(client.get("/downloads").text)
    assert "Nothing is being downloaded." in page.text
    assert client.get("/downloads/stream").text.count("data: ") > 0
    assert client.post("/downloads/stop", data={"id": 1}).status_code == 422
    assert client.post("/downloads/pause", data={"id": "x"}).status_code == 422
    assert "That is no download of this list." in client.post("/downloads/pause", headers=PART).text


def test_the_drawer_is_filled_when_it_is_opened(client: TestClient, queued: Services) -> None:
    queued.downloads.enqueue(A, "Ink <b>")
    settle(queued)
    drawer = read(client.get("/downloads", headers={**PART, "HX-Target": "div#drawer"}).text)
    assert drawer.html is None
    assert [row.text for row in drawer.select(".tasks b")] == ["Ink <b>"]
    assert [button.text for button in drawer.select(".tasks button")] == ["Dismiss"]


def test_buttons_reach_the_queue(client: TestClient, queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    id_ = queued.downloads.enqueue(A).id
    answer = client.post("/downloads/pause", data={"id": id_}, headers=PART)
    assert "Paused" in read(answer.text).text
    eventually(lambda: states(queued) == ["paused"])
    answer = client.post("/downloads/cancel", data={"id": id_})
    assert (answer.status_code, answer.headers["location"]) == (303, "../downloads")
    eventually(lambda: states(queued) == [])


def test_all_are_paused_resumed_and_cleared_at_once(client: TestClient, queued: Services, pulls: Pulls) -> None:
    pulls.held.set()
    for ref in (A, B):
        queued.downloads.enqueue(ref)
    client.post("/downloads/pause-all")
    eventually(lambda: states(queued) == ["paused", "paused"])
    pulls.held.clear()
    client.post("/downloads/resume-all")
    eventually(lambda: states(queued) == ["done", "done"])
    client.post("/downloads/clear")
    assert states(queued) == []


def test_the_stream_tells_what_moves_and_ends_when_all_rests(queued: Services, pulls: Pulls) -> None:
    routes = DownloadRoutes(pages=Pages(services=queued))
    pulls.held.set()
    queued.downloads.enqueue(A, "Ink")
    steps = routes.steps()
    assert "downloads-stream" in str(next(steps))
    pulls.held.clear()
    last = [step for step in steps if step]
    assert last[-1] == Signal("arrived")
    assert "downloads-stream" not in str(last[-2])
    assert "In library" in str(last[-2])


@pytest.mark.parametrize(("address", "count"), [("/downloads", 5), ("/?open=civitai:1", 2)])
def test_acts_of_the_list_wait_for_each_other_whatever_answers_take_away(
    client: TestClient, queued: Services, pulls: Pulls, address: str, count: int
) -> None:
    # A button that an answer has taken out of the page inherits nothing.
    client.get("/ask")
    pulls.held.set()
    for ref in (A, Ref.parse("civitai:1@10#100")):
        queued.downloads.enqueue(ref, "Ink")
    buttons = read(client.get(address).text).select("button[hx-post^='downloads/']")
    assert [button.get("hx-sync") for button in buttons] == ["#drawer:queue all"] * count


def test_what_failed_says_why_and_can_be_tried_again(client: TestClient, queued: Services, pulls: Pulls) -> None:
    pulls.outcomes[A].append(NotFound("“Ink” is <gone>.", hub="civitai"))
    queued.downloads.enqueue(A, "Ink")
    settle(queued)
    page = read(client.get("/downloads").text)
    assert [said.text for said in page.select(".tasks .problem")] == ["Not downloaded", "It is <gone>."]
    assert [button.text for button in page.select(".tasks button")] == ["Try again", "Remove"]


def test_the_panel_shows_the_download_of_its_file(client: TestClient, queued: Services, pulls: Pulls) -> None:
    client.get("/ask")
    pulls.held.set()
    ref = "civitai:1@10#100"
    client.get("/?open=civitai:1")
    answer = client.post("/lora/download", data={"ref": ref, "back": f"open={ref}"}, headers=PART)
    part = read(answer.text)
    assert [button.text for button in part.select(".getting .coming button")] == ["Pause", "Cancel"]
    assert part.select("[hx-target='#downloads']")


INK = Ref.parse("civitai:1001@2001#3001")
NOW = 1_000_000.0
DOWN = Failure(name="HubDown", message="CivitAI can't be reached.")
HALF_WAY: dict[str, Any] = {"done": 12_000_000, "total": 38_000_000}
LATER: dict[str, Any] = {"state": "waiting", "not_before": NOW + 58}
PAGE = "https://civitai.com/models/1001"
GATED = Failure(name="Gated", message=f"The author grants access one by one. Its page: {PAGE}")


def task(**fields: Any) -> Task:
    return Task(**{"id": 7, "ref": INK, "title": "Ink lines", "state": "running", **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (HALF_WAY | {"speed": 4.1e6, "seconds_left": 6.3}, "12 MB of 38 MB · 4.1 MB/s · 6 s left"),
        ({"done": 12_000_000, "speed": 4.1e6}, "12 MB · 4.1 MB/s"),
        ({}, "Asking the hub…"),
        ({"state": "waiting"}, "Waits for its turn"),
        (LATER | {"attempts": 2, "error": DOWN}, "Tried again in 58 s · failed 2 of 5 times"),
        ({"state": "waiting", "not_before": NOW + 90}, "Starts in 1 min 30 s: its hub asks us to wait"),
        (HALF_WAY | {"state": "paused"}, "Paused · 12 MB of 38 MB"),
        ({"state": "failed", "error": DOWN}, "Not downloaded"),
        ({"state": "done", "total": 38_000_000}, "38 MB · in the library"),
    ],
)
def test_each_state_in_a_few_words(fields: dict[str, Any], said: str) -> None:
    assert drawer.line(task(**fields), NOW) == said


def shown(**fields: Any) -> Any:
    values = {"task": task(**fields), "task_line": lambda task: drawer.line(task, NOW), "hub_page": lambda _task: PAGE}
    return read(Renderer()("downloads/line", **values))


@pytest.mark.parametrize(
    ("fields", "buttons"),
    [
        ({}, ["Pause", "Cancel"]),
        ({"state": "waiting", "not_before": NOW + 5}, ["Try now", "Pause", "Cancel"]),
        ({"state": "paused"}, ["Resume", "Cancel"]),
        ({"state": "failed", "error": DOWN}, ["Try again", "Remove"]),
    ],
)
def test_each_state_has_its_buttons(fields: dict[str, Any], buttons: list[str]) -> None:
    assert [button.text for button in shown(**fields).select("button")] == buttons


def test_a_failure_is_told_with_its_page_and_what_runs_stands_first_and_what_is_done_last() -> None:
    gated = shown(state="failed", error=GATED)
    assert [a["href"] for a in gated.select(".problem a")] == [PAGE]
    assert "one by one. Open its page ↗" in gated.text
    assert not shown(error=GATED).select(".problem")
    states: list[TaskState] = ["done", "waiting", "failed", "running", "paused", "done"]
    tasks = [task(id=number, state=state) for number, state in enumerate(states)]
    assert [found.id for found in drawer.sort_tasks(tasks)] == [3, 2, 4, 1, 5, 0]


def test_only_what_its_hub_asks_for_has_a_page_of_the_hub(client: TestClient, queued: Services) -> None:
    client.get("/ask")
    page = drawer.drawer_values(queued)["hub_page"]
    found = Ref.parse("civitai:1@10#100")
    assert page(task(ref=found, error=GATED)).startswith("https://")
    assert page(task(ref=found, error=DOWN)) == ""
