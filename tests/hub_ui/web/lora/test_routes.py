"""What a person does in the panel of a LoRA."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui.services import Services
from tests.hub_ui.web.conftest import PART, open_client, parts, read, with_settings

REF = Ref.parse("civitai:1")
OPEN = {**PART, "HX-Target": "aside#panel"}


def test_a_card_opens_the_panel_alone(client: TestClient) -> None:
    client.get("/ask")
    answer = client.get("/?open=civitai:1", headers=OPEN)
    page = read(answer.text)
    assert (answer.headers["HX-Push-Url"], page.h2.text, page.main) == ("./?open=civitai%3A1", "Ink 1", None)


def test_a_link_to_a_lora_is_a_whole_page_with_its_panel(client: TestClient) -> None:
    client.get("/ask")
    page = read(client.get("/?open=civitai:1").text)
    assert [title.text for title in page.select("#panel h2")] == ["Ink 1"]
    assert page.select_one("meta[property='og:title']")["content"] == "Ink 1"


def test_the_hub_is_asked_once_the_panel_is_there(client: TestClient) -> None:
    said = [step.text for step in parts(client.get("/lora/read?open=civitai:2").text)]
    assert "Ink 2" in said[-1]


def test_an_address_without_a_lora_has_nothing_to_read(client: TestClient) -> None:
    answer = client.get("/lora/read")
    assert (answer.status_code, "There is no LoRA" in answer.text) == (422, True)


def test_download_puts_the_lora_into_the_queue(client: TestClient, built: Services) -> None:
    answer = client.post("/lora/download", data={"ref": "civitai:1", "back": "open=civitai:1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../?open=civitai%3A1")
    assert [task.ref for task in built.queue.tasks()] == [REF]


def test_what_a_person_does_begins_to_read_anew(client: TestClient) -> None:
    client.get("/ask")
    opened = read(client.get("/?open=civitai:1", headers=OPEN).text).select_one("[hx-get^='lora/read']")
    click = {"ref": "civitai:1", "back": "open=civitai:1"}
    acted = read(client.post("/lora/download", data=click, headers=OPEN).text).select_one("[hx-get^='lora/read']")
    address = acted["hx-get"]
    again = parts(client.get("/" + address).text)[-1].select_one("[hx-get^='lora/read']")
    assert opened["id"] != acted["id"] == again["id"]


def test_the_heart_makes_a_favourite_and_none_again(client: TestClient, built: Services) -> None:
    client.get("/ask")
    click = {"ref": "civitai:1", "back": "open=civitai:1"}
    pressed = read(client.post("/lora/favorite", data=click, headers=OPEN).text).select_one("[aria-label=Favourite]")
    assert (pressed["aria-pressed"], built.annotations.get(REF).favorite) == ("true", True)
    client.post("/lora/favorite", data=click, headers=OPEN)
    assert not built.annotations.get(REF).favorite


def test_a_ref_that_is_none_is_told_so(client: TestClient) -> None:
    answer = client.post("/lora/download", data={"ref": "nothing"}, headers=OPEN)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#toast")


def test_visitors_of_a_shared_page_have_neither_downloads_nor_favourites(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as hosted:
        for path in ("/lora/download", "/lora/favorite"):
            assert hosted.post(path, data={"ref": "civitai:1"}).status_code == 422
        hosted.get("/ask")
        page = read(hosted.get("/?open=civitai:1").text)
    assert page.select("form[action='lora/download'], form[action='lora/favorite']") == []
