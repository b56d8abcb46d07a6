from __future__ import annotations

from starlette.testclient import TestClient

from tests.hub_ui.web.conftest import PART, parts, read


def cards(text: str) -> list[str]:
    return [link.text for link in read(text).select("#cards .hit")]


def test_the_page_asks_the_hubs_once_it_is_there(client: TestClient) -> None:
    page = read(client.get("/").text)
    assert [str(ask["hx-get"]).partition("&")[0] for ask in page.select(".ask")] == ["ask?"]


def test_the_hubs_answers_come_in_parts(client: TestClient) -> None:
    last = parts(client.get("/ask").text)[-1]
    assert [link.text for link in last.select(".hit")] == ["Ink 1", "Ink 2"]


def test_what_was_seen_is_in_the_page_as_it_is_served(client: TestClient) -> None:
    client.get("/ask")
    assert cards(client.get("/?q=1").text) == ["Ink 1"]


def test_a_part_says_which_address_it_is(client: TestClient) -> None:
    answer = client.get("/?base=flux1", headers={**PART, "HX-Target": "main#main"})
    assert answer.headers["HX-Push-Url"] == "./?base=flux1"
    assert read(answer.text).html is None


def test_a_link_to_a_lora_that_nobody_has_seen_opens_its_panel(client: TestClient) -> None:
    panel = read(client.get("/?open=civitai%3A1").text).select_one("#panel article")
    assert panel is not None
    assert [each["hx-get"] for each in panel.select("[hx-trigger=load]")] == ["lora/read?open=civitai%3A1"]
