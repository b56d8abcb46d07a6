"""A LoRA's images: the strip of the panel, one large with how it was made, and its settings on the Compare page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from connectors.claims.base_models import base_claims
from connectors.claims.resolve import flatten, record_with_header
from connectors.record import Claim, Example, Nsfw, Record
from connectors.ref import Ref
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.app.services import Services
from hub_ui.web.lora import fact_rows
from hub_ui.web.lora.fact_rows import Fact
from hub_ui.web.view import View
from tests.hub_ui.catalog.builders import claim, file, lora, version
from tests.hub_ui.web.conftest import PART, read


def adapter(**fields: Any) -> LoraFacts:
    return LoraFacts(**{"what": "lora", "tensors": 608, **fields})


def header(field: str, value: Any, where: str = "tensor shapes") -> Claim:
    return claim(field, value, source="header", where=where)


def on_sdxl(*claims: Claim, hub_word: str = "SDXL 1.0") -> Record:
    said = base_claims(hub_word, "hub", "modelVersions[0].baseModel")
    return record_with_header(flatten(lora(1, claims=said)), adapter(claims=claims))


NONE = Fact(name="", value="", source="", where="")


def row(name: str, record: Record, of: LoraFacts | None = None) -> Fact:
    """NONE where there is no such row."""
    facts = Facts(adapter=of) if of else None
    return next((fact for fact in fact_rows.rows(record, facts) if fact.name == name), NONE)


def value(name: str, record: Record, of: LoraFacts | None = None) -> str:
    return row(name, record, of).value


def test_a_contradiction_shows_both_values_and_who_says_them_and_no_base_the_file_can_not_be_for() -> None:
    shown = row("Architecture", on_sdxl(header("architecture", "flux1")))
    assert (shown.value, shown.source, shown.others) == ("FLUX.1", "the file itself", ("CivitAI says SDXL 1.0",))
    assert row("Base model", on_sdxl(header("architecture", "flux1"))) is NONE
    record = on_sdxl(header("architecture", "sdxl"))
    assert {fact.others for fact in fact_rows.rows(record, None)} == {()}


def test_an_assumption_is_shown_as_one_and_the_exact_place_of_a_value_is_kept() -> None:
    record = on_sdxl(claim("architecture", "flux1", source="probably"), hub_word="Brand New 1")
    shown = row("Architecture", record)
    assert (shown.value, shown.source, shown.others) == ("FLUX.1", "probably", ())
    shown = row("Base model", on_sdxl())
    assert (shown.value, shown.source, shown.where) == ("SDXL 1.0", "CivitAI", "modelVersions[0].baseModel")


def test_facts_name_other_architectures_that_the_file_fits() -> None:
    open_claims = (header("architectures", ("flux1", "chroma")), claim("architecture", "flux1", source="probably"))
    shown = row("May also be for", on_sdxl(*open_claims, hub_word="Brand New 1"))
    assert (shown.value, shown.source) == ("Chroma", "the file itself")
    assert row("May also be for", on_sdxl()) is NONE


@pytest.mark.parametrize(
    ("counted", "text"),
    [
        ({}, ""),
        ({16: 304}, "16"),
        ({16: 48, 32: 840}, "32 (840 layers), 16 (48)"),
        ({n: 10 - n for n in range(1, 8)}, "1 (9 layers), 2 (8), 3 (7), 4 (6) and 3 more, 1 to 7"),
    ],
)
def test_ranks_that_vary_are_told_with_their_layers(counted: Mapping[int, int], text: str) -> None:
    assert fact_rows.ranks(counted) == text


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (1.0, "scale 1.0"),
        (0.5, "scale 0.5, so weight 1.0 is half strength"),
        (2.0, "scale 2, so weight 1.0 is double strength"),
        (0.03125, "scale 0.0312, so weight 1.0 is 3.12 % of full strength"),
    ],
)
def test_a_scale_is_told_in_words(factor: float, text: str) -> None:
    assert fact_rows.scale(factor) == text


def test_alpha_says_what_weight_one_comes_to_and_a_file_without_it_its_scale() -> None:
    of = adapter(alpha=8.0, scale=0.5)
    assert value("Alpha", on_sdxl(header("alpha", 8.0)), of) == "8 (scale 0.5, so weight 1.0 is half strength)"
    assert value("Scale", on_sdxl(), adapter(scale=2.0)) == "scale 2, so weight 1.0 is double strength"


def test_what_only_the_file_tells_has_rows_once_it_is_read_if_it_is_a_lora() -> None:
    of = adapter(format="kohya", text_encoder=True, control=True, tags=("portrait", "ink"))
    names = ("Format", "Text encoder", "Control", "Trained on", "Tensors")
    assert [value(name, on_sdxl(), of) for name in names] == [
        "kohya",
        "changed too",
        "needs an image that gives the structure",
        "portrait, ink",
        "608",
    ]
    assert [value(name, on_sdxl()) for name in names] == [""] * 5
    rows = fact_rows.rows(on_sdxl(), Facts(adapter=LoraFacts(what="vae", tensors=9)))
    assert [fact.name for fact in rows] == ["Architecture", "Base model", "Base's licence"]


def test_a_licence_is_told_with_what_it_permits_and_the_base_s_own() -> None:
    said = (claim("license", "mit"), claim("license_terms", "images may be sold"))
    record = flatten(lora(1, base="Pony", claims=said))
    assert [(fact.name, fact.value) for fact in fact_rows.rows(record, None)[2:]] == [
        ("Licence", "mit"),
        ("It permits", "images may be sold"),
        ("Base's licence", "CreativeML Open RAIL-M"),
    ]


@pytest.mark.parametrize(("name", "text"), [("lokr+dora", "LoKr + DoRA"), ("lora+diff", "LoRA + whole differences")])
def test_algorithms_have_the_names_people_know(name: str, text: str) -> None:
    assert fact_rows.names(fact_rows.ALGORITHMS, name) == text


def test_a_recommended_range_is_shown_with_both_ends_of_the_same_statement() -> None:
    said = (claim("weight", 0.6, where="here"), claim("weight_high", 0.8, where="here"))
    record = flatten(lora(1, claims=said))
    assert (record.weight, record.weight_range) == (0.6, (0.6, 0.8))
    assert value("Weight", record) == "0.6 to 0.8"
    said = (claim("weight", 0.7, where="here"), claim("weight_high", 0.9, where="there"))
    assert flatten(lora(1, claims=said)).weight_range is None


BOX = {**PART, "HX-Target": "dialog#lightbox"}
HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}"
PICTURED = "civitai:5@50"


def example(name: str, *, nsfw: Nsfw = "safe", video: bool = False, **params: object) -> Example:
    url = f"https://pictures.example/{name}"
    return Example(url=url, prompt=f"a {name} <lora:x:0.6>", nsfw=nsfw, video=video, params=params)


def put(built: Services, *shown: Example) -> None:
    built.catalog.add([lora(5, title="Ink", versions=(version(PICTURED, base="Tiny Shapes", examples=shown),))])


@pytest.fixture(scope="module")
def pictured(of_site: Services, site: TestClient) -> TestClient:
    """Three images, of which the second is explicit, and the third a video."""
    put(
        of_site,
        example("cat", seed=5, steps=8, negativePrompt="dull"),
        example("bare", nsfw="explicit"),
        example("clip", video=True),
    )
    return site


def test_each_image_of_the_panel_is_a_link_to_itself_with_its_number(pictured: TestClient) -> None:
    page = read(pictured.get(f"/?open={PICTURED}").text)
    links = page.select("#strip a")
    assert [link["href"] for link in links] == [
        "lora-image?open=civitai%3A5%4050&index=0", "lora-image?open=civitai%3A5%4050&index=2",
    ]  # fmt: skip
    assert [each.text for each in page.select("#strip figcaption")] == ["1 / 2", "2 / 2"]
    assert page.select("#strip figure")[1]["data-video"]


def test_an_image_stands_beside_how_it_was_made_and_fills_in_the_compare_page(pictured: TestClient) -> None:
    page = read(pictured.get(f"/lora-image?open={PICTURED}&index=0").text)
    said = page.find("section", attrs={"aria-label": "How it was made"})
    assert [text.text for text in said.select(".prompt")] == ["a cat <lora:x:0.6>", "dull"]
    assert [cell.text for cell in page.select(".facts dt, .facts dd > span")] == ["Seed", "5", "Steps", "8"]
    assert page.find("button", attrs={"aria-label": "Copy Seed"})["data-copy"] == "5"
    link = page.find("a", string="Use these settings")
    there = pictured.get("/" + str(link["href"])).headers["location"]
    view = View.from_address(there.partition("?")[2])
    assert there.startswith("../try?")
    assert (view.settings.prompt, view.settings.negative, view.settings.seed) == ("a cat", "dull", 5)
    assert [(lora.ref, lora.weight) for lora in view.stack] == [(PICTURED, 1.0)]


def test_an_image_of_which_its_hub_has_told_nothing_yet_waits_for_that(client: TestClient, built: Services) -> None:
    listed = version("civitai:2@20", examples=(Example(url="https://pictures.example/1.png"),))
    built.catalog.add([lora(2, versions=(listed,))])
    assert not built.lookup.was_fetched(Ref.parse("civitai:2@20"))
    page = client.get("/lora-image?open=civitai:2@20&index=0")
    assert "a cat &lt;lora:x:1&gt;" in page.text
    assert built.lookup.was_fetched(Ref.parse("civitai:2@20"))


def test_the_lightbox_gets_the_image_alone_and_a_mature_one_is_blurred(pictured: TestClient) -> None:
    part = read(pictured.get(f"/lora-image?open={PICTURED}&index=0&nsfw=explicit", headers=BOX).text)
    assert part.html is None
    steps = [str(link["href"]).rpartition("index=")[2] for link in part.select("a.step")]
    assert (steps, part.select("figcaption")[0].text) == (["2", "1"], "1 / 3")
    page = read(pictured.get(f"/lora-image?open={PICTURED}&index=1&nsfw=explicit").text)
    assert page.select(".large img")[0]["class"] == ["blurred"]
    assert page.select(".reveal")[0].text.strip() == "Show this explicit image"


@pytest.mark.parametrize(("index", "status"), [(1, 404), (9, 404), (-1, 422)])
def test_an_image_above_the_level_or_after_the_last_is_not_there(pictured: TestClient, index: int, status: int) -> None:
    assert pictured.get(f"/lora-image?open={PICTURED}&index={index}").status_code == status


def test_a_lora_that_was_never_seen_is_opened_instead(site: TestClient) -> None:
    answer = site.get("/lora-image?open=civitai:77&index=0")
    assert (answer.status_code, answer.headers["location"]) == (303, "./?open=civitai%3A77")


@pytest.mark.parametrize("address", ["/lora-image?index=0", "/lora/example?open=nonsense&index=0"])
def test_an_address_without_a_lora_is_told(site: TestClient, address: str) -> None:
    assert site.get(address).status_code == 422


def test_what_a_hub_says_of_an_image_stays_text(built: Services, client: TestClient) -> None:
    params = {"seed": HOSTILE, "negativePrompt": HOSTILE, HOSTILE: HOSTILE}
    put(built, replace(example("cat"), prompt=HOSTILE, params=params))
    page = client.get(f"/lora-image?open={PICTURED}&index=0").text
    assert "<img src=x" not in page
    assert read(page).select(".prompt")[0].text == HOSTILE


def test_an_example_gives_the_weights_of_the_loras_parts(built: Services, client: TestClient) -> None:
    shown = Example(url="", prompt="a (cat:1.2) <lora:ink:0.5:0.8:lbw=OUTALL>")
    one = version(PICTURED, files=(file(f"{PICTURED}#500"),), examples=(shown,))
    built.catalog.add([lora(5, versions=(one,))])
    there = client.get(f"/lora/example?open={PICTURED}&index=0").headers["location"]
    view = View.from_address(there.partition("?")[2])
    assert (view.settings.prompt, view.weights) == ("a (cat:1.2)", (0.8,))
    assert (view.settings.clip_weights, view.settings.blocks) == ((0.5,), ("OUTALL",))


def test_what_is_not_taken_over_is_said(built: Services, client: TestClient) -> None:
    put(built, example("cat", clipSkip=2))
    said = read(client.get(f"/lora-image?open={PICTURED}&index=0").text).select(".large .hint")
    assert [hint.text for hint in said] == ["Not taken over: clip skip 2.", "It was made with other LoRAs too: x."]
