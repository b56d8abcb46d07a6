"""The Train page against the local Replicate: what it costs, the training itself, and what came of it."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.requests import Request
from starlette.testclient import TestClient

from connectors.claims.resolve import record_of
from connectors.ref import Ref
from connectors.replicate.runs import Runs, list_running
from hub_ui.app.jobs import Jobs, Stopped
from hub_ui.app.services import Services
from hub_ui.demo.hubs.server import hub_apps, running_hubs
from hub_ui.web.layout.pages import Pages
from hub_ui.web.train import TrainRoutes
from hub_ui.web.uploads import Uploads
from tests.hub_ui.images.building import image_bytes
from tests.hub_ui.library.download.queueing import eventually
from tests.hub_ui.library.shared_hubs import CONTRACT
from tests.hub_ui.stand_ins import services_of
from tests.hub_ui.web.conftest import PART, open_client, parts, read, with_settings

VALUES = {"destination": "local/boat", "trigger": "BOATX", "rank": "8", "steps": "1000"}


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with replicate(tmp_path_factory.mktemp("train")) as built:
        yield built


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """On a Replicate that trains for longer than any test."""
    with replicate(tmp_path_factory.mktemp("slow"), run_seconds=600) as built:
        yield built


@pytest.fixture
def lasting(slow: Services) -> Iterator[Services]:
    yield slow
    with closing(Runs(slow.replicate)) as runs:
        for run in list_running(runs):
            runs.cancel(run)


@contextmanager
def replicate(folder: Path, **options: Any) -> Iterator[Services]:
    copytree(CONTRACT, folder / "data")
    apps = partial(hub_apps, **options)
    with running_hubs(folder / "data", apps=apps) as hubs, services_of(hubs, folder / "home") as built:
        yield built


@pytest.fixture(scope="module")
def page(online: Services) -> Iterator[TestClient]:
    """Where no training is started."""
    with open_client(online, online.settings.home) as client:
        yield client


@pytest.fixture
def another(online: Services, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(online, tmp_path) as client:
        yield client


IMAGES = [("pictures", (f"{i}.png", image_bytes(600 + i), "image/png")) for i in range(3)]


def ask_price(page: TestClient, *, files: Any = IMAGES, part: bool = True, **changed: str) -> Any:
    headers = PART if part else {}
    return page.post("/train/price", data={**VALUES, **changed}, files=files, headers=headers)


def fields(form: BeautifulSoup) -> dict[str, str]:
    return {str(field["name"]): str(field["value"]) for field in form.select("form.consent input[name]")}


def start(page: TestClient, **changed: str) -> Any:
    return page.post("/train/start", data=fields(read(ask_price(page, part=True, **changed).text)), headers=PART)


def rows(page: TestClient) -> list[str]:
    return [" ".join(row.text.split()) for row in read(page.get("/train").text).select("#trainings .row")]


def wait_for(page: TestClient, text: str) -> str:
    return eventually(lambda: [row for row in rows(page) if text in row])[0]


def test_the_price_of_images_or_a_zip_is_told_before_anything_is_sent(page: TestClient, online: Services) -> None:
    answer = read(ask_price(page).text)
    assert "3 images, 0 with a caption: 1000 steps at rank 8 take about" in answer.text
    assert [button.text for button in answer.select("button")] == ["Start the training"]
    assert answer.select_one("input[type=checkbox][required]") is not None
    assert rows(page) == []
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as file:
        for i in range(3):
            file.writestr(f"{i}.png", image_bytes(600 + i))
            file.writestr(f"{i}.txt", "a boat")
    answer = ask_price(page, files=[("pictures", ("boats.zip", zipped.getvalue(), "application/zip"))])
    assert "3 images, 3 with a caption" in answer.text


def test_without_javascript_the_price_stands_on_the_page_beside_what_was_typed(another: TestClient) -> None:
    answer = read(ask_price(another, part=False).text)
    typed = {str(field["name"]): field.get("value") for field in answer.select("#train-form input:not([type=file])")}
    assert typed == VALUES
    assert "3 images, 0 with a caption" in answer.select("#price")[0].text
    started = another.post("/train/start", data=fields(answer))
    assert (started.status_code, started.headers["location"]) == (303, "../train#trainings")


def test_a_training_ends_with_a_lora_to_open_try_and_download(another: TestClient, online: Services) -> None:
    assert start(another, destination="local/sloop").status_code == 200
    wait_for(another, "Your LoRA is there")
    [row] = read(another.get("/train").text).select("#trainings .row")
    ref = Ref.parse(row.select("input[name=ref]")[0]["value"])
    assert (ref.id, ref.is_pinned) == ("local/sloop", True)
    assert [each.text for each in row.select("a, button")] == ["Open it", "Try it", "Download"]
    lora = online.catalog.lora(ref)
    assert lora is not None
    assert "BOATX" in record_of(lora, ref).trigger_words


def test_a_training_is_followed_step_by_step_and_after_a_reload_too(another: TestClient) -> None:
    start(another, destination="local/cutter")
    follow = read(another.get("/train").text).select("#trainings [hx-get^=jobs]")[0]["hx-get"]
    steps = [step.text for step in parts(another.get(f"/{follow}").text)]
    assert "Your LoRA is there" in steps[-1]
    assert "local/cutter" in rows(another)[0]
    assert read(another.get("/train").text).select("[hx-get^=jobs]") == []


def test_a_start_that_is_pressed_twice_is_one_training(lasting: Services, tmp_path: Path) -> None:
    with open_client(lasting, tmp_path) as page:
        consent = fields(read(ask_price(page).text))
        for _ in range(2):
            page.post("/train/start", data=consent, headers=PART)
        assert len(rows(page)) == 1


def test_a_training_is_cancelled_from_the_list(lasting: Services, tmp_path: Path) -> None:
    with open_client(lasting, tmp_path) as page:
        start(page)
        wait_for(page, "Cancel")
        action = read(page.get("/train").text).select("#trainings form[action^=jobs]")[0]["action"]
        assert page.post(f"/{action}").headers["location"] == "../train#trainings"
        assert rows(page) == []
        assert read(page.get("/train/elsewhere", headers=PART).text).select(".row") == []


@pytest.mark.parametrize(
    ("last_word", "said"),
    [
        ("The training is cancelled.", "The training is cancelled."),
        ("The app ends.", "This training is not followed any more. Load the page again."),
    ],
)
def test_only_a_training_that_was_cancelled_is_said_to_be(online: Services, last_word: str, said: str) -> None:
    uploads = Uploads(folder=online.settings.home, limits=online.policy.limits, spend=lambda size: None)
    with closing(Runs(online.replicate)) as runs:
        train = TrainRoutes(pages=Pages(services=online), runs=runs, jobs=Jobs(), uploads=uploads)
        steps = train.paint(Request({"type": "http"}), "id", iter([(1, Stopped(text=last_word))]))
        assert [read(step).text for step in steps] == [said]


def test_one_that_nobody_follows_here_is_listed_and_followed(lasting: Services, tmp_path: Path) -> None:
    with open_client(lasting, tmp_path) as other:
        start(other)
        wait_for(other, "Cancel")
        with open_client(lasting, tmp_path) as page:
            [row] = read(page.get("/train/elsewhere", headers=PART).text).select(".row")
            run = row.select("input[name=run]")[0]["value"]
            page.post("/train/follow", data={"run": run}, headers=PART)
            assert rows(page)[0].startswith("BOATX Waiting for a machine on Replicate")
            assert page.post("/train/cancel", data={"run": run}).status_code == 303


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"files": [("pictures", ("", b"", "image/png"))]}, "Choose images first"),
        ({"files": [("pictures", ("a.png", b"no image", "image/png"))] * 2}, "Two of the files have the same name"),
        ({"files": [("pictures", ("boats.zip", b"no zip", "application/zip"))]}, "boats.zip can't be read as a zip"),
        ({"destination": "boat"}, "Write OWNER/NAME"),
        ({"trigger": ""}, "A trigger word"),
        ({"rank": "x"}, "A rank is a whole number"),
        ({"steps": "9999999"}, "Train for 3 to 6000 steps"),
    ],
)
def test_what_is_missing_is_told_with_the_next_step(page: TestClient, changed: dict[str, Any], said: str) -> None:
    answer = read(ask_price(page, part=True, **changed).text)
    assert said in answer.select(".problem")[0].text
    assert answer.select("button") == []


def test_images_that_are_gone_and_more_than_replicate_takes_are_refused(page: TestClient) -> None:
    for images in ("x" * 32, "../../etc/passwd"):
        answer = page.post("/train/start", data={**VALUES, "images": images}, headers=PART)
        assert (answer.status_code, "The images are no longer here." in answer.text) == (422, True)
    answer = page.post("/train/price", content=b"", headers={**PART, "Content-Length": "200000000"})
    assert (answer.status_code, "This is too much for one request." in answer.text) == (413, True)


def test_without_a_key_the_page_says_where_to_get_one(online: Services, tmp_path: Path) -> None:
    with open_client(with_settings(online, tokens={}), tmp_path) as page:
        assert "REPLICATE_API_TOKEN" in page.get("/train/elsewhere", headers=PART).text
        assert "REPLICATE_API_TOKEN" in ask_price(page).text


def test_strangers_train_nothing_and_are_told_so(online: Services, tmp_path: Path) -> None:
    with open_client(with_settings(online, hosted=True), tmp_path) as page:
        shown = read(page.get("/train").text)
    assert "A shared page trains nothing." in shown.select("main")[0].text
    assert shown.select("main form") == []
    assert "Train" not in [link.text for link in shown.select("#header .pop a")]
