"""Saved searches of the pages, on one's own computer and for a visitor of a hosted page."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from hub_ui.app.news import SavedSearch
from hub_ui.app.services import Services
from hub_ui.web.news import COOKIE
from tests.hub_ui.catalog.builders import lora
from tests.hub_ui.web.conftest import PART, open_client, parts, read, with_settings

ATOM = "http://www.w3.org/2005/Atom"
DRAWER = {**PART, "HX-Target": "div#saved", "HX-Current-URL": "http://localhost/"}
HOSTILE = '<b>"x'


@pytest.fixture
def client(built: Services, tmp_path: Path) -> Iterator[TestClient]:
    ago = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    built.catalog.add([lora(number, title=f"Wash {number}", updated_at=ago, creator="ada") for number in (7, 8)])
    with open_client(built, tmp_path) as opened:
        yield opened


def save(client: TestClient, back: str = "q=wash", name: str = "") -> None:
    assert client.post("/news", data={"do": "save", "name": name, "back": back}).headers["location"] == f"./?{back}"


def look_back(built: Services, seconds: int = 3_500) -> None:
    seen = round(time.time()) - seconds
    built.searches.change(lambda searches: tuple(SavedSearch(name=s.name, text=s.text, seen=seen) for s in searches))


def test_the_drawer_saves_the_search_of_the_boxes_and_leads_readers_to_its_feed(client: TestClient) -> None:
    drawer = read(client.get("/news?q=ink&kind=style", headers=DRAWER).text)
    assert drawer.select_one("#save-search [name=name]")["placeholder"] == "styles, ink"
    assert drawer.select_one("#save-search [name=back]")["value"] == "q=ink&kind=style"
    assert drawer.html is None
    link = read(client.get("/?q=wash").text).select_one("link[rel=alternate]")
    assert (link["href"], link["type"]) == ("feed?q=wash", "application/atom+xml")


def test_a_saved_search_says_how_much_is_new_and_a_look_leads_there(client: TestClient, built: Services) -> None:
    save(client)
    assert not read(client.get("/news").text).select("[value=look]")
    look_back(built)
    assert read(client.get("/news").text).select_one("[value=look]").text == "2 new"
    looked = client.post("/news", data={"do": "look", "name": "wash"})
    assert unquote(looked.headers["location"]) == "./?q=wash&filter=updated:<=1h&sort=newest"
    assert not read(client.get("/news").text).select("[value=look]")


def test_with_fewer_words_it_is_another_search(client: TestClient, built: Services) -> None:
    save(client, "q=wash+neverseen")
    look_back(built)
    assert not read(client.get("/news").text).select("[value=look]")


def test_the_hubs_are_asked_for_each_and_then_the_rows_are_painted(client: TestClient, built: Services) -> None:
    save(client, "base=flux1")
    look_back(built, 10 * 365 * 86_400)
    assert not read(client.get("/news").text).select("[value=look]")
    [step] = parts(client.get("/news/ask").text)
    assert step.select_one("[value=look]").text == "1 new"


def test_the_list_ends_by_saying_in_how_many_something_is_new(client: TestClient, built: Services) -> None:
    save(client)
    assert "#updated" not in client.get("/ask").text
    look_back(built)
    assert parts(client.get("/ask").text)[-1].select_one(".badge").text == "1"
    built.searches.path.write_text("{")
    assert "#updated" not in client.get("/ask").text


def test_a_search_is_removed_by_its_name_whatever_it_is(client: TestClient) -> None:
    save(client, name=HOSTILE)
    assert read(client.get("/news").text).select_one("#saved-rows li .name").text == HOSTILE
    removed = client.post("/news", data={"do": "remove", "name": HOSTILE}, headers=DRAWER)
    assert read(removed.text).select("#saved-rows .name, [hx-get='news/ask']") == []
    assert client.post("/news", data={"do": "remove", "name": HOSTILE}).status_code == 404


def test_what_asks_for_other_searches_is_another_element_so_that_its_stream_ends(client: TestClient) -> None:
    found = []
    for name in "ab":
        save(client, name=name)
        found.append(read(client.get("/news").text).select_one("[hx-get='news/ask']")["id"])
    assert len(set(found)) == 2


def follow(client: TestClient) -> dict[str, str]:
    """Return the fields of the form that follows the creator of the open LoRA."""
    form = read(client.get("/?open=civitai:7").text).select_one("form[action='lora/follow']")
    return {field["name"]: field["value"] for field in form.select("input")}


def test_follow_button_shows_its_state_at_once_and_after_reload(client: TestClient, built: Services) -> None:
    answer = client.post("/lora/follow", data=follow(client), headers={**PART, "HX-Target": "aside#panel"})
    assert read(answer.text).select_one("#follow").text == "Following ✓"
    assert [(search.name, search.text) for search in built.searches.read()] == [("by ada", "creator:ada")]
    assert read(client.get("/?open=civitai:7").text).select_one("#follow")["aria-pressed"] == "true"
    assert client.post("/lora/follow", data=follow(client)).headers["location"] == "../?open=civitai%3A7"
    assert built.searches.read() == ()


def test_visitor_follows_by_cookie(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        client.post("/lora/follow", data={"creator": "Ada, B.", "back": ""})
        assert [each.text for each in read(client.get("/news").text).select("#saved-rows .name")] == ["by Ada, B."]
    assert built.searches.read() == ()


def test_save_form_is_shown_only_for_a_search(client: TestClient) -> None:
    assert read(client.get("/news").text).select_one("#save-search") is None
    assert read(client.get("/news?q=ink").text).select_one("#save-search") is not None


def test_a_visitor_has_them_in_a_cookie(built: Services, tmp_path: Path) -> None:
    hosted = with_settings(built, hosted=True)
    with open_client(hosted, tmp_path) as client:
        saved = client.post("/news", data={"do": "save", "back": "q=ink"})
        assert "HttpOnly" in saved.headers["set-cookie"]
        assert [each.text for each in read(client.get("/news").text).select("#saved-rows .name")] == ["ink"]
        filled = [client.post("/news", data={"do": "save", "back": f"q={n}{'ü' * 150}"}).status_code for n in range(4)]
        assert (filled[0], filled[-1]) == (303, 422)
        for row in read(client.get("/news").text).select("#saved-rows [name=name]"):
            client.post("/news", data={"do": "remove", "name": row["value"]})
        assert COOKIE not in client.cookies
    assert built.searches.read() == ()


def test_a_damaged_cookie_is_no_search(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        page = client.get("/news", headers={"Cookie": f"{COOKIE}=%5B5"})
        assert (page.status_code, read(page.text).select("#saved-rows .name")) == (200, [])


def test_a_feed_has_the_newest_of_a_search(client: TestClient) -> None:
    answer = client.get("/feed?q=wash")
    feed = ElementTree.fromstring(answer.content)
    entries = feed.findall(f"{{{ATOM}}}entry")
    assert answer.headers["content-type"] == "application/atom+xml"
    assert feed.findtext(f"{{{ATOM}}}title") == "hub-ui: wash"
    assert {entry.findtext(f"{{{ATOM}}}id") for entry in entries} == {f"https://civitai.com/models/{n}" for n in (7, 8)}
    assert entries[0].find(f"{{{ATOM}}}link").attrib["href"].startswith("http://localhost/?open=civitai%3A")  # type: ignore[union-attr]


def test_hostile_titles_are_text_in_a_feed(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(9, title="Wash <script>\x00\ufffe]]>")])
    titles = ElementTree.fromstring(client.get("/feed?q=wash").content).iter(f"{{{ATOM}}}title")
    assert "Wash <script>]]>" in [title.text for title in titles]


def test_a_row_that_a_person_wrote_wrong_is_there_to_be_removed(client: TestClient, built: Services) -> None:
    built.searches.change(lambda searches: (SavedSearch(name="bad", text="rank:many", seen=0),))
    assert client.get("/news/ask").status_code == 200
    assert [each.text for each in read(client.get("/news").text).select(".name")] == ["bad"]
