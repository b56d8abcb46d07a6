from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from connectors.record import Claim, Example, WeightFile
from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.library import lockfile
from hub_ui.web.library import acts
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, version
from tests.hub_ui.web.conftest import PART, read
from tests.hub_ui.web.library.conftest import MIST, put, thousands


def look(client: TestClient, query: str = "") -> Any:
    return read(client.get(f"/library{query}").text)


def rows(page: BeautifulSoup) -> list[str]:
    return [link.text for link in page.select(".shelf .hit")]


def test_the_library_is_in_the_page_as_it_is_served_and_its_list_is_a_part(client: TestClient) -> None:
    page = look(client)
    assert rows(page) == ["Ink", "Mist"]
    assert page.select_one("#line").text == "2 LoRAs, 268 B, pinned in loras.lock"
    answer = client.get("/library?lq=mist", headers={**PART, "HX-Target": "main#main"})
    assert answer.headers["HX-Push-Url"] == "library?lq=mist"
    assert (read(answer.text).html, rows(read(answer.text))) == (None, ["Mist"])


def test_bytes_that_two_entries_share_count_once_and_so_do_missing_files(client: TestClient, built: Services) -> None:
    twin = entry(ref=INK.at("2002", "3002"), file="sd1/twin.safetensors")
    built.library.adopt([replace(twin, size=134, sha256=sha256(weights()))])
    assert "3 LoRAs, 2 files, 268 B, 1 missing" in look(client).select_one("#line").text


def test_of_thousands_of_entries_one_page_is_sent(client: TestClient, built: Services) -> None:
    thousands(built)
    page = look(client, "?lpage=2")
    assert len(rows(page)) == 50
    assert "51 to 100 of 3,002" in page.select_one(".turn").text
    assert [link["href"] for link in page.select("[rel=next]")] == ["library?lpage=3"]


def test_entries_are_found_by_their_words_narrowed_by_base_and_sorted(client: TestClient, built: Services) -> None:
    thousands(built, 20)
    for text in ("style 0107", "WORD107", '"ada 107"', "trigger:word107"):
        assert rows(look(client, f"?lq={text}")) == ["Style 0107"]
    assert "Nothing in the library matches." in look(client, "?lq=zzz").text
    pony = look(client).select_one("#group-base a:-soup-contains('Pony')")
    page = look(client, f"?{str(pony['href']).partition('?')[2]}&lsort=size")
    assert (len(rows(page)), rows(page)[:2]) == (10, ["Style 0118", "Style 0116"])
    assert "Pony" in page.select_one("#filters [aria-current]").text
    page = look(client, "?lq=base:pony is:favorit")
    assert "Did you mean “is:favorite”?" in page.select_one("#results [role=alert]").text
    assert len(rows(page)) == 10


def test_filters_count_what_they_would_show_and_each_part_goes_alone(client: TestClient, built: Services) -> None:
    built.annotations.change(MIST, favorite=True)
    link = look(client).select_one("#group-marks a:-soup-contains('Favourites')")
    assert (link.text.strip(), link["href"]) == ("Favourites1", "library?lq=is%3Afavorite")
    page = look(client, "?lq=base:pony -ink")
    rest = [chip["href"] for chip in page.select("#chips a")]
    assert rest == ["library?lq=base%3Apony", "library?lq=-ink"]


def test_a_row_has_its_picture_and_leads_to_its_entry(client: TestClient, built: Services, hub: Hub) -> None:
    image = Example(url="https://images.civitai.com/ink.jpeg", nsfw="safe")
    kind = Claim(field="kind", value="style", source="hub", where="tags")
    hub.loras = [lora(versions=(replace(version(INK.at("2001")), examples=(image,)),), claims=(*lora().claims, kind))]
    built.lookup.get(INK)
    [row] = look(client, "?lq=kind:style").select(".shelf tbody tr")
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
    page = look(client, f"?lq={evil}")
    assert not page.select("img[onerror]")
    assert not look(client, f"?open={INK}").select("img[onerror]")


def test_an_empty_library_says_what_will_be_here(client: TestClient, built: Services) -> None:
    built.changes.remove(built.library.entries())
    page = look(client)
    assert "Nothing here yet." in page.text
    assert page.select_one("#results a.filled")["href"] == "./"
    assert not page.select("#look, #bulk, #filters fieldset")


WITHOUT_A_CHOICE = {
    "check", "stop", "try-collection", "delete-collection", "remove-duplicates", "undo", "empty-trash", "ignore",
    "lift",
}  # fmt: skip
HIGH, LOW = Ref.parse("civitai:50@60#70"), Ref.parse("civitai:50@60#71")


def act(client: TestClient, do: str, *refs: Ref, **fields: str) -> Any:
    data = {"do": do, "ref": [str(ref) for ref in refs], "back": "view=library", **fields}
    return read(client.post("/library", data=data, headers=PART).text)


def said(page: BeautifulSoup) -> str:
    return " ".join(page.select_one(".said").text.split())  # type: ignore[union-attr]


def test_each_button_of_the_bar_is_an_act_that_needs_a_choice_and_a_right_template(client: TestClient) -> None:
    page = read(client.get("/library").text)
    buttons = {button["value"] for button in page.select("#bulk [name=do]")}
    assert buttons | {"move-now", "take-out"} | WITHOUT_A_CHOICE == set(acts.ACTS)
    assert {tick["form"] for tick in page.select(".shelf .tick input")} == {"bulk"}
    assert "Nothing is chosen." in act(client, "remove").text
    assert client.post("/library", data={"do": "remove", "ref": "nonsense"}, headers=PART).status_code == 422
    page = act(client, "move", INK, names="../{id}")
    assert "is no template for file names" in said(page)
    assert page.select_one("#move [name=names]")["value"] == "../{id}"


def test_what_is_removed_at_once_comes_back_at_once_without_a_script_too(client: TestClient, built: Services) -> None:
    page = act(client, "remove", INK, MIST)
    assert said(page) == "2 LoRAs removed. Undo"
    assert built.library.entries() == ()
    undo = page.select_one(".said [name=id]")["value"]
    assert said(act(client, "undo", id=str(undo))) == "Undone."
    assert [one.ref for one in built.library.entries()] == [INK, MIST]
    answer = client.post("/library", data={"do": "remove", "ref": str(INK), "back": "view=library&lq=i"})
    page = read(answer.text)
    assert said(page) == "1 LoRA removed. Undo"
    assert page.select_one("#lq")["value"] == "i"
    client.post("/library", data={str(field["name"]): str(field["value"]) for field in page.select(".said input")})
    assert built.library.holds(INK)


def test_tags_weights_and_favourites_reach_all_and_are_undone(client: TestClient, built: Services) -> None:
    act(client, "tag", INK, MIST, tag="Night")
    act(client, "set-weight", INK, MIST, weight="0,7")
    page = act(client, "favorite", INK, MIST)
    for ref in (INK, MIST):
        one = built.annotations.get(ref)
        assert (one.tags, one.weight, one.favorite) == (("Night",), 0.7, True)
    assert said(page) == "2 LoRAs changed. Undo"
    act(client, "untag", INK, tag="night")
    assert built.annotations.get(INK).tags == ()


@pytest.mark.parametrize(
    ("do", "fields"), [("tag", {"tag": " "}), ("set-weight", {"weight": "much"}), ("collect", {}), ("explode", {})]
)
def test_what_is_no_act_changes_nothing(client: TestClient, built: Services, do: str, fields: dict[str, str]) -> None:
    answer = client.post("/library", data={"do": do, "ref": str(INK), **fields}, headers=PART)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#toast")
    assert built.annotations.get(INK).is_empty


def test_all_that_is_found_is_chosen_with_one_tick(client: TestClient, built: Services) -> None:
    thousands(built, 120)
    page = act(client, "favorite", all="1", back="view=library&lq=base:pony")
    assert said(page) == "60 LoRAs changed. Undo"


def test_a_move_is_shown_before_it_is_made_and_undone(client: TestClient, built: Services) -> None:
    plan = act(client, "move", INK, MIST, names="{title}")
    assert "2 files would move." in plan.select_one("#move").text
    assert built.library.entry(INK).file == "sd1/ink.safetensors"
    refs = [Ref.parse(str(field["value"])) for field in plan.select("#move [name=ref]")]
    page = act(client, "move-now", *refs, names="{title}")
    assert said(page) == "2 files moved. Undo"
    assert built.library.entry(INK).file == "Ink.safetensors"


def test_the_chosen_ones_are_tried_together_as_many_as_can_be_compared(client: TestClient, built: Services) -> None:
    for number in range(31):
        ref = Ref.parse(f"civitai:{number + 20}@1#1")
        put(built, entry(ref=ref, title=str(number), file=f"{number}.safetensors"), number + 10)
    refs = [str(one.ref) for one in built.library.entries()]
    answer = client.post("/library", data={"do": "try-together", "ref": refs, "back": "view=library"})
    path, _, query = answer.headers["location"].partition("?")
    assert (answer.status_code, path, len(parse_qs(query)["lora"])) == (303, "try", 32)


def test_an_export_has_the_bytes_of_the_lock_file(client: TestClient, built: Services) -> None:
    answer = client.post("/library", data={"do": "export", "ref": [str(MIST), str(INK)]})
    assert answer.text == lockfile.dumps(built.library.entries())
    assert "loras.lock" in answer.headers["content-disposition"]
    assert client.get("/library-lock").text == built.library.lock_text()


def test_a_collection_is_made_shown_alone_exported_and_deleted(client: TestClient, built: Services) -> None:
    assert said(act(client, "collect", MIST, collection="Night")) == "“Night” has 1 LoRA now."
    page = read(client.get("/library?lset=Night").text)
    assert [link.text for link in page.select(".shelf .hit")] == ["Mist"]
    assert page.select_one("#group-collections [aria-current]").text.strip() == "Night1"
    assert client.get("/library-lock?name=Night").text == lockfile.dumps([built.library.entry(MIST)])
    answer = client.post("/library", data={"do": "try-collection", "name": "Night"})
    assert "try?lora=civitai%3A7" in answer.headers["location"]
    act(client, "take-out", MIST, back="view=library&lset=Night")
    assert built.collections.get("Night").entries == ()
    act(client, "delete-collection", name="Night", back="view=library&lset=Night")
    assert built.collections.all() == ()


def test_a_damaged_collection_is_named_beside_the_others(client: TestClient, built: Services) -> None:
    act(client, "collect", MIST, collection="Night")
    (built.settings.home / "collections" / "mine.lock").write_text("version = \n")
    tool = read(client.get("/library?ltool=collections").text).select_one("#tool")
    assert ("Night" in tool.text, "mine.lock" in tool.text) == (True, True)


def test_rules_for_updates_are_made_and_lifted(client: TestClient, built: Services) -> None:
    act(client, "ignore", rule="civitai:1001")
    tool = read(client.get("/library?ltool=rules").text).select_one("#tool")
    assert "civitai:1001" in tool.text
    act(client, "lift", rule="civitai:1001")
    assert built.update_rules.all() == ()
    act(client, "ignore-chosen", INK, MIST)
    assert [str(rule) for rule in built.update_rules.all()] == ["civitai:1001", "civitai:7"]


def test_the_trash_is_emptied(client: TestClient) -> None:
    act(client, "remove", INK)
    assert said(act(client, "empty-trash")) == "The trash is empty: 134 B freed."
    assert "Nothing to undo." in read(client.get("/library?ltool=changes").text).text


def wan(built: Services) -> None:
    """The catalog knows a LoRA in two files."""
    made = version(Ref.parse("civitai:50@60"))
    files = tuple(
        WeightFile(ref=ref, name=f"bus_{noise}_noise.safetensors", size=64, format="safetensors")
        for ref, noise in ((HIGH, "high"), (LOW, "low"))
    )
    claims = (Claim(field="architecture", value="wan", source="hub", where="baseModel"),)
    built.catalog.add([lora(ref=HIGH.lora, title="Bus", versions=(replace(made, files=files),), claims=claims)])


def test_two_halves_are_one_row_and_are_removed_together(client: TestClient, built: Services) -> None:
    wan(built)
    for number, ref in enumerate((LOW, HIGH), 30):
        put(built, entry(ref=ref, title="Bus", file=f"{number}.safetensors", architecture="wan"), number)
    rows = read(client.get("/library").text).select(".shelf tbody tr")
    assert [row.select_one(".hit").text for row in rows] == ["Bus", "Ink", "Mist"]
    assert ("two files" in rows[0].text, f"{2 * len(weights())} B" in rows[0].text) == (True, True)
    assert said(act(client, "remove", LOW)) == "2 LoRAs removed. Undo"


def test_a_missing_half_is_told_with_a_button(client: TestClient, built: Services) -> None:
    wan(built)
    put(built, entry(ref=LOW, title="Bus", file="low.safetensors", architecture="wan"), 30)
    page = read(client.get("/library?open=civitai:50@60%2371").text)
    assert "Its other half is missing" in page.select_one(".entry").text
    assert page.select(f".entry [name=value][value='{HIGH}']")
