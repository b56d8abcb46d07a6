from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub_ui.web.images import Images, address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page" / "tmp1").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "page" / "tmp1" / "made.png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "page"


@pytest.fixture
def client(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=[Images(folder=folder).route()]))


def test_an_image_is_served_under_an_address_without_folders(client: TestClient, folder: Path) -> None:
    link = address(folder / "tmp1" / "made.png")
    answer = client.get(link)
    assert (link, answer.headers["content-type"]) == ("images/tmp1/made.png", "image/png")
    assert Image.open(io.BytesIO(answer.content)).size == (2, 2)


@pytest.mark.parametrize(
    "path",
    ["tmp1/other.png", "tmp1/made.html", "../secret.png", "%2e%2e/secret.png", "tmp1/%00.png", "tmp1/" + 300 * "x"],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"images/{path}").status_code == 404


def test_a_link_out_of_the_folder_is_not_followed(client: TestClient, folder: Path) -> None:
    (folder / "tmp1" / "out.png").symlink_to(folder.parent / "secret.png")
    assert client.get("images/tmp1/out.png").status_code == 404


def test_a_page_in_the_clothes_of_an_image_is_no_page(client: TestClient, folder: Path) -> None:
    (folder / "tmp1" / "evil.png").write_bytes(b"<script>alert(1)</script>")
    answer = client.get("images/tmp1/evil.png")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/png", "nosniff")
