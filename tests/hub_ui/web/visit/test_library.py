"""A hosted visitor's library: what was kept is listed, goes home as a lock, and is removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.hosting.visitor import use_visitor
from hub_ui.library import lockfile
from hub_ui.services import Services
from hub_ui.web.visitors import COOKIE
from tests.hub_ui.library.building import entry
from tests.hub_ui.web.conftest import PART, open_client, read

OPEN = "huggingface:shapeworks/ink-outline-tiny"
OFFERED = "civitai:9@9#9"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("visit")
    lock = home / "shared.lock"
    lock.write_text(lockfile.dumps([entry(ref=Ref.parse(OFFERED), title="Offered")]))
    with running_hubs(SAMPLES) as hubs:
        settings = replace(demo_settings(home / "home", home / "loras", hubs), hosted=True, shared_lock=lock)
        with services.build(settings) as built:
            yield built


@pytest.fixture
def visit(hosted: Services, tmp_path: Path) -> Iterator[TestClient]:
    """Somebody who has opened the page, and kept a LoRA."""
    with open_client(hosted, tmp_path) as client:
        client.get("/")
        downloads = hosted.visitor_downloads
        assert downloads is not None
        with use_visitor(hosted.visitors.get(client.cookies[COOKIE])):
            downloads.add(Ref.parse(OPEN))
        yield client


def titles(text: str) -> list[str]:
    return [title.text for title in read(text).select("#kept .what b")]


def test_what_was_kept_is_listed_and_what_the_operator_offers(visit: TestClient) -> None:
    page = read(visit.get("/?view=library").text)
    assert titles(str(page)) == ["ink-outline-tiny"]
    assert [title.text for title in page.select("#offered .what b")] == ["Offered"]
    assert [button.text for button in page.select("#offered button:not(.chip)")] == []


def test_a_row_leads_to_its_panel_its_first_try_and_its_file(visit: TestClient, hosted: Services) -> None:
    [opens, tries, file] = [str(link["href"]) for link in read(visit.get("/?view=library").text).select("#kept a")]
    assert opens.startswith("./?open=huggingface%3Ashapeworks%2Fink-outline-tiny%40")
    assert tries.startswith("./?view=try&lora=huggingface%3Ashapeworks%2Fink-outline-tiny%40")
    assert file.startswith(f"{hosted.settings.endpoints['huggingface']}/shapeworks/ink-outline-tiny/resolve/")


def test_it_goes_home_as_a_lock(visit: TestClient) -> None:
    answer = visit.get("/visit/loras.lock")
    assert {item.ref.id for item in lockfile.loads(answer.text)} == {"shapeworks/ink-outline-tiny", "9"}
    assert answer.headers["content-disposition"].startswith('attachment; filename="loras.lock"')


def test_a_row_is_removed_and_the_list_comes_as_it_is_then(visit: TestClient) -> None:
    ref = read(visit.get("/?view=library").text).select("#kept input[name=ref]")[0]["value"]
    answer = visit.post("/visit/remove", data={"ref": ref, "back": "view=library"}, headers=PART)
    assert titles(answer.text) == []
    assert "Nothing yet in this visit." in answer.text


def test_without_javascript_a_row_is_removed_and_the_page_comes_anew(visit: TestClient) -> None:
    ref = read(visit.get("/?view=library").text).select("#kept input[name=ref]")[0]["value"]
    answer = visit.post("/visit/remove", data={"ref": ref, "back": "view=library&q=ink"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../?view=library&q=ink")


def test_another_visitor_sees_nothing_of_it(visit: TestClient) -> None:
    visit.cookies.clear()
    assert titles(visit.get("/?view=library").text) == []


def test_what_is_no_ref_is_refused(visit: TestClient) -> None:
    assert visit.post("/visit/remove", data={"ref": "nonsense"}).status_code == 422
    assert visit.get("/visit/file?ref=nonsense").status_code == 422
