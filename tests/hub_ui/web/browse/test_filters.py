"""The filters beside the list, and the line above it that says what is listed."""

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from hub_ui.services import Services
from tests.hub_ui.catalog.builders import claim, lora
from tests.hub_ui.web.conftest import PART, open_client, read, with_settings

LIST = {**PART, "HX-Target": "main#main"}


def line(page: Any) -> str:
    return " ".join(page.select_one("#line").text.split())


def test_what_is_chosen_is_counted_on_the_phones_button_and_can_be_taken_away_as_text(site: TestClient) -> None:
    page = read(site.get("/?kind=style&filter=rank:>=8&filter=creator:nobody").text)
    assert page.select_one("[popovertarget=filters] .badge").text == "3"
    assert read(site.get("/?q=ink").text).select("[popovertarget=filters] .badge") == []
    page = read(site.get("/?q=ink+-tag:anime").text)
    links = {link["aria-label"]: link["href"] for link in page.select("#line .part")}
    assert links == {"Remove ink": "./?filter=-tag%3Aanime", "Remove not tag anime": "./?q=ink"}
    [part] = read(site.get("/?creator=x&filter=creator:%22%3Cb%3E%22").text).select("#line .part")
    assert part.text.split("×")[0].strip() == "by <b>"


def test_names_of_hubs_are_text(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, base="Flux.1 D", tags=("<b>\u202ex",))])
    page = read(client.get("/group?facet=tag").text)
    [box] = [box for box in page.select("input") if "<b>" in box["value"]]
    name = box.find_next_sibling("span")
    assert (name.text, name["dir"]) == ("<b>x", "auto")


def test_words_that_not_everybody_knows_are_explained(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, base="Flux.1 D", claims=(claim("kind", "style"),))])
    words = {link.text: link["href"] for link in read(client.get("/").text).select("#filters legend a")}
    assert words == {"Base model": "glossary#base-model", "Kind": "glossary#kind"}


def test_what_would_show_nothing_is_no_choice_until_it_is_chosen(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1)])
    boxes = {box["value"] for box in read(client.get("/?hub=replicate").text).select("#group-hub input")}
    assert boxes == {"replicate", "civitai"}


def test_a_group_that_nobody_opened_is_read_later_but_without_javascript(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, base="Flux.1 D")])
    whole, part = (read(client.get("/?base=flux1", headers=asks).text) for asks in ({}, LIST))
    assert len(whole.select("#of-hub noscript input")) == 1
    [unread] = part.select("#of-hub")
    assert (unread["hx-get"], unread.text.strip()) == ("group?facet=hub&base=flux1", "")
    boxes = read(client.get("/" + unread["hx-get"]).text).select("input")
    assert [box["value"] for box in boxes] == ["civitai"]
    assert client.get("/group?facet=none").status_code == 422


def test_what_is_chosen_in_a_folded_group_is_there_while_the_list_is_still_empty(client: TestClient) -> None:
    page = read(client.get("/?filter=license:merge&filter=-access:paid").text)
    boxes = page.select("#group-license input") + page.select("#group-quick input")
    assert [(box["value"], box.get("checked")) for box in boxes] == [("license:merge", ""), ("-access:paid", "")]


def test_a_group_comes_with_the_list_while_it_has_a_choice_and_once_more(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, base="Flux.1 D")])
    after = {**LIST, "HX-Current-URL": "http://testserver/?hub=civitai"}
    chosen, never = (read(client.get(address).text).select("#of-hub > label") for address in ("/?hub=civitai", "/"))
    assert (len(chosen), never) == (1, [])
    left = read(client.get("/", headers=after).text).select("#of-hub > label input")
    assert [box.get("checked") for box in left] == [None]


def test_mature_images_have_a_level_and_a_way_to_see_them_without_blur(site: TestClient) -> None:
    page = read(site.get("/?nsfw=mature").text)
    assert [option["value"] for option in page.select("#nsfw option")] == ["safe", "soft", "mature", "explicit"]
    assert len(page.select("#unblur")) == 1
    assert read(site.get("/?nsfw=soft").text).select("#unblur") == []


def test_before_the_list_is_known_no_number_is_told_and_the_demo_says_what_it_is_and_what_can_be_tried_in_it(
    client: TestClient, built: Services
) -> None:
    assert line(read(client.get("/?base=flux1").text)) == "… LoRAs for FLUX.1 ×"
    built.catalog.add([lora(1)])
    page = read(client.get("/").text)
    assert line(page) == (
        "Demo: three local hubs with sample LoRAs. You can try the ones made for Tiny Shapes. Show them"
    )
    assert page.select_one("#show-tiny")["href"] == "?base=tiny-shapes"
    assert line(read(client.get("/?q=ink").text)).startswith("1 LoRA that mentions ink")


def test_elsewhere_it_says_how_many_there_are(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, demo=False), tmp_path) as client:
        for count, said in ((1, "1 LoRA"), (6, "6 LoRAs"), (1_200, "1,200 LoRAs")):
            built.catalog.add([lora(number) for number in range(count)])
            assert line(read(client.get("/").text)) == said
