"""An image that is dropped or chosen on a page: how it was made, and the same again."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.images import png_metadata
from hub_ui.services import Services
from hub_ui.web.view import View
from tests.hub_ui.generate import making
from tests.hub_ui.web.conftest import PART, read
from tests.hub_ui.web.try_page.test_dropped import A1111, image


def give(client: TestClient, path: Path, name: str = "") -> str:
    """The address of what the image says."""
    answer = client.post("/upload", files={"file": (name or path.name, path.read_bytes())})
    assert answer.status_code == 303
    return f"/{answer.headers['location']}"


def link(page: BeautifulSoup, text: str) -> str:
    found = page.find("a", string=text)
    assert found, page.text
    return str(found["href"])


@pytest.fixture
def a1111(built: Services, tmp_path: Path) -> Path:
    built.lookup.get(Ref.parse("civitai:2"))
    text = (
        A1111.replace(" <lora:nowhere:1>", "")
        + ', Civitai resources: [{"type":"lora","modelVersionId":20,"weight":0.7}]'
    )
    return image(tmp_path / "a.png", parameters=text)


def test_the_page_of_an_image_says_how_it_was_made(client: TestClient, a1111: Path) -> None:
    page = read(client.get(give(client, a1111)).text)
    assert [title.text for title in page.select(".dropped h2")] == ["a.png"]
    assert [chip.text for chip in page.select(".dropped .chip")] == ["will be downloaded"]
    assert page.select(".dropped li a")[0]["href"] == "./?open=civitai%3A2%4020"


def test_to_make_it_again_leads_to_the_compare_page_with_everything_filled_in(client: TestClient, a1111: Path) -> None:
    address = give(client, a1111)
    page = read(client.get(address).text)
    again = link(page, "Make it again")
    view = View.from_address(again.partition("?")[2])
    assert (view.page, view.settings.prompt, view.settings.seed) == ("try", "a cat", 5)
    assert [lora.weight for lora in view.stack] == [0.7]
    assert again.endswith(f"&original={address.partition('name=')[2]}")
    assert "original" not in link(page, "Only fill in the form")


def test_what_is_not_found_is_left_out_and_can_be_searched_for(client: TestClient, tmp_path: Path) -> None:
    text = A1111.replace("<lora:lora-2:0.7> ", "")
    page = read(client.get(give(client, image(tmp_path / "a.png", parameters=text))).text)
    assert link(page, "Search for it") == "./?q=nowhere"
    assert "lora=" not in link(page, "Make it without it")


def test_a_whole_comparison_is_made_again_without_an_original_beside_it(client: TestClient, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20")))
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, png_metadata.contact(made), tmp_path / "a.png")
    page = read(client.get(give(client, tmp_path / "a.png")).text)
    assert "original" not in link(page, "Make it again")


def test_a_dropped_image_stands_on_the_page_at_once_and_asks_for_the_rest(client: TestClient, a1111: Path) -> None:
    sent = client.post("/upload", files={"file": ("a.png", a1111.read_bytes())}, headers=PART)
    waits = read(sent.text).select("[hx-get]")[0]
    assert (waits["hx-trigger"], waits["hx-target"]) == ("load", "#dropped")
    part = read(client.get(f"/{waits['hx-get']}", headers={**PART, "HX-Target": "section#dropped"}).text)
    assert (part.html, link(part, "Make it again")[:12]) == (None, "./?view=try&")


def test_an_image_that_says_nothing_is_told_in_place(client: TestClient, tmp_path: Path) -> None:
    page = read(client.get(give(client, image(tmp_path / "plain.png"))).text)
    assert "does not say what it was made from" in page.select(".dropped .problem")[0].text
    assert page.find("a", string="Make it again") is None


def test_an_image_is_forgotten(client: TestClient, a1111: Path) -> None:
    address = give(client, a1111)
    name = address.partition("name=")[2]
    assert client.post("/image/forget", data={"name": name}).headers["location"] == "../image"
    assert client.get(address).status_code == 404
    assert client.post("/image/forget", data={"name": name}, headers=PART).text == ""


def test_without_a_name_the_page_takes_an_image(client: TestClient) -> None:
    page = read(client.get("/image").text)
    field = page.select("main input[type=file]")[0]
    form = page.find("form", id=field["form"])
    assert (form["action"], form["enctype"]) == ("upload", "multipart/form-data")


def test_markup_in_what_an_image_says_stays_text(client: TestClient, tmp_path: Path) -> None:
    text = A1111.replace("a cat", "<img src=x onerror=alert(1)> ${1}").replace("nowhere", "<b>x</b>")
    page = client.get(give(client, image(tmp_path / "a.png", parameters=text), "<i>.png")).text
    assert "<img src=x" not in page
    assert "<i>" not in page
    assert "<img src=x onerror=alert(1)> ${1}" in read(page).select(".dropped dl")[0].text
