from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from connectors.record import Claim, Example
from hub_ui.services import Services
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, version
from tests.hub_ui.web.conftest import PART, read
from tests.hub_ui.web.library.conftest import MIST, put, thousands


def look(client: TestClient, query: str = "") -> Any:
    return read(client.get(f"/?view=library{query}").text)


def rows(page: BeautifulSoup) -> list[str]:
    return [link.text for link in page.select(".shelf .hit")]


def test_the_library_is_in_the_page_as_it_is_served(client: TestClient) -> None:
    page = look(client)
    assert rows(page) == ["Ink", "Mist"]
    assert page.select_one("#line").text == "2 LoRAs, 268 B, pinned in loras.lock"


def test_asked_by_htmx_it_is_the_list_with_its_address(client: TestClient) -> None:
    answer = client.get("/?view=library&lq=mist", headers={**PART, "HX-Target": "main#main"})
    assert answer.headers["HX-Push-Url"] == "./?view=library&lq=mist"
    assert (read(answer.text).html, rows(read(answer.text))) == (None, ["Mist"])


def test_bytes_that_two_entries_share_count_once_and_missing_files_are_counted(
    client: TestClient, built: Services
) -> None:
    twin = entry(ref=INK.at("2002", "3002"), file="sd1/twin.safetensors")
    built.library.adopt([replace(twin, size=134, sha256=sha256(weights()))])
    assert "3 LoRAs, 2 files, 268 B, 1 missing" in look(client).select_one("#line").text


def test_of_thousands_of_entries_one_page_is_sent(client: TestClient, built: Services) -> None:
    thousands(built)
    page = look(client, "&lpage=2")
    assert len(rows(page)) == 50
    assert "51 to 100 of 3,002" in page.select_one(".turn").text
    assert [link["href"] for link in page.select("[rel=next]")] == ["./?view=library&lpage=3"]


def test_an_entry_is_found_by_its_name_its_trigger_word_and_its_file(client: TestClient, built: Services) -> None:
    thousands(built, 20)
    for text in ("style 0107", "WORD107", '"ada 107"', "trigger:word107"):
        assert rows(look(client, f"&lq={text}")) == ["Style 0107"]
    assert "Nothing in the library fits." in look(client, "&lq=zzz").text


def test_entries_are_narrowed_by_base_and_put_in_an_order(client: TestClient, built: Services) -> None:
    thousands(built, 20)
    pony = look(client).select_one("#group-base a:-soup-contains('Pony')")
    assert pony is not None
    page = look(client, f"&{str(pony['href']).partition('view=library&')[2]}&lsort=size")
    assert (len(rows(page)), rows(page)[:2]) == (10, ["Style 0118", "Style 0116"])
    assert "Pony" in page.select_one("#filters [aria-current]").text


def test_a_search_that_nobody_understands_says_so_and_the_rest_of_it_counts(
    client: TestClient, built: Services
) -> None:
    thousands(built, 20)
    page = look(client, "&lq=base:pony is:favorit")
    assert "Did you mean “is:favorite”?" in page.select_one("#results [role=alert]").text
    assert len(rows(page)) == 10


def test_a_part_of_the_search_is_taken_away(client: TestClient, built: Services) -> None:
    page = look(client, "&lq=base:pony -ink")
    assert [chip["href"] for chip in page.select("#chips a")] == [
        "./?view=library&lq=base%3Apony",
        "./?view=library&lq=-ink",
    ]


def test_filters_count_what_they_would_show(client: TestClient, built: Services) -> None:
    built.annotations.change(MIST, favorite=True)
    link = look(client).select_one("#group-marks a:-soup-contains('Favourites')")
    assert link is not None
    assert (link.text.strip(), link["href"]) == ("Favourites1", "./?view=library&lq=is%3Afavorite")


def test_a_row_has_its_picture_and_leads_to_its_entry(client: TestClient, built: Services, hub: Hub) -> None:
    image = Example(url="https://images.civitai.com/ink.jpeg", nsfw="safe")
    kind = Claim(field="kind", value="style", source="hub", where="tags")
    hub.loras = [lora(versions=(replace(version(INK.at("2001")), examples=(image,)),), claims=(*lora().claims, kind))]
    built.lookup.get(INK)
    [row] = look(client, "&lq=kind:style").select(".shelf tbody tr")
    assert row.select_one("img")["src"].startswith("hub-picture?")
    assert row.select_one(".hit")["href"].endswith("&open=civitai%3A1001%402001%233001")


def test_without_a_picture_of_its_hub_a_row_has_the_one_beside_its_file(client: TestClient, built: Services) -> None:
    built.library.path(built.library.entry(INK)).with_suffix(".preview.png").write_bytes(b"")
    assert [str(image["src"])[:18] for image in look(client).select(".shelf img")] == ["local-picture?path"]


@pytest.mark.usefixtures("new_answers")
def test_what_its_hub_took_down_is_marked(client: TestClient, built: Services, hub: Hub) -> None:
    built.lookup.get(INK)
    hub.loras.clear()
    built.lookup.get(INK)
    page = look(client)
    assert [chip.text for chip in page.select(".shelf .chip.warn")] == ["gone from CivitAI"]
    assert "1 no longer on its hub" in page.select_one("#line").text


def test_texts_of_hubs_and_files_stay_text(client: TestClient, built: Services) -> None:
    evil = "<img src=x onerror=alert(1)>"
    put(built, entry(ref=INK.at("1", "1"), title=evil, file="evil.safetensors", trigger_words=(evil,)), 9)
    built.annotations.change(INK.lora, note=evil, tags=(evil,))
    page = look(client, f"&lq={evil}")
    assert not page.select("img[onerror]")
    assert not look(client, f"&open={INK}").select("img[onerror]")


def test_an_empty_library_says_what_will_be_here(client: TestClient, built: Services) -> None:
    built.changes.remove(built.library.entries())
    page = look(client)
    assert "Nothing here yet." in page.text
    assert not page.select("#look, #bulk")


def test_visitors_of_a_hosted_page_see_nobodys_library(hosted_client: TestClient) -> None:
    for answer in (
        hosted_client.post("/library", data={"do": "remove", "ref": str(INK)}),
        hosted_client.post("/library/entry", data={"do": "note", "ref": str(INK), "value": "x"}),
        hosted_client.get("/library-lock"),
        hosted_client.get("/downloads"),
        hosted_client.post("/downloads/clear"),
    ):
        assert answer.status_code == 422
    page = hosted_client.get("/?view=library")
    assert (page.status_code, str(INK) in page.text) == (200, False)
