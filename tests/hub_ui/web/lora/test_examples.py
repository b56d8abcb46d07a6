"""A LoRA's images: the strip of the panel, one large with how it was made, and its settings on the Compare page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from connectors.record import Example, Nsfw
from hub_ui.images import example_settings
from hub_ui.services import Services
from hub_ui.web.lora import routes as examples
from hub_ui.web.view import View
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.web.conftest import PART, read

BOX = {**PART, "HX-Target": "dialog#lightbox"}
HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}"
PICTURED = "civitai:5@50"


def example(name: str, *, nsfw: Nsfw = "safe", video: bool = False, **params: object) -> Example:
    url = f"https://pictures.example/{name}"
    return Example(url=url, prompt=f"a {name} <lora:x:0.6>", nsfw=nsfw, video=video, params=params)


def put(built: Services, *shown: Example) -> None:
    built.catalog.add([lora(5, title="Ink", versions=(version(PICTURED, base="Tiny Shapes", examples=shown),))])


@pytest.fixture
def pictured(built: Services) -> Services:
    """Three images, of which the second is explicit, and the third a video."""
    put(
        built,
        example("cat", seed=5, steps=8, negativePrompt="dull"),
        example("bare", nsfw="explicit"),
        example("clip", video=True),
    )
    return built


def test_each_image_of_the_panel_is_a_link_to_itself_with_its_number(pictured: Services, client: TestClient) -> None:
    page = read(client.get(f"/?open={PICTURED}").text)
    links = page.select("#strip a")
    assert [link["href"] for link in links] == [
        "lora-image?open=civitai%3A5%4050&index=0", "lora-image?open=civitai%3A5%4050&index=2",
    ]  # fmt: skip
    assert [each.text for each in page.select("#strip figcaption")] == ["1 / 2", "2 / 2"]
    assert page.select("#strip figure")[1]["data-video"]


def test_an_image_is_shown_large_beside_how_it_was_made(pictured: Services, client: TestClient) -> None:
    page = read(client.get(f"/lora-image?open={PICTURED}&index=0").text)
    said = page.find("section", attrs={"aria-label": "How it was made"})
    assert [text.text for text in said.select(".prompt")] == ["a cat <lora:x:0.6>", "dull"]
    assert [cell.text for cell in page.select(".facts dt, .facts dd > span")] == ["Seed", "5", "Steps", "8"]
    assert page.find("button", attrs={"aria-label": "Copy Seed"})["data-copy"] == "5"


def test_the_lightbox_gets_the_image_alone_with_the_one_before_and_the_next(
    pictured: Services, client: TestClient
) -> None:
    part = read(client.get(f"/lora-image?open={PICTURED}&index=0&nsfw=explicit", headers=BOX).text)
    assert part.html is None
    steps = [str(link["href"]).rpartition("index=")[2] for link in part.select("a.step")]
    assert (steps, part.select("figcaption")[0].text) == (["2", "1"], "1 / 3")


def test_a_mature_image_is_blurred_until_it_is_asked_for(pictured: Services, client: TestClient) -> None:
    page = read(client.get(f"/lora-image?open={PICTURED}&index=1&nsfw=explicit").text)
    assert page.select(".large img")[0]["class"] == ["blurred"]
    assert page.select(".reveal")[0].text.strip() == "Show this explicit image"


@pytest.mark.parametrize(("index", "status"), [(1, 404), (9, 404), (-1, 422)])
def test_an_image_above_the_level_or_beyond_the_last_is_not_there(
    pictured: Services, client: TestClient, index: int, status: int
) -> None:
    assert client.get(f"/lora-image?open={PICTURED}&index={index}").status_code == status


def test_a_lora_that_was_never_seen_is_opened_instead(client: TestClient) -> None:
    answer = client.get("/lora-image?open=civitai:77&index=0")
    assert (answer.status_code, answer.headers["location"]) == (303, "./?open=civitai%3A77")


@pytest.mark.parametrize("address", ["/lora-image?index=0", "/lora/example?open=nonsense&index=0"])
def test_an_address_without_a_lora_is_told(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 422


def test_the_settings_of_an_image_fill_in_the_compare_page(pictured: Services, client: TestClient) -> None:
    page = read(client.get(f"/lora-image?open={PICTURED}&index=0").text)
    link = page.find("a", string="Use these settings")
    there = client.get("/" + str(link["href"])).headers["location"]
    view = View.from_address(there.partition("?")[2])
    assert there.startswith("../?view=try&")
    assert (view.settings.prompt, view.settings.negative, view.settings.seed) == ("a cat", "dull", 5)
    assert [(lora.ref, lora.weight) for lora in view.stack] == [(PICTURED, 1.0)]


def test_what_a_hub_says_of_an_image_stays_text(built: Services, client: TestClient) -> None:
    params = {"seed": HOSTILE, "negativePrompt": HOSTILE, HOSTILE: HOSTILE}
    put(built, replace(example("cat"), prompt=HOSTILE, params=params))
    page = client.get(f"/lora-image?open={PICTURED}&index=0").text
    assert "<img src=x" not in page
    assert read(page).select(".prompt")[0].text == HOSTILE


def test_an_example_gives_the_weights_of_the_loras_parts() -> None:
    found = example_settings.settings(Example(url="", prompt="a (cat:1.2) <lora:ink:0.5:0.8:lbw=OUTALL>"))
    shown = lora(1, base="SDXL 1.0").version(None)
    assert examples.example_weight(found, shown) == 0.8
    settings = examples.try_settings(found, shown)
    assert (settings.prompt, settings.clip_weights, settings.blocks) == ("a (cat:1.2)", (0.5,), ("OUTALL",))


def test_what_is_not_taken_over_is_said(built: Services) -> None:
    described = example("cat", clipSkip=2)
    found = example_settings.settings(described)
    text = examples.describe_example(found, version(PICTURED, examples=(described,)))
    assert text == "Not taken over: clip skip 2. It was made with other LoRAs too: x."
