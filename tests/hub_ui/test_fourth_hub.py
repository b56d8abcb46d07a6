"""A hub that is only a row of the registry and a connector is met everywhere that the others are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import BadQuery, BadRef
from connectors.query import Query
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui import cli, services
from hub_ui.pages.browse import detail, painter, results
from hub_ui.pages.browse.page import submit
from hub_ui.pages.browse.painter import Window
from hub_ui.pages.settings import settings_view
from hub_ui.web.view import View
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from hub_ui.widgets.settings import settings_html
from tests.connectors import examplehub, serving
from tests.connectors.serving import Answer, said
from tests.hub_ui.library.building import weights

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


@pytest.mark.parametrize("text", ["examplehub:ink-lines", "EH:ink-lines", "https://examplehub.invalid/l/ink-lines"])
def test_its_refs_are_read(built: Services, text: str) -> None:
    assert str(Ref.parse(text)) == "examplehub:ink-lines"
    assert submit(built, View(), text).open == "examplehub:ink-lines"


def test_a_ref_that_names_nothing_there_is_told_with_an_example(built: Services) -> None:
    with pytest.raises(BadRef, match="examplehub:SLUG"):
        submit(built, View(), "examplehub:9")


def test_the_page_shows_its_card_its_filter_and_its_state(built: Services) -> None:
    *_, last = results.search(built, Query(hubs=("examplehub",)))
    _, cards, _, sentence, filters, states = painter.paint(built, Renderer(), last, Window())
    shown = results.read_cards(built, last, range(9))
    assert [str(record.ref) for record in shown.values()] == [FILE]
    assert 'class="mark EX"' in cards
    for html in (cards, sentence, filters, states):
        assert "Example Hub" in html


def test_the_panel_opens_it(built: Services) -> None:
    *_, (html, opened) = detail.show(built, Renderer(), View(open="examplehub:ink-lines"))
    assert opened == "examplehub:ink-lines"
    assert "Example Hub" in html
    assert "inkstyle" in html


def test_the_settings_say_where_it_answers_and_where_its_key_is(server: serving.Hub, built: Services) -> None:
    html = settings_html(Renderer(), settings_view(built))
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


def test_without_its_row_it_is_no_hub() -> None:
    with pytest.raises(BadQuery, match="is no hub"):
        Query.of(hubs=("examplehub",))


def test_the_help_of_a_search_names_every_hub(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "--help"]) == 0
    assert ", ".join(HUBS) in capsys.readouterr().out
