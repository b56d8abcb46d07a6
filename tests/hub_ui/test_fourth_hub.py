"""A hub that is only a row of the registry and a connector is met everywhere that the others are."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from connectors.errors import BadQuery
from connectors.query_language import parse
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.commands import cli
from hub_ui.settings import from_environment
from tests.connectors import examplehub, serving
from tests.connectors.serving import Answer, said
from tests.hub_ui.library.building import weights
from tests.hub_ui.web.conftest import open_client, parts

ITEM = {"slug": "ink-lines", "title": "Ink lines", "base": "SDXL 1.0", "revision": 3, "file": "ink.safetensors"}
FILE = "examplehub:ink-lines@r3#ink.safetensors"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.Hub]:
    """The fourth hub is the only one that answers."""
    monkeypatch.setitem(HUBS, "examplehub", examplehub.ROW)
    with serving.hub() as server:
        server.answers = {
            "/loras": said({"items": [ITEM]}),
            "/loras/ink-lines": said(ITEM),
            "/files/ink-lines/r3/ink.safetensors": Answer(body=weights()),
        }
        for hub in HUBS.values():
            monkeypatch.setenv(hub.endpoint_variable, "http://127.0.0.1:9")
        monkeypatch.setenv("EXAMPLEHUB_ENDPOINT", server.url)
        monkeypatch.setenv("EXAMPLEHUB_TOKEN", "eh_key")
        monkeypatch.setenv("HUB_UI_HOME", str(home))
        yield server


@pytest.fixture
def built(server: serving.Hub, home: Path) -> Iterator[Services]:
    environ = {"EXAMPLEHUB_ENDPOINT": server.url, "EXAMPLEHUB_TOKEN": "eh_key", "HUB_UI_HOME": str(home)}
    with services.build(from_environment(environ)) as made:
        yield made


@pytest.fixture
def page(built: Services, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(built, tmp_path) as client:
        yield client


@pytest.mark.parametrize("text", ["examplehub:ink-lines", "EH:ink-lines", "https://examplehub.invalid/l/ink-lines"])
def test_its_refs_are_read(page: TestClient, text: str) -> None:
    assert str(Ref.parse(text)) == "examplehub:ink-lines"
    assert page.get("/", params={"q": text}).headers["location"] == "./?open=examplehub%3Aink-lines"


def test_the_page_has_its_card_filter_and_state_and_says_which_ref_names_nothing(page: TestClient) -> None:
    answer = page.get("/", params={"q": "examplehub:9"})
    assert (answer.status_code, "examplehub:SLUG" in answer.text) == (422, True)
    last = parts(page.get("/ask?hub=examplehub").text)[-1]
    assert [(card.text, card["href"]) for card in last.select(".hit")] == [
        ("Ink lines", f"./?open={quote(FILE, safe='')}")
    ]
    assert [mark.text for mark in last.select(".mark")] == ["EX"]
    for place in ("#filters", "#line", "#hubs-menu"):
        assert "Example Hub" in last.select(f"hx-partial[hx-target='{place}']")[0].text


def test_the_panel_opens_it_and_the_settings_have_its_address_and_key(page: TestClient, server: serving.Hub) -> None:
    panel = page.get("/?open=examplehub:ink-lines").text
    steps = parts(page.get("/lora/read?open=examplehub:ink-lines").text)
    assert "Example Hub" in panel + steps[-1].text
    assert "inkstyle" in panel + steps[-1].text
    html = page.get("/settings").text
    assert "Example Hub" in html
    assert server.url in html
    assert "EXAMPLEHUB_TOKEN" in html
    assert "eh_key" not in html


def test_a_pull_brings_its_file_and_pins_it_in_the_lock_file(server: serving.Hub, built: Services) -> None:
    entry = built.downloads.pull(Ref.parse("eh:ink-lines"))
    assert str(entry.ref) == FILE
    assert f'ref = "{FILE}"' in built.settings.lock.read_text(encoding="utf-8")
    assert {asked.headers.get("Authorization") for asked in server.asked} == {"Bearer eh_key"}


def test_the_command_line_searches_it(server: serving.Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "ink", "--hub", "examplehub", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["ref"], one["hub"], one["base_model"]) for one in found["results"]] == [
        (FILE, "examplehub", "sdxl-1.0")
    ]
    assert found["failures"] == []


def test_without_its_row_it_is_no_hub_and_the_help_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadQuery, match="is no value for hub"):
        parse("hub:examplehub")
    assert cli.main(["search", "--help"]) == 0
    said = capsys.readouterr().out
    assert [hub for hub in HUBS if hub not in said] == []
