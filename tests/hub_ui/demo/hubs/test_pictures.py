import io

import pytest
import requests
from PIL import Image

from hub_ui.demo.hubs.pictures import plain_picture
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


def test_the_same_prompt_gives_the_same_picture() -> None:
    assert plain_picture("a house") == plain_picture("a house") != plain_picture("a tree")
