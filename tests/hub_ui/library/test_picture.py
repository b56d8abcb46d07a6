from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from connectors.errors import BadAnswer, HubUiError, NotFound
from connectors.record import Example, Nsfw
from hub_ui.library.picture import as_png, example_of, fetch
from tests.hub_ui.library.building import entry
from tests.hub_ui.library.serving import Answer, Host, redirect
from tests.hub_ui.stand_ins import lora


def picture(kind: str = "WEBP", side: int = 1024, mode: str = "RGB") -> bytes:
    target = io.BytesIO()
    Image.new(mode, (side, side // 2), "teal").save(target, kind, comment=b"a secret")
    return target.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG", "GIF"])
def test_a_picture_becomes_a_small_png(kind: str) -> None:
    made = as_png(picture(kind))
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size, image.info) == ("PNG", (768, 384), {})


@pytest.mark.parametrize("data", [b"", b"<html>", picture()[:60], picture("BMP")])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        as_png(data)


def test_a_picture_comes_from_where_the_hub_has_it(hub: Host, delivery: Host) -> None:
    hub.answers["/1"] = redirect(delivery.url + "/1.webp")
    delivery.answers["/1.webp"] = Answer(body=picture(side=64))
    with Image.open(io.BytesIO(fetch(Example(url=hub.url + "/1"), {"127.0.0.1"}))) as image:
        assert image.size == (64, 32)


@pytest.mark.parametrize(
    ("url", "error"), [("/none", NotFound), ("http://hub.invalid/1", HubUiError), ("http://[", HubUiError)]
)
def test_a_picture_that_cannot_be_had_is_one_of_our_errors(hub: Host, url: str, error: type[HubUiError]) -> None:
    with pytest.raises(error):
        fetch(Example(url=url if "://" in url else hub.url + url), {"127.0.0.1"})


def test_a_picture_of_this_network_is_not_fetched(hub: Host) -> None:
    hub.answers["/1"] = Answer(body=picture(side=64))
    with pytest.raises(BadAnswer, match="own network"):
        fetch(Example(url=hub.url + "/1"), ())
    assert hub.seen == []


@pytest.mark.parametrize(
    ("levels", "chosen"),
    [(["soft", "safe"], 1), (["mature", "soft"], 1), (["explicit"], None), ([], None)],
)
def test_the_tamest_picture_is_chosen_and_no_mature_one(levels: list[Nsfw], chosen: int | None) -> None:
    examples = tuple(Example(url=str(place), nsfw=level) for place, level in enumerate(levels))
    made = lora()
    found = example_of(replace(made, versions=(replace(made.versions[0], examples=examples),)), entry())
    assert (found and int(found.url)) == chosen


def test_a_video_is_no_picture() -> None:
    made = lora()
    version = replace(made.versions[0], examples=(Example(url="1.mp4", video=True),))
    assert example_of(replace(made, versions=(version,)), entry()) is None
