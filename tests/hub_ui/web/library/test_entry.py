from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from connectors.record import Claim
from hub_ui.library.annotations import Annotation
from hub_ui.services import Services
from hub_ui.web.library import routes
from tests.hub_ui.library.building import INK
from tests.hub_ui.stand_ins import Hub, lora
from tests.hub_ui.web.conftest import PART, read
from tests.hub_ui.web.library.conftest import MIST


def change(client: TestClient, do: str, value: str = "") -> Any:
    """What the panel says after a change of the first entry, and the row with it."""
    data = {"do": do, "ref": str(INK), "value": value, "back": "view=library"}
    return read(client.post("/library/entry", data=data, headers=PART).text)


def own(built: Services) -> Annotation:
    return built.annotations.get(INK)


def test_an_entry_opens_in_the_panel_and_is_part_of_the_whole_page(client: TestClient, built: Services) -> None:
    address = f"/?view=library&open={str(INK).replace('#', '%23')}"
    for headers in ({}, {**PART, "HX-Target": "aside#panel"}):
        page = read(client.get(address, headers=headers).text)
        assert page.select_one(".entry h2").text == "Ink"
        assert str(built.library.path(built.library.entry(INK))) in page.text


def test_an_entry_opens_by_the_address_of_its_lora(client: TestClient) -> None:
    page = read(client.get("/?view=library&open=civitai:1001").text)
    assert (page.select_one(".entry h2").text, page.select_one(".entry code").text) == ("Ink", str(INK))


def test_an_entry_that_is_gone_says_so(client: TestClient) -> None:
    page = read(client.get("/?view=library&open=civitai:404").text)
    assert "is not in the library any more" in page.select_one("#panel").text


def test_a_note_is_saved_and_stands_in_the_row(client: TestClient, built: Services) -> None:
    part = change(client, "note", "For covers.\nNot for faces.")
    assert own(built).note.split() == ["For", "covers.", "Not", "for", "faces."]
    assert part.select_one("hx-partial .snippet").text == "For covers. Not for faces."


def test_without_a_script_a_change_leads_back_to_the_entry(client: TestClient, built: Services) -> None:
    answer = client.post(
        "/library/entry", data={"do": "note", "ref": str(INK), "value": "Dark", "back": "view=library"}
    )
    assert answer.headers["location"] == "../?view=library&open=civitai%3A1001%402001%233001"
    assert own(built).note == "Dark"


def test_a_note_that_can_not_be_saved_stays_on_the_page_with_the_reason(client: TestClient, built: Services) -> None:
    part = change(client, "note", "x" * 4001)
    assert "A note has at most 4,000 characters" in part.select_one("[role=alert]").text
    assert part.select_one("#entry-note").text.strip() == "x" * 4001
    assert own(built).note == ""


def test_tags_are_added_and_taken_away(client: TestClient, built: Services) -> None:
    change(client, "tag", "night")
    change(client, "tag", "rain")
    assert own(built).tags == ("night", "rain")
    change(client, "untag", "night")
    assert own(built).tags == ("rain",)


def test_own_trigger_words_start_from_those_of_the_hub_and_go_back_to_them(client: TestClient, built: Services) -> None:
    built.lookup.fetch(INK)
    change(client, "add-word", "own")
    words = built.library.entry(INK).trigger_words
    assert words[-1] == "own"
    assert "As the hub says" in change(client, "remove-word", words[0]).text
    change(client, "reset", "trigger_words")
    assert own(built).trigger_words is None


def test_an_own_weight_is_what_try_begins_with(client: TestClient, built: Services) -> None:
    part = change(client, "set-weight", "0.6")
    assert built.generation.default_weight(INK) == 0.6
    assert part.select_one(".actions a.filled")["href"].endswith("%2A0.6")


@pytest.mark.parametrize("text", ["much", "9"])
def test_what_is_no_weight_is_said_at_the_entry(client: TestClient, text: str) -> None:
    assert "from -1 to 2" in change(client, "set-weight", text).select_one("[role=alert]").text


def test_another_base_model_shows_who_says_otherwise(client: TestClient, built: Services, hub: Hub) -> None:
    claim = Claim(field="architecture", value="sdxl", source="hub", where="baseModel")
    hub.loras = [lora(claims=(*lora().claims, claim))]
    built.lookup.fetch(INK)
    assert "CivitAI says SDXL" in change(client, "base_model", "flux1-dev").text


def test_the_favourite_is_switched(client: TestClient, built: Services) -> None:
    assert change(client, "favorite").select("button[aria-pressed=true]")
    assert own(built).favorite
    assert change(client, "unfavorite").select("button[aria-pressed=false]")


def test_what_is_no_button_changes_nothing(client: TestClient, built: Services) -> None:
    for do, value in (("explode", ""), ("reset", "note")):
        assert "That is no button of this page." in change(client, do, value).text
    bad = client.post("/library/entry", data={"do": "note", "ref": "nonsense", "value": "x"})
    assert bad.status_code == 422


def test_a_missing_file_is_downloaded_again(client: TestClient, built: Services) -> None:
    built.library.path(built.library.entry(INK)).unlink()
    page = read(client.get(f"/?view=library&open={str(INK).replace('#', '%23')}").text)
    assert "The file is gone from the folder." in page.text
    part = change(client, "download", str(INK))
    assert "It is being downloaded." in part.text
    assert [task.ref for task in built.queue.tasks()] == [INK]


def test_removing_asks_first_and_is_undone(client: TestClient, built: Services) -> None:
    page = read(client.get(f"/?view=library&open={str(INK).replace('#', '%23')}").text)
    form = page.select_one("details .danger").find_parent("form")
    data = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    part = read(client.post("/library", data=data, headers=PART).text)
    assert [one.ref for one in built.library.entries()] == [MIST]
    assert part.select("hx-partial[hx-target='#panel']")
    undo = {str(field["name"]): str(field["value"]) for field in part.select("form.said input")}
    client.post("/library", data=undo, headers=PART)
    assert built.library.holds(INK)


def test_a_file_manager_opens_only_for_who_sits_here(
    client: TestClient, built: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr(routes, "reveal", lambda path, environ: shown.append(path))
    change(client, "reveal")
    assert shown == [built.library.path(built.library.entry(INK))]
    data = {"do": "reveal", "ref": str(INK)}
    answer = client.post("/library/entry", data=data, headers={**PART, "X-Forwarded-For": "1.2.3.4"})
    assert ("on the computer that hub-ui runs on" in answer.text, len(shown)) == (True, 1)
