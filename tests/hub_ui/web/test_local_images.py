from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub_ui.web.images import LocalImages
from hub_ui.web.layout.render import ImageLinks


@pytest.fixture
def links() -> ImageLinks:
    return ImageLinks()


@pytest.fixture
def client(links: ImageLinks) -> TestClient:
    return TestClient(Starlette(routes=[LocalImages(links=links).route()]))


def test_a_large_image_is_sent_small(client: TestClient, links: ImageLinks, tmp_path: Path) -> None:
    path = tmp_path / "Ink & lines #1.preview.png"
    Image.new("RGBA", (1200, 600), "red").save(path)
    answer = client.get(links.local_link(path))
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 128))
    assert answer.headers["content-type"] == "image/webp"


def test_only_links_of_this_server_are_answered(client: TestClient, links: ImageLinks, tmp_path: Path) -> None:
    path = tmp_path / "ink.png"
    Image.new("1", (2, 2)).save(path)
    assert client.get(ImageLinks().local_link(path)).status_code == 403
    assert client.get(links.local_link(path).replace("ink", "other")).status_code == 403
    assert client.get("local-picture").status_code == 403


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"secret"])
def test_what_is_no_image_is_not_sent(client: TestClient, links: ImageLinks, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "ink.png"
    path.write_bytes(data)
    answer = client.get(links.local_link(path))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert b"secret" not in answer.content


def test_a_name_that_no_address_can_hold_has_no_link(links: ImageLinks) -> None:
    assert links.local_link(Path("/library/in\udcffk.png")) == ""
