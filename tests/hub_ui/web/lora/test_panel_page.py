"""What a person sees in the panel of a LoRA, and can do there."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from connectors.claims.resolve import flatten
from connectors.record import Example, Lora, Version
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.app.services import Services
from hub_ui.library import lockfile
from hub_ui.web.browse import cards
from hub_ui.web.layout.render import Renderer
from hub_ui.web.lora.panel import Panel
from hub_ui.web.view import StackedLora, View
from tests.hub_ui.catalog.builders import claim, file, lora, version
from tests.hub_ui.library.building import entry
from tests.hub_ui.web.conftest import PART, parts, read, with_settings

TINY = "Tiny Shapes"
HASH = "a" * 32 + "b" * 32


def panel(built: Services, of: Lora, *, view: View | None = None, **fields: Any) -> Any:
    made = Panel(services=built, render=Renderer())
    return read(made.render("lora/changed", **made.lora(view or View(open=str(of.ref)), of, of.ref, **fields)))


def section(page: Any, heading: str) -> Any:
    """What follows a heading."""
    [found] = [h for h in page.select("h3") if h.text.startswith(heading)]
    return found.find_next_sibling()


def test_trigger_words_are_buttons_that_copy(built: Services) -> None:
    words = section(panel(built, lora(1, claims=(claim("trigger_words", ("frost lane", 'a "quote"')),))), "Trigger")
    copied = [(button.text, button["data-copy"]) for button in words.select("button")]
    assert copied == [("frost lane", "frost lane"), ('a "quote"', 'a "quote"'), ("copy", 'frost lane, a "quote"')]


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("archived", "The hub keeps the page but no files."),
        ("removed", "The hub no longer has this. What was seen of it stays here."),
        ("generation-only", "The author allows generation on the hub only; there is nothing to download."),
    ],
)
def test_what_can_not_be_had_says_so_on_its_buttons(built: Services, access: Any, said: str) -> None:
    page = panel(built, lora(1, base=TINY, access=access))
    assert page.select_one(".problem").text == said
    buttons = {button.text: button["title"] for button in page.select(".actions button[disabled]")}
    assert buttons == dict.fromkeys(("Try it", "Download"), said)


def test_what_is_in_the_library_can_be_tried_even_where_its_hub_no_longer_has_it(built: Services) -> None:
    built.settings.lock.parent.mkdir(parents=True, exist_ok=True)
    built.settings.lock.write_text(lockfile.dumps([entry(ref=Ref.parse("civitai:1@10#100"))]), encoding="utf-8")
    page = panel(built, lora(1, base=TINY, access="removed"))
    assert page.select_one("form[action=try] input[name=lora]")["value"] == "civitai:1@10#100"
    assert [button.text for button in page.select(".actions button[aria-disabled]")] == ["In library"]


def test_a_hostile_description_and_title_keep_only_their_words(built: Services) -> None:
    text = "<b>hi</b><script>alert(1)</script>"
    page = panel(built, lora(1, title="<img src=x>", description=text, description_format="html"))
    assert str(page.select_one(".description")) == '<div class="description" dir="auto"><b>hi</b></div>'
    assert page.h2.text == "<img src=x>"
    assert page.select("script, img") == []


def test_a_contradiction_is_marked_reading_is_a_status_and_what_is_odd_is_told(built: Services) -> None:
    header = LoraFacts(what="lora", claims=(claim("architecture", "flux1", source="header"),))
    page = panel(built, lora(1, base="SDXL 1.0"), facts=Facts(adapter=header))
    assert page.select_one(".disputed dd").text == "FLUX.1⚠ CivitAI says SDXL 1.0"
    assert "CivitAI says SDXL 1.0, the file is FLUX.1." in [said.text for said in page.select(".problem")]
    reading = {"unread": "Reading the file's header…"}
    told = [panel(built, lora(1, access=access), said=reading).select("[role=status]") for access in ("open", "gated")]
    # Why a closed one can't be had is told already.
    assert [[said.text for said in each] for each in told] == [["Reading the file's header…"], []]
    odd = LoraFacts(what="lora", warnings=("Layers that have only one of their two halves: 3. <b>",))
    said = [hint.text for hint in panel(built, lora(1), facts=Facts(adapter=odd)).select(".hint")]
    assert "Layers that have only one of their two halves: 3. <b>" in said


def test_facts_stand_below_who_says_them_and_a_runner_says_that_it_is_no_lora(built: Services) -> None:
    facts = section(panel(built, lora(1, base="Flux.1 D")), "According to CivitAI")
    [row] = [row for row in facts.select("div") if row.dt.text.strip() == "Base model"]
    assert (row.dd.text, row["title"]) == ("FLUX.1 dev", "version.baseModel")
    assert row.dt.a["href"] == "glossary#base-model"
    runner = panel(built, lora(claims=(claim("kind", "runner"),), access="generation-only"))
    assert runner.select_one(".line").text.strip().endswith("a hosted model that runs LoRAs, not a LoRA itself")
    assert "is none" not in panel(built, lora()).text


def test_what_is_new_in_a_version_and_what_its_author_says_stand_below_it(built: Services) -> None:
    def dated(number: int, rank: int, said: str = "") -> Version:
        files = (file(f"civitai:1@{number}#1", size=rank * 1_000_000, claims=(claim("rank", rank),)),)
        return version(f"civitai:1@{number}", updated_at=f"2026-01-0{number}", files=files, description=said)

    of = lora(1, versions=(dated(3, 32, "Retrained. <b>"), dated(1, 16), dated(2, 16)))
    new, *older = section(panel(built, of), "Versions").select("li")
    assert (new.small.text, new.q.text) == ("rank 16 → 32, size 16 MB → 32 MB", "Retrained. <b>")
    assert (new["aria-current"], new.a["href"]) == ("true", "./?open=civitai%3A1%403")
    assert [(each.small, each.q) for each in older] == [(None, None)] * 2


@pytest.mark.parametrize(("asked", "is_open"), [("civitai:1", False), ("civitai:1@17", True)])
def test_older_versions_are_folded_unless_one_of_them_is_shown(built: Services, asked: str, is_open: bool) -> None:
    of = lora(1, versions=tuple(version(f"civitai:1@1{number}", name=f"v{number}") for number in range(9)))
    made = Panel(services=built, render=Renderer())
    page = read(made.render("lora/changed", **made.lora(View(open=asked), of, Ref.parse(asked))))
    fold = page.select_one("#older-versions")
    assert (fold.summary.text, "open" in fold.attrs) == ("4 older versions", is_open)
    assert len(page.select("ol.versions > li")) == 9


def test_creator_and_tags_are_searches_that_keep_what_was_picked_for_compare(built: Services) -> None:
    view = View(open="civitai:1", stack=(StackedLora(ref="civitai:2@20#200"),))
    page = panel(built, lora(1, creator='Ada "L"', tags=("line art", "<i>", "region:us", "lora")), view=view)
    link = page.select_one(".line a")
    assert (link.text, link["title"]) == ('Ada "L"', 'Everything by Ada "L"')
    assert link["href"] == "./?lora=civitai%3A2%4020%23200&q=creator%3A%22Ada%20%5C%22L%5C%22%22"
    assert [tag.text for tag in section(page, "Tags").select("a")] == ["line art", "<i>"]


def test_the_ref_and_the_whole_hash_are_copied_and_a_shared_link_is_of_this_lora_alone(built: Services) -> None:
    of = lora(1, versions=(version(files=(file(size=38_000_000, sha256=HASH),)),))
    ref, its_file = panel(built, of).select("p.ref")
    assert ref.button["data-copy"] == "civitai:1@10#100"
    assert its_file.code.text == "ink.safetensors, 38 MB, sha256 aaaaaaaaaaaaaaaa…"
    assert (its_file.button["data-copy"], its_file.span["title"]) == (HASH, HASH)
    view = View(open="civitai:1", stack=(StackedLora(ref="civitai:2"),))
    button = panel(built, lora(1), view=view).select_one("[aria-label=Share]")
    assert (button["data-share"], button["title"]) == ("./?open=civitai%3A1%4010%23100", "Share a link to this LoRA")


def test_its_page_on_the_hub_opens_beside_this_one_and_is_not_told_where_from(built: Services) -> None:
    [link] = [link for link in panel(built, lora(1)).select("a") if "Open on the hub" in link.text]
    assert (link["href"], link["target"]) == ("https://civitai.com/models/1", "_blank")
    assert link["rel"] == ["noopener", "noreferrer", "nofollow"]
    assert "Open on the hub" not in panel(built, lora(1, url="javascript:alert(1)")).text


def test_of_several_files_each_can_be_shown_and_versions_that_can_be_tried_compared(built: Services) -> None:
    files = (file(size=38_000_000), file("civitai:1@10#101", name="<b>.safetensors", size=76_000_000))
    items = section(panel(built, lora(1, versions=(version(files=files),))), "Files").select("li")
    assert [item.text for item in items] == ["ink.safetensors 38 MB", "<b>.safetensors 76 MB"]
    assert [item.get("aria-current") for item in items] == ["true", None]
    two = tuple(version(f"civitai:1@{number}", base=TINY, files=(file(),)) for number in (11, 10))
    link = panel(built, lora(1, versions=two)).select_one("a[href^=compare]")
    assert (link.text, link["href"]) == ("Compare the versions", "compare?lora=civitai%3A1%4011&lora=civitai%3A1%4010")


def with_related(built: Services, **fields: Any) -> Any:
    made = Panel(services=built, render=Renderer())
    values = made.lora(View(open="civitai:1"), lora(1), Ref.parse("civitai:1"))
    return read(made.render("lora/changed", **{**values, **fields}))


def test_other_homes_open_here_and_on_their_hub_if_its_address_is_one_of_the_web(built: Services) -> None:
    other = flatten(lora(2, creator="ada", downloads=1200))
    gated = flatten(lora(2, base="Pony", access="gated"))
    page = with_related(built, homes=[other], also_on=[gated])
    headings = [h.text for h in page.select("h3") if h.text.startswith("Also")]
    assert headings == ["Also at the same LoRA", "Also on by the same creator, another file"]
    here, there = section(page, "Also at").select("a")
    assert here.text == "CivitAI ada · open to everyone · 1.2k downloads"
    assert here["href"] == "./?open=civitai%3A2%4020%23200"
    assert section(page, "Also on").select_one("a").text == "CivitAI Pony · gated"
    assert (there["href"], there["rel"]) == ("https://civitai.com/models/2", ["noopener", "noreferrer", "nofollow"])
    page = with_related(built, homes=[flatten(lora(2, url="javascript:alert(1)"))])
    assert len(section(page, "Also at").select("a")) == 1


def test_similar_ones_are_small_cards_that_open(built: Services) -> None:
    one = version("civitai:2@20", base="Pony", examples=(Example(url="https://a.example/1.png", nsfw="safe"),))
    near = cards.Card(record=flatten(lora(2, title="<b>Wash", versions=(one,))), ceiling="soft")
    [card] = section(with_related(built, similar=[(near, "same subject")]), "Similar LoRAs").select("a")
    assert (card.b.text, card["title"]) == ("<b>Wash", "<b>Wash")
    assert [small.text for small in card.select("small")] == ["Pony", "same subject"]
    assert card.img["src"].startswith("hub-picture?url=https%3A%2F%2Fa.example%2F1.png")
    assert card["href"] == "./?open=civitai%3A2%4020"


def test_similar_ones_are_asked_for_once_a_person_gets_there(built: Services, client: TestClient) -> None:
    titles = ((number, "Ink lines" if number < 12 else "Oil") for number in range(1, 400))
    built.catalog.add(lora(number, base="SDXL 1.0", title=title) for number, title in titles)
    later = read(client.get("/?open=civitai:1", headers=OPEN).text).select_one("[hx-trigger=revealed]")
    assert (later["hx-get"], later.text) == ("lora/similar?open=civitai%3A1", "")
    shown = read(client.get(f"/{later['hx-get']}", headers=PART).text).select(".similar a")
    assert [(card.b.text, card.select("small")[-1].text) for card in shown] == [("Ink lines", "same subject")] * 8
    assert "./?open=civitai%3A1%4010%23100" not in [card["href"] for card in shown]
    assert len(read(client.get("/?open=civitai:1").text).select(".similar a")) == 8
    assert read(client.get("/lora/similar?open=civitai:999", headers=PART).text).select("a") == []


def test_a_visitor_gets_the_file_and_keeps_it_and_has_no_downloads_nor_favourites(built: Services) -> None:
    hosted = with_settings(built, hosted=True)
    page = panel(hosted, lora(1))
    assert page.select_one("form[action='lora/keep'] button")["title"] == "List it in your library for this visit"
    assert page.select("form[action='lora/download'], form[action='lora/favorite']") == []
    [link] = [link for link in page.select(".actions a") if link.text == "Download"]
    assert link["title"] == "Through this page, with your own right"
    assert link["rel"] == ["noopener", "noreferrer", "nofollow"]


REF = Ref.parse("civitai:1")
OPEN = {**PART, "HX-Target": "aside#panel"}


def test_a_card_opens_the_panel_alone_and_a_link_a_whole_page_with_it(site: TestClient) -> None:
    site.get("/ask")
    answer = site.get("/?open=civitai:1", headers=OPEN)
    page = read(answer.text)
    assert (answer.headers["HX-Push-Url"], page.h2.text, page.main) == ("./?open=civitai%3A1", "Ink 1", None)
    page = read(site.get("/?open=civitai:1").text)
    assert [title.text for title in page.select("#panel h2")] == ["Ink 1"]
    assert page.select_one("meta[property='og:title']")["content"] == "Ink 1"


def test_the_hub_is_asked_once_the_panel_is_there_and_a_ref_that_is_none_is_told_so(site: TestClient) -> None:
    steps = parts(site.get("/lora/read?open=civitai:2&seen=x").text)
    asks = {step.select_one("[hx-get^='lora/read']")["hx-get"] for step in steps}
    assert "Ink 2" in steps[-1].text
    assert asks == {"lora/read?open=civitai%3A2&act=0&seen=x"}
    answer = site.get("/lora/read")
    assert (answer.status_code, "There is no LoRA" in answer.text) == (422, True)
    answer = site.post("/lora/download", data={"ref": "nothing"}, headers=OPEN)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#toast")


def test_the_heart_makes_a_favourite_and_none_and_download_a_task(client: TestClient, built: Services) -> None:
    answer = client.post("/lora/download", data={"ref": "civitai:1", "back": "open=civitai:1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../?open=civitai%3A1")
    assert [task.ref for task in built.queue.tasks()] == [REF]
    client.get("/ask")
    click = {"ref": "civitai:1", "back": "open=civitai:1"}
    pressed = read(client.post("/lora/favorite", data=click, headers=OPEN).text).select_one("[aria-label=Favourite]")
    assert (pressed["aria-pressed"], built.annotations.get(REF).favorite) == ("true", True)
    client.post("/lora/favorite", data=click, headers=OPEN)
    assert not built.annotations.get(REF).favorite


def test_what_a_person_does_begins_to_read_anew(site: TestClient) -> None:
    site.get("/ask")
    opened = read(site.get("/?open=civitai:1", headers=OPEN).text).select_one("[hx-get^='lora/read']")
    click = {"ref": "civitai:1", "back": "open=civitai:1"}
    acted = read(site.post("/lora/download", data=click, headers=OPEN).text).select_one("[hx-get^='lora/read']")
    address = acted["hx-get"]
    again = parts(site.get("/" + address).text)[-1].select_one("[hx-get^='lora/read']")
    assert opened["id"] != acted["id"] == again["id"]
