"""The Browse page by HTTP: what a person does there, its filters, and the line that says what is listed."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from connectors.errors import HubDown, HubUiError
from connectors.guard import without_guard
from hub_ui.app.services import Services
from tests.hub_ui.catalog.builders import claim, file, lora, version
from tests.hub_ui.stand_ins import Hub
from tests.hub_ui.web.conftest import PART, open_client, parts, read, with_settings

LIST = {**PART, "HX-Target": "main#main"}
TYPED = {**LIST, "HX-Source": "input#q"}


@pytest.fixture
def seen(site: TestClient) -> TestClient:
    """The hubs were asked before."""
    site.get("/ask")
    return site


def cards(page: BeautifulSoup) -> list[str]:
    return [link.text for link in page.select("#cards .hit")]


def part(client: TestClient, address: str, headers: dict[str, str] = LIST) -> tuple[Any, Any]:
    answer = client.get(address, headers=headers)
    return read(answer.text), answer


def hub_of(built: Services) -> Hub:
    hub = without_guard(built.connectors[0])
    assert isinstance(hub, Hub)
    return hub


def test_the_page_asks_the_hubs_once_and_an_address_that_names_no_lora_is_told(site: TestClient) -> None:
    [ask] = read(site.get("/?base=flux1").text).select(".ask")
    assert (str(ask["hx-get"]).partition("&seen=")[0], ask["hx-trigger"]) == ("ask?base=flux1", "load delay:50ms")
    page, answer = part(site, "/?q=&base=flux1&nsfw=soft&sort=relevance")
    assert answer.headers["HX-Push-Url"] == "./?base=flux1"
    assert page.html is None
    answer = site.get("/?q=https://example.org/x", headers=LIST)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#toast")
    assert "names no LoRA" in answer.text


def test_the_tray_says_what_is_ticked_which_is_compared_each_lora_at_its_authors_weight(seen: TestClient) -> None:
    tray = read(seen.get("/tray?lora=civitai:2&lora=civitai:2").text)
    assert tray.select_one("b").text == "One LoRA: tick another one"
    tray = read(seen.get("/tray?lora=civitai:1&lora=civitai:2").text)
    assert tray.select_one("b").text == "2 LoRAs for 2 bases, which don't go together"
    assert (tray.select_one("small").text, len(tray.select(".picture"))) == ("2 files to download first", 2)
    answer = seen.get("/compare?lora=civitai:1&lora=civitai:2&lora=civitai:1", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "try?lora=civitai%3A1&lora=civitai%3A2&sheet=loras"
    assert seen.get("/compare?lora=nothing").status_code == 422


def test_the_hubs_answers_come_in_parts_and_without_javascript_the_page_waits_for_them(client: TestClient) -> None:
    last = parts(client.get("/ask?hub=civitai").text)[-1]
    assert [link.text for link in last.select(".hit")] == ["Ink 1", "Ink 2"]
    assert last.select_one("[hx-target='#line']").text.split()[:2] == ["2", "LoRAs"]
    assert read(client.get("/?hub=civitai").text).select_one("noscript a")["href"] == "?hub=civitai&ask=1"
    assert cards(read(client.get("/?hub=civitai&ask=1").text)) == ["Ink 1", "Ink 2"]


def test_a_page_without_cards_leads_a_browser_without_javascript_to_one_with_cards(client: TestClient) -> None:
    [refresh] = read(client.get("/?hub=civitai").text).select("head noscript meta[http-equiv=refresh]")
    assert refresh["content"] == "0; url=?hub=civitai&ask=1"
    finished = read(client.get("/?hub=civitai&ask=1").text)
    assert (cards(finished), finished.select(".ghost, noscript meta")) == (["Ink 1", "Ink 2"], [])
    assert read(client.get("/?hub=civitai").text).select("noscript meta") == []


def test_a_program_gets_cards_at_its_first_request(client: TestClient) -> None:
    del client.headers["Upgrade-Insecure-Requests"]
    page = read(client.get("/").text)
    assert (cards(page), page.select(".ghost, noscript meta")) == (["Ink 1", "Ink 2"], [])


@pytest.mark.parametrize(("ref", "title"), [("civitai:2", "Ink 2"), ("civitai:404", "A LoRA on CivitAI")])
def test_a_program_gets_the_title_of_a_lora_that_nobody_has_seen(client: TestClient, ref: str, title: str) -> None:
    page = read(client.get(f"/?open={ref}").text)
    assert page.select_one("meta[property='og:title']")["content"] == "A LoRA on CivitAI"
    assert page.select_one("noscript meta")["content"] == f"0; url=?{urlencode({'open': ref})}&ask=1"
    del client.headers["Upgrade-Insecure-Requests"]
    page = read(client.get(f"/?open={ref}").text)
    assert (page.title.text, page.select("noscript meta")) == (f"{title} · hub-ui", [])


@pytest.mark.parametrize("error", [None, HubDown("CivitAI can't be reached.", hub="civitai")])
def test_an_answer_without_news_paints_no_card(client: TestClient, built: Services, error: HubDown | None) -> None:
    client.get("/ask")
    hub_of(built).error = error
    ask = read(client.get("/?q=ink&hub=civitai").text).select_one(".ask")["hx-get"]
    step = parts(client.get(f"/{ask}").text)[-1]
    assert [each["hx-target"] for each in step.select("[hx-target]")] == ["#news", "#next", "#hubs-menu"]


def test_cards_are_the_same_in_every_list_but_without_javascript_their_links_keep_it(seen: TestClient) -> None:
    page, _answer = part(seen, "/?q=ink&sort=newest")
    assert page.select_one("#cards")["data-list"] == "?q=ink&sort=newest"
    assert page.select_one(".hit")["href"].startswith("./?open=civitai")
    whole = read(seen.get("/?q=ink&sort=newest").text)
    assert whole.select_one(".hit")["href"].startswith("./?q=ink&sort=newest&open=civitai")


def test_without_javascript_the_list_has_pages(client: TestClient, built: Services) -> None:
    built.catalog.add(lora(number, downloads=1000 - number) for number in range(1, 71))
    first = read(client.get("/?sort=downloads").text)
    assert (len(cards(first)), first.select_one("#next noscript a")["href"]) == (24, "?sort=downloads&page=2")
    assert cards(read(client.get("/?sort=downloads&page=2").text))[:2] == ["Ink 25", "Ink 26"]


def test_without_javascript_the_filters_are_a_form(seen: TestClient) -> None:
    page = read(seen.get("/?kind=style").text)
    form = page.select_one("form#view")
    assert (form["action"], form.get("method", "get")) == ("./", "get")
    assert [box["value"] for box in page.select("#filters input[form=view][checked]")] == ["style"]


def test_what_is_typed_asks_no_hub_and_is_one_step_back(seen: TestClient, of_site: Services) -> None:
    asked = len(hub_of(of_site).asked)
    page, answer = part(seen, "/?q=1", {**TYPED, "HX-Current-URL": "http://localhost/?q=x"})
    assert (cards(page), page.select(".ask"), len(hub_of(of_site).asked)) == (["Ink 1"], [], asked)
    assert (answer.headers["HX-Replace-Url"], "HX-Push-Url" in answer.headers) == ("./?q=1", False)
    assert "Press Enter to ask the hubs too." in page.text
    # Two letters begin any word.
    page, answer = part(seen, "/?q=zz", {**TYPED, "HX-Current-URL": "http://localhost/"})
    assert (cards(page), answer.headers["HX-Replace-Url"]) == (["Ink 1", "Ink 2"], "./")


def test_a_filter_that_is_typed_ticks_no_box_until_enter_and_one_that_is_wrong_is_told(seen: TestClient) -> None:
    typed, _answer = part(seen, "/?q=hub:civitai", TYPED)
    entered, answer = part(seen, "/?q=hub:civitai")
    assert (typed.select("[value=civitai][checked]"), len(entered.select("[value=civitai][checked]"))) == ([], 1)
    assert (answer.headers["HX-Push-Url"], entered.select_one("#line")["data-text"]) == ("./?hub=civitai", "")
    begun, answer = part(seen, "/?q=base:fl&filter=-tag:no", TYPED)
    nothing, _answer = part(seen, "/?q=base:zzz", TYPED)
    assert (cards(begun), cards(nothing)) == (["Ink 1", "Ink 2"], [])
    assert answer.headers["HX-Push-Url"] == "./?filter=-tag%3Ano"
    page, answer = part(seen, "/?q=ink+knd:style")
    assert (cards(page), page.select_one("#line")["data-text"]) == (["Ink 1", "Ink 2"], "ink knd:style")
    assert answer.headers["HX-Push-Url"] == "./?q=ink+knd%3Astyle"
    assert "Did you mean “kind”" in page.select_one("#misread").text
    assert "kind" not in page.select_one("#news").text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base:sdxxl", "Did you mean “sdxl”,"),
        ("ink xyz:1", "“xyz” is not a filter, so “xyz:1” is searched for as a word. The filters are hub, base, kind,"),
        ("ink base:", "“base:” has no value, so it is searched for as a word. A filter is written as base:VALUE."),
    ],
)
def test_what_is_no_filter_is_named_once_the_hubs_have_answered(seen: TestClient, text: str, message: str) -> None:
    page = read(seen.get(f"/?{urlencode({'q': text})}&ask=1").text)
    assert (page.select_one("#q")["value"], message in page.text) == (text, True)


@pytest.mark.parametrize(
    ("text", "ref"),
    [("civitai:2", "civitai:2"), ("https://civitai.com/models/2/ink", "civitai:2"), ("civitai:404", "civitai:404")],
)
def test_what_names_one_lora_opens_it(site: TestClient, text: str, ref: str) -> None:
    answer = site.get(f"/?{urlencode({'q': text, 'hub': 'civitai'})}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"./?{urlencode({'hub': 'civitai', 'open': ref})}")


def test_a_hash_opens_its_lora_and_one_that_nobody_knows_is_told(client: TestClient, built: Services) -> None:
    files = (file("civitai:2@20#200", sha256="c3" * 32),)
    built.catalog.add([lora(2, versions=(version("civitai:2@20", files=files),))])
    opened, unknown = (client.get(f"/?q={text}", headers=LIST) for text in ("C3" * 5, "0" * 64))
    assert (opened.headers["HX-Push-Url"], unknown.status_code) == ("./?open=civitai%3A2%4020%23200", 404)
    assert f"has a file with the hash {'0' * 64}" in unknown.text


def test_the_next_page_follows_the_last_card(client: TestClient, built: Services) -> None:
    built.catalog.add(lora(number, downloads=1000 - number) for number in range(1, 41))
    more = parts(client.get("/ask?sort=downloads").text)[-1].select_one("[hx-target='#next'] a")["hx-get"]
    [step] = parts(client.get(f"/{more}").text)
    assert step.select_one("[hx-target='#cards'] .hit").text == "Ink 25"
    assert "The end of the list." in step.select_one("[hx-target='#next']").text


def test_what_ends_a_stream_is_told(client: TestClient, built: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(*_: object, **_named: object) -> None:
        raise HubUiError("The disk is full.")

    monkeypatch.setattr(built.catalog, "add", add)
    assert parts(client.get("/ask").text)[-1].text.strip() == "The disk is full."


def test_a_cursor_that_is_not_ours_is_not_sent_to_a_hub(client: TestClient, built: Services) -> None:
    client.get("/ask")
    before = len(hub_of(built).asked)
    client.get("/more?after=1&shown=2&page=2&cursors=%7B%22civitai%22%3A%22http%3A%2F%2Fevil%22%7D&signed=%C3%A9")
    assert len(hub_of(built).asked) == before


@pytest.mark.parametrize(
    "address", ["/more?after=x&shown=1&page=2", "/more", "/?page=0", "/suggestions?before=" + "x" * 1001]
)
def test_values_that_no_page_of_ours_sends_are_refused_in_words(site: TestClient, address: str) -> None:
    answer = site.get(address, headers=LIST)
    assert (answer.status_code, "is not right" in answer.text) == (422, True)


def test_a_suggestion_has_the_whole_text_and_what_is_wrong_with_it_stands_below_the_box(site: TestClient) -> None:
    [option] = read(site.get("/suggestions?before=ink+ki&after=+wash").text).select("[role=option]")
    assert (option["data-before"], option["data-after"]) == ("ink kind:", "wash")
    assert "“x”" in read(site.get("/suggestions?before=ink+rank:x").text).select_one("[role=status]").text


def test_the_level_of_mature_images_is_this_browsers_from_then_on(seen: TestClient) -> None:
    seen.get("/?nsfw=explicit", headers=LIST)
    assert read(seen.get("/").text).select_one("#nsfw option[selected]")["value"] == "explicit"
    seen.cookies.clear()
    seen.get("/?nsfw=explicit")
    assert read(seen.get("/").text).select_one("#nsfw option[selected]")["value"] == "soft"


def test_a_link_to_a_search_says_what_it_leads_to(seen: TestClient) -> None:
    page = read(seen.get("/?q=ink").text)
    assert page.select_one("meta[property='og:title']")["content"] == "2 LoRAs that mention ink"
    assert page.title.text == "2 LoRAs that mention ink · hub-ui"
    page = read(seen.get("/?q=ink+rank%3A%3E%3D16+-sketch").text)
    assert [part.text.split("×")[0].strip() for part in page.select("#line .part")] != []
    assert page.select_one("#q")["value"] == "ink -sketch"


def test_a_line_stands_above_the_cards_that_have_fewer_words(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, title="Neon night"), lora(2, title="Neon")])
    page = read(client.get("/?q=neon+night+qwrtz").text)
    lines = [(each.text, each.find_next("h2").get_text(strip=True)) for each in page.select("#cards .ring")]
    assert lines == [("Nothing has all 3 words. With 2 of them:", "Neon night"), ("With 1 of the 3 words:", "Neon")]


def test_a_word_that_is_in_no_lora_is_corrected_by_a_click(client: TestClient, built: Services) -> None:
    built.catalog.add([lora(1, title="Neon")])
    [link] = read(client.get("/?q=neom+base:sdxl").text).select("#news a")
    assert (link.text, link["href"]) == ("neon", "./?q=neon&base=sdxl")


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


def test_boxes_of_quick_filters_have_ids_of_their_own(seen: TestClient) -> None:
    ids = [box["id"] for box in read(seen.get("/").text).select("input[type=checkbox][id]")]
    assert "quick-filter-installed:no" in ids
    assert len(set(ids)) == len(ids)


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


def test_the_line_has_no_number_before_the_list_and_says_what_the_demo_is(client: TestClient, built: Services) -> None:
    assert line(read(client.get("/?base=flux1").text)) == "… LoRAs for FLUX.1 ×"
    built.catalog.add([lora(1)])
    page = read(client.get("/").text)
    assert line(page) == (
        "Demo: sample LoRAs on three local hubs. You can try the ones made for Tiny Shapes. Show them"
    )
    assert page.select_one("#show-tiny")["href"] == "?base=tiny-shapes"
    assert line(read(client.get("/?q=ink").text)).startswith("1 LoRA that mentions ink")


def test_elsewhere_it_says_how_many_there_are(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, demo=False), tmp_path) as client:
        for count, said in ((1, "1 LoRA"), (6, "6 LoRAs"), (1_200, "1,200 LoRAs")):
            built.catalog.add([lora(number) for number in range(count)])
            assert line(read(client.get("/").text)) == said
