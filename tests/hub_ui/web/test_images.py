from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connectors.errors import HubUiError
from hub_ui.web import images
from hub_ui.web.images import GeneratedImages, HubImages, address
from hub_ui.widgets.render import ImageLinks


def png(side: int = 2) -> bytes:
    held = io.BytesIO()
    Image.new("1", (side, side)).save(held, "PNG")
    return held.getvalue()


@contextmanager
def host(bodies: Mapping[str, bytes | str]) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """A server on loopback: bytes are bodies, text is where to go instead. Yields its origin and what was sent."""
    seen: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            body = bodies.get(self.path, b"")
            self.send_response(302 if isinstance(body, str) else 200 if body else 404)
            if isinstance(body, str):
                self.send_header("Location", body)
            sent = b"" if isinstance(body, str) else body
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def fetching() -> Iterator[HubImages]:
    """Replicate is a hub on this network, CivitAI is not."""
    made = HubImages(links=ImageLinks(), hosts={"replicate": "127.0.0.1", "civitai": "civitai.com"})
    try:
        yield made
    finally:
        made.close()


def answer(made: HubImages, link: str) -> Any:
    with TestClient(Starlette(routes=[made.route()])) as client:
        return client.get("/" + link)


def test_a_picture_of_a_hub_comes_from_the_page_itself_and_nothing_goes_along() -> None:
    with host({"/1.png": png()}) as (origin, seen), fetching() as made:
        found = answer(made, made.links.link(f"{origin}/1.png", "replicate"))
    assert (found.content, found.headers["content-type"]) == (png(), "image/png")
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert {"cookie", "authorization", "referer"}.isdisjoint(name.lower() for name in seen[0])


def test_only_links_that_the_page_made_are_followed() -> None:
    with fetching() as made:
        link = ImageLinks().link("https://a.example/1.png", "civitai")
        assert answer(made, link).status_code == 403
        assert answer(made, "hub-picture").status_code == 403


@pytest.mark.parametrize("hub", ["civitai", "nobody"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_no_address_of_this_network_is_reached_for_a_hub_elsewhere(name: str, hub: str) -> None:
    with host({"/1.png": png()}) as (origin, seen), fetching() as made, pytest.raises(HubUiError):
        made.fetch(f"http://{name}:{urlsplit(origin).port}/1.png", hub)
    assert seen == []


def test_a_hub_may_send_on_to_where_its_files_are() -> None:
    with host({"/2.png": png()}) as (far, _), host({"/1.png": f"{far}/2.png"}) as (hub, _), fetching() as made:
        assert made.fetch(f"{hub}/1.png", "replicate").data == png()


def test_an_address_that_leads_in_circles_is_given_up() -> None:
    with host({"/1.png": "/1.png"}) as (hub, _), fetching() as made, pytest.raises(HubUiError, match="in circles"):
        made.fetch(f"{hub}/1.png", "replicate")


@pytest.mark.parametrize("body", [b"<svg onload='alert(1)'/>", b"<script>alert(1)</script>", b"", b"\x89PNG\r\n"])
def test_in_place_of_what_is_no_picture_there_is_a_sign_for_it(body: bytes) -> None:
    with host({"/1.png": body}) as (origin, _), fetching() as made:
        found = answer(made, made.links.link(f"{origin}/1.png", "replicate"))
    assert (found.status_code, found.content) == (200, images.MISSING)
    assert (found.headers["content-type"], found.headers["cache-control"]) == ("image/svg+xml", "no-store")


def test_pictures_without_measure_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubUiError, match="too large"):
        images.check_image(png(10_100))
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    with host({"/1.png": png()}) as (origin, _), fetching() as made, pytest.raises(HubUiError, match="too large"):
        made.fetch(f"{origin}/1.png", "replicate")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:image/svg+xml,x", "//a.example/1.png", "http://[", ""])
def test_what_is_no_web_address_gets_no_link(url: str) -> None:
    assert ImageLinks().link(url, "civitai") == ""


def test_a_link_holds_the_whole_address_and_who_named_it() -> None:
    links, url = ImageLinks(), "https://a.example/1.png?w=4&h=5#x ä"
    link = links.link(url, "civitai")
    query = {name: values[0] for name, values in parse_qs(link.partition("?")[2]).items()}
    assert links.read(query) == (url, "civitai")
    assert links.read(query | {"hub": "replicate"}) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page" / "tmp1").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "page" / "tmp1" / "made.png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "page"


@pytest.fixture
def client(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=[GeneratedImages(folder=folder).route()]))


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
