"""What a card of the list shows, and what stands around the cards."""

import re
from dataclasses import replace
from typing import Any

import pytest
from markupsafe import Markup

from connectors.claims.resolve import flatten, record_with_header
from connectors.query import Query
from connectors.record import NSFW_LEVELS, Example, Nsfw, Record
from connectors.ref import Ref
from connectors.weights.lora_facts import LoraFacts
from hub_ui.web.browse import cards
from hub_ui.web.browse.search import Results
from hub_ui.web.layout.pages import STATIC, HubStatus
from hub_ui.web.layout.render import Renderer
from hub_ui.web.view import PAGE_SIZE, View
from tests.hub_ui.catalog.builders import claim, file, lora, version
from tests.hub_ui.web.conftest import read

VIDEO = "https://image.civitai.com/xG1nkqKTMzGDvpLrqFT7WA/2b7f/original=true/1.mp4"


def list_values(*shown: cards.Card, view: View | None = None, **fields: Any) -> Any:
    opened, now, render = (view or View()).open_lora, Results(query=Query(), **fields), Renderer()
    values = {"open_prefix": "./?open=", "search_prefix": "./?q="}
    each = [{"number": n, "card": c, "is_open": str(c.record.ref.lora) == opened} for n, c in enumerate(shown)]
    html = [Markup(render("browse/card", **own, **values)) for own in each]
    return read(render("browse/cards", cards=[*enumerate(html)], now=now, page=1))


def record(**fields: Any) -> Record:
    return flatten(lora(1, **fields))


def card(of: Record | None = None, *, ceiling: Nsfw = "explicit", held: bool = False, **fields: Any) -> cards.Card:
    return cards.Card(record=of or record(), ceiling=ceiling, is_held=held, **fields)


def pictured(*examples: Example, ceiling: Nsfw = "explicit") -> cards.Card:
    return card(record(versions=(version("civitai:1@10", examples=examples),)), ceiling=ceiling)


def test_a_card_is_a_link_by_its_title_that_opens_it_and_the_one_of_the_open_panel_is_marked() -> None:
    [link] = list_values(card()).select("[role=listitem] .hit")
    assert (link.text, link["href"]) == ("Ink 1", "./?open=civitai%3A1%4010%23100")
    page = list_values(card(), card(flatten(lora(2))), view=View(open="civitai:2@20"))
    assert [link.text for link in page.select("[aria-current=true]")] == ["Ink 2"]


def test_a_title_is_text_and_figures_that_are_not_known_are_not_said() -> None:
    page = list_values(card(flatten(lora(1, title="${alert(1)} <img src=x onerror=alert(1)> `"))))
    assert page.select_one(".hit").text == "${alert(1)} <img src=x onerror=alert(1)> `"
    assert page.select("img") == []
    assert "12.4k" in list_values(card(flatten(lora(1, downloads=12_400)))).select_one(".figures").text
    assert list_values(card()).select_one(".figures").text.strip() == ""


def test_a_creator_is_a_link_to_all_of_theirs_and_a_picture_comes_in_the_width_of_a_card() -> None:
    page = list_values(card(flatten(lora(1, creator='Ada "L"'))))
    [link] = page.select(".creator a")
    assert (link.text, link["href"]) == ('Ada "L"', "./?q=creator%3A%22Ada%20%5C%22L%5C%22%22")
    assert (link["hx-target"], link["tabindex"]) == ("#main", "-1")
    shown = pictured(Example(url="https://image.civitai.com/a/b/original=true/1.jpeg", nsfw="safe"))
    [image] = list_values(shown).select("img")
    assert image["src"].startswith("hub-picture?url=https%3A%2F%2Fimage.civitai.com%2Fa%2Fb%2F")
    assert "%2Fwidth%3D450%2F1.jpeg&hub=civitai&signed=" in image["src"]


def test_a_video_has_a_still_image_a_mature_picture_is_blurred_and_where_there_is_none_a_letter_stands() -> None:
    page = list_values(pictured(Example(url=VIDEO, video=True, nsfw="safe")))
    assert page.select_one(".picture")["data-video"].startswith("hub-video?url=")
    assert page.img["src"].startswith("hub-picture?url=")
    assert page.select_one(".moves")["title"] == "A video: point at it to play it"
    assert list_values(pictured(Example(url="https://a.example/1.png", nsfw="mature"))).img["class"] == ["blurred"]
    assert list_values(pictured(Example(url="https://a.example/1.png", nsfw="safe"))).img.get("class") is None
    assert list_values(card()).select_one(".picture")["data-initial"] == "I"


def test_a_card_shows_the_marks_of_all_its_hubs() -> None:
    homes = (Ref.parse("huggingface:ada/ink"), Ref.parse("replicate:ada/ink"))
    marks = list_values(card(replace(flatten(lora(1)), homes=homes))).select(".mark")
    assert {mark.text: mark["title"] for mark in marks} == {"C": "CivitAI", "HF": "Hugging Face", "R": "Replicate"}


def test_a_card_is_tried_with_one_click_or_says_why_not() -> None:
    [button] = list_values(card()).select("button[form=try-card]")
    assert (button["name"], button["value"]) == ("lora", "civitai:1@10#100")
    assert (button.text, button["aria-label"]) == ("Try", "Try Ink 1")
    page = list_values(card(try_problem="This LoRA needs FLUX.1 dev."))
    [said] = page.select(".try")
    assert (said.text, said["title"]) == ("Can’t be tried here", "This LoRA needs FLUX.1 dev.")
    assert page.select("form, button") == []


def test_the_cards_of_a_page_fill_their_rows_in_every_window() -> None:
    columns = re.findall("--columns: ([0-9]+)", (STATIC / "hub_ui.css").read_text())
    assert [PAGE_SIZE % int(number) for number in columns] == [0] * 6


def test_places_are_kept_for_hubs_that_have_not_answered() -> None:
    waiting = list_values(statuses=(HubStatus(hub="civitai", state="asked"), HubStatus(hub="replicate")))
    assert {ghost["aria-hidden"] for ghost in waiting.select(".ghost")} == {"true"}
    assert len(waiting.select(".ghost")) == 8
    assert list_values(statuses=(HubStatus(hub="civitai"),)).select(".ghost") == []


def news(**fields: Any) -> Any:
    now = Results(query=Query(), **fields)
    return read(Renderer()("browse/news", now=now, address="q=ink", problem="", corrected=""))


def test_what_belongs_above_the_last_card_waits_behind_a_line_and_one_that_left_is_told_as_a_change() -> None:
    [link] = news(ids=(1,), above=12).select("a")
    assert (link.text, link["href"], link["title"]) == ("Show 12 more", "./?q=ink", "Put them in their places")
    assert news(ids=(1,), gone=1).a.text == "The list has changed"
    assert news(ids=(1,)).text.strip() == ""


def following(*, more: str = "", asking: tuple[str, ...] = (), **fields: Any) -> Any:
    now = Results(query=Query(), **fields)
    values = {"more": more, "asking": asking, "cards": now.ids, "page": 1, "address": "", "now": now}
    return read(Renderer()("browse/next", **values))


def test_below_the_last_card_stands_what_can_be_done_or_that_it_is_the_last() -> None:
    assert following(ids=(1, 2), more="after=2").select_one("a .rest").text == "Load more"
    hubs = ("CivitAI", "Replicate")
    assert "Asking CivitAI, Replicate…" in following(ids=tuple(range(Query().limit)), asking=hubs).text
    # Their cards flow in here.
    assert following(ids=(1,), asking=hubs).text.strip() == ""
    assert "The end of the list." in following(ids=(1,)).text
    assert following().text.strip() == ""


@pytest.mark.parametrize(("failed", "trigger"), [({}, "revealed, click"), ({"civitai": "1"}, "click")])
def test_what_a_hub_failed_to_give_is_asked_for_by_a_click_alone(failed: Any, trigger: str) -> None:
    page = following(ids=(1,), more="after=1", failed=failed, note="CivitAI can't be reached.")
    assert page.a["hx-trigger"] == trigger
    assert ("CivitAI can't be reached." in page.text) is bool(failed)


FLUX = LoraFacts(
    what="lora", claims=(claim("architecture", "flux1", source="header"), claim("rank", 16, source="header"))
)


def texts(shown: cards.Card) -> list[str]:
    return [part.text for part in list_values(shown).select(".hit, .creator, .chip.base")]


def test_a_card_says_what_is_known_and_leaves_out_what_is_not_and_a_name_without_end_is_cut_off() -> None:
    shown = card(record(base="Flux.1 D", creator="alvar"))
    assert (texts(shown), shown.image, shown.flag) == (["Ink 1", "alvar", "FLUX.1 dev"], "", None)
    of = record_with_header(record(base="SDXL 1.0", title="T" * 1000), FLUX)
    assert (texts(card(of)), card(of).record.rank) == (["T" * 300 + "…", "unknown", "FLUX.1"], 16)
    assert list_values(card(of)).select(".creator a") == []


def test_the_cover_is_the_first_still_picture_mild_enough_that_has_an_address_of_the_web() -> None:
    examples = (
        Example(url="https://a.example/x.mp4", video=True),
        Example(url="https://a.example/1.png", nsfw="explicit"),
        Example(url="https://a.example/2.png"),
        Example(url="https://a.example/3.png", nsfw="safe"),
    )
    images = [pictured(*examples, ceiling=ceiling).image[-5:] for ceiling in NSFW_LEVELS]
    assert images == ["3.png", "2.png", "2.png", "1.png"]
    assert pictured(Example(url="javascript:alert(1)", nsfw="safe")).image == ""


def test_a_video_that_comes_first_plays_on_the_card() -> None:
    still = Example(url="https://a.example/1.png", nsfw="safe")
    examples = (Example(url="https://a.example/1.mp4", video=True, nsfw="safe"), still)
    shown, behind = pictured(*examples), pictured(*examples[::-1])
    assert [(each.video[-5:], each.image[-5:]) for each in (shown, behind)] == [("1.mp4", "1.png"), ("", "1.png")]


DANGER = version(files=(file(claims=(claim("scan", "Danger"),)),))
CONTRADICTED = (claim("architecture", "flux1", source="header"), claim("architecture", "sdxl"))


@pytest.mark.parametrize(
    ("fields", "held", "text"),
    [
        ({}, True, "in library"),
        ({"nsfw": "mature"}, True, "mature"),
        ({"nsfw": "mature", "access": "removed"}, True, "removed"),
        ({"access": "gated"}, False, "gated"),
        ({"claims": (claim("real_person", True),), "nsfw": "mature"}, True, "real person"),
        ({"claims": (claim("real_person", False),), "nsfw": "mature"}, True, "mature"),
        ({"claims": (claim("real_person", True),), "access": "paid"}, True, "early access"),
        ({"versions": (DANGER,), "access": "paid"}, True, "scan found danger"),
        ({"claims": CONTRADICTED, "access": "removed", "versions": ()}, False, "file says FLUX.1"),
    ],
)
def test_one_flag_at_most_the_most_important(fields: dict[str, Any], held: bool, text: str) -> None:
    flag = card(record(**fields), held=held).flag
    assert flag is not None
    assert flag[0] == text


@pytest.mark.parametrize(
    ("what", "text"), [("llm-lora", "not for images"), ("checkpoint", "file is no LoRA"), ("vae", "file is no LoRA")]
)
def test_what_is_no_lora_for_pictures_says_so_and_can_not_be_tried(what: Any, text: str) -> None:
    shown = card(held=True, what=what)
    assert (shown.flag, shown.usable) == ((text, "warn"), False)
