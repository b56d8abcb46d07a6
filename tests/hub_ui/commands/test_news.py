import json
from pathlib import Path

import pytest

import connectors
from connectors.errors import HubDown
from tests.hub_ui.library.shared_hubs import Line
from tests.hub_ui.stand_ins import Hub, lora


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(name="civitai", loras=[lora(title="ink lines", updated_at="2026-01-01T00:00:00Z")])
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: (hub,))
    return hub


def saved_long_ago(home: Path, text: str = "ink") -> None:
    home.mkdir(exist_ok=True)
    (home / "searches.json").write_text(json.dumps([["Ink", text, 1_700_000_000]]))


def test_what_is_new_is_told_once(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    code, first = line("news")
    [told] = first["searches"]
    assert (code, told["name"], told["query"], told["since"]) == (0, "Ink", "ink", "2023-11-14T22:13:20+00:00")
    assert [record["title"] for record in told["results"]] == ["ink lines"]
    assert line("news")[1]["searches"][0]["results"] == []


def test_what_a_hub_did_not_tell_stays_new(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    hub.error = HubDown("CivitAI is down.", hub="civitai")
    assert [each["message"] for each in line("news")[1]["searches"][0]["failures"]] == ["CivitAI is down."]
    hub.error = None
    assert len(line("news")[1]["searches"][0]["results"]) == 1


def test_offline_nothing_is_asked_and_nothing_seen(line: Line, hub: Hub, home: Path) -> None:
    saved_long_ago(home)
    assert (line("news", "--offline")[0], hub.asked) == (0, [])
    assert len(line("news")[1]["searches"][0]["results"]) == 1


@pytest.mark.parametrize("text", ["ink unheard", "base:never-listed", "rank:many"])
def test_nothing_is_new_with_fewer_words_or_in_a_wrong_search(line: Line, hub: Hub, home: Path, text: str) -> None:
    saved_long_ago(home, text)
    assert line("news")[1]["searches"][0]["results"] == []


def test_searches_are_saved_and_removed(line: Line, hub: Hub) -> None:
    assert line("news", "--save", "My ink", "ink rank:>=8")[1]["searches"][0]["query"] == "ink rank:>=8"
    assert line.words("news")[1].startswith("My ink: 0 new since just now  (ink rank:>=8)")
    assert line("news", "--remove", "My ink") == (0, {"searches": []})
    assert line("news", "--remove", "My ink")[0] == 4


def test_a_search_without_a_name_is_asked_for_one(line: Line, hub: Hub) -> None:
    code, answer = line("news", "ink wash")
    assert (code, answer["message"]) == (2, "To save that search: hub-ui news --save NAME 'ink wash'")
