import io

import pytest
import requests
from PIL import Image

from hub_ui.demo.hubs.pictures import draw_picture
from hub_ui.demo.hubs.server import HubEndpoints


def test_pictures_are_on_every_origin(hubs: HubEndpoints) -> None:
    for origin in (hubs.huggingface, hubs.civitai, hubs.replicate, hubs.delivery):
        answer = requests.get(f"{origin}/pictures/red.png", timeout=5)
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


@pytest.mark.parametrize("name", ["missing.png", "../access.json", "%2e%2e/access.json", "..%2faccess.json"])
def test_only_pictures_are_served(hubs: HubEndpoints, name: str) -> None:
    request = requests.Request("GET", f"{hubs.civitai}/pictures/").prepare()
    request.url = f"{hubs.civitai}/pictures/{name}"
    with requests.Session() as session:
        assert session.send(request, timeout=5).status_code == 404


def test_the_same_prompt_and_seed_give_the_same_picture() -> None:
    one = draw_picture("a house", seed=7)
    assert one == draw_picture("a house", seed=7)
    assert len({one, draw_picture("a tree", seed=7), draw_picture("a house", seed=8)}) == 3


def test_a_stronger_lora_shows_more_and_none_shows_nothing() -> None:
    def changed(strength: float) -> int:
        plain, shown = (pixels(draw_picture("a house", lora="maker/x", strength=s)) for s in (0.0, strength))
        return sum(before != after for before, after in zip(plain, shown, strict=True))

    assert changed(0.0) == 0
    assert 0 < changed(0.3) < changed(0.6) < changed(1.2)


def pixels(picture: bytes) -> bytes:
    return Image.open(io.BytesIO(picture)).tobytes()


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("webp", b"RIFF"), ("jpg", b"\xff\xd8")])
def test_a_picture_comes_in_the_format_asked_for(form: str, start: bytes) -> None:
    assert draw_picture("a house", form=form).startswith(start)
