import io
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from anyio import CapacityLimiter
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connectors.errors import HubUiError
from connectors.http.adapter import Destinations
from hub_ui.access.visitor import Visitor, use_visitor
from hub_ui.images.media_store import MediaStore
from hub_ui.web import images
from hub_ui.web.images import GeneratedImages, HubImages, LocalImages, address
from hub_ui.web.layout.render import ImageLinks
from tests.connectors.serving import Answer, Asked, hub, redirect
from tests.hub_ui.images.building import image_bytes
from tests.hub_ui.library.download.queueing import eventually

PNG = image_bytes()


@contextmanager
def host(
    bodies: Mapping[str, bytes | str], wait: Callable[[], object] = lambda: None
) -> Iterator[tuple[str, list[Asked]]]:
    """A server on loopback: bytes are bodies, text is where to go instead. Yields its origin and what it was asked."""

    def reply(asked: Asked) -> Answer:
        wait()
        body = bodies.get(asked.path, b"")
        if isinstance(body, str):
            return redirect(body)
        return Answer(body=body, status=200 if body else 404)

    with hub() as server:
        server.answers = dict.fromkeys([*bodies, "/1.png"], reply)
        yield server.url, server.asked


@pytest.fixture
def made(tmp_path: Path) -> HubImages:
    """Replicate is a hub on this network, CivitAI is not."""
    own = {
        "replicate": Destinations(own=frozenset({"127.0.0.1"})),
        "civitai": Destinations.of({"civitai": "https://civitai.com"}),
    }
    return HubImages(links=ImageLinks(), store=MediaStore(tmp_path / "kept", 1_000_000), destinations=own)


def answer(made: HubImages, link: str, **headers: str) -> Any:
    with TestClient(Starlette(routes=made.routes())) as client:
        return client.get("/" + link, headers={name.replace("_", "-"): value for name, value in headers.items()})


def contents(made: HubImages, links: Sequence[str]) -> list[bytes]:
    """Of all these, asked for at once."""
    with TestClient(Starlette(routes=made.routes())) as client, ThreadPoolExecutor(len(links)) as pool:
        return list(pool.map(lambda link: client.get("/" + link).content, links))


def sent(made: HubImages, body: bytes, media: str = "hub-picture", **headers: str) -> Any:
    """The answer about what the hub has there."""
    with host({"/1": body}) as (origin, _):
        return answer(made, made.links.link(f"{origin}/1", "replicate", media), **headers)


def test_a_picture_of_a_hub_comes_from_the_page_itself_and_nothing_goes_along(made: HubImages) -> None:
    with host({"/1.png": PNG}) as (origin, seen):
        found = answer(made, made.links.link(f"{origin}/1.png", "replicate"))
    assert (found.content, found.headers["content-type"]) == (PNG, "image/png")
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert {"cookie", "authorization", "referer"}.isdisjoint(name.lower() for name in seen[0].headers)


def test_only_links_that_the_page_made_are_followed(made: HubImages) -> None:
    link = ImageLinks().link("https://a.example/1.png", "civitai")
    assert answer(made, link).status_code == 403
    assert answer(made, "hub-picture").status_code == 403
    own = made.links.link("https://a.example/1.png", "civitai")
    assert answer(made, own.replace("hub-picture", "hub-video")).status_code == 403


@pytest.mark.parametrize("hub", ["civitai", "nobody"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_no_address_of_this_network_is_reached_for_a_hub_elsewhere(made: HubImages, name: str, hub: str) -> None:
    with host({"/1.png": PNG}) as (origin, seen), pytest.raises(HubUiError):
        made.fetch(f"http://{name}:{urlsplit(origin).port}/1.png", hub)
    assert seen == []


def test_a_hub_may_send_on_to_where_its_files_are_but_not_in_circles(made: HubImages) -> None:
    with host({"/2.png": PNG}) as (far, _), host({"/1.png": f"{far}/2.png"}) as (hub, _):
        assert made.fetch(f"{hub}/1.png", "replicate").data == PNG
    with host({"/1.png": "/1.png"}) as (hub, _), pytest.raises(HubUiError, match="in circles"):
        made.fetch(f"{hub}/1.png", "replicate")


@pytest.mark.parametrize("body", [b"<svg onload='alert(1)'/>", b"<script>alert(1)</script>", b"", b"\x89PNG\r\n"])
def test_in_place_of_what_is_no_picture_there_is_nothing_that_hides_the_initial(made: HubImages, body: bytes) -> None:
    found = sent(made, body)
    assert (found.status_code, found.content) == (200, images.MISSING)
    assert re.fullmatch(rb"<svg [^<>]*/>", found.content)
    assert (found.headers["content-type"], found.headers["cache-control"]) == ("image/svg+xml", "no-store")


def test_pictures_without_measure_are_refused(made: HubImages) -> None:
    with pytest.raises(HubUiError, match="too large"):
        images.check_image(image_bytes(Image.new("1", (10_100, 10_100))))
    small = replace(images.IMAGE, most_bytes=10)
    with host({"/1.png": PNG}) as (origin, _), pytest.raises(HubUiError, match="too large"):
        made.fetch(f"{origin}/1.png", "replicate", small)


MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + 100 * b"."
WEBM = b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x86\x81\x01\x42\x82\x84webm" + 100 * b"."


@pytest.mark.parametrize(("body", "media_type"), [(MP4, "video/mp4"), (WEBM, "video/webm")])
def test_a_video_comes_with_the_type_of_its_bytes(made: HubImages, body: bytes, media_type: str) -> None:
    found = sent(made, body, "hub-video")
    assert (found.content, found.headers["content-type"]) == (body, media_type)
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    "body",
    [PNG, b"<html>", b"....ftypheic....", b"....ftypqt  ....", b"\x1a\x45\xdf\xa3\x42\x82\x88matroska", b""],
)
def test_what_is_no_video_is_not_handed_on(made: HubImages, body: bytes) -> None:
    found = sent(made, body, "hub-video")
    assert (found.status_code, found.headers["cache-control"]) == (404, "no-store")


def test_an_image_is_served_as_no_video_and_no_part_of_another_one_than_the_browser_began_with(made: HubImages) -> None:
    with host({"/1": PNG}) as (origin, _):
        assert answer(made, made.links.link(f"{origin}/1", "replicate")).status_code == 200
        assert answer(made, made.links.link(f"{origin}/1", "replicate", "hub-video")).status_code == 404
    with host({"/1.mp4": MP4}) as (origin, _):
        link = made.links.link(f"{origin}/1.mp4", "replicate", "hub-video")
        assert answer(made, link, range="bytes=0-3", if_range='"another"').status_code == 200
        assert answer(made, link, range="bytes=0-3", if_range=answer(made, link).headers["etag"]).status_code == 206


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, MP4[:4], "bytes 0-3/132"),
        ("bytes=100-", 206, MP4[100:], "bytes 100-131/132"),
        ("bytes=100-900", 206, MP4[100:], "bytes 100-131/132"),
        ("bytes=132-", 416, b"", "bytes */132"),
        ("bytes=9-3", 416, b"", "bytes */132"),
        ("items=0-3", 200, MP4, None),
    ],
)
def test_a_browser_gets_the_part_of_a_video_that_it_asks_for(
    made: HubImages, asked: str, status: int, body: bytes, content_range: str | None
) -> None:
    found = sent(made, MP4, "hub-video", range=asked)
    assert (found.status_code, found.content, found.headers.get("content-range")) == (status, body, content_range)


def test_what_came_once_is_not_asked_for_again_and_a_browser_that_has_it_is_told_so(made: HubImages) -> None:
    with host({"/1.png": PNG}) as (origin, seen):
        link = made.links.link(f"{origin}/1.png", "replicate")
        first = answer(made, link)
        assert answer(made, link).content == PNG
        assert len(seen) == 1
    offline = answer(made, link)
    assert (offline.status_code, offline.content, offline.headers["etag"]) == (
        200,
        PNG,
        first.headers["etag"],
    )
    with host({"/1.png": PNG}) as (origin, _):
        link = made.links.link(f"{origin}/1.png", "replicate")
        again = answer(made, link, if_none_match=answer(made, link).headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_ten_who_ask_at_once_cost_one_fetch(made: HubImages) -> None:
    with host({"/1.png": PNG}, wait=partial(time.sleep, 0.5)) as (origin, seen):
        found = contents(made, [made.links.link(f"{origin}/1.png", "replicate")] * 10)
    assert (found, len(seen)) == ([PNG] * 10, 1)


def test_sixteen_images_of_slow_hosts_come_at_once(made: HubImages) -> None:
    bodies = {f"/{n}.png": PNG for n in range(16)}
    with host(bodies, wait=threading.Barrier(16, timeout=20).wait) as (origin, _seen):
        assert contents(made, [made.links.link(f"{origin}{name}", "replicate") for name in bodies]) == [PNG] * 16


def test_what_waits_for_its_turn_at_the_end_is_given_up(made: HubImages) -> None:
    made, ends = replace(made, _limiter=CapacityLimiter(1)), threading.Event()
    with (
        host({"/1.png": PNG, "/2.png": PNG}, wait=partial(ends.wait, 20)) as (origin, seen),
        TestClient(Starlette(routes=made.routes())) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        links = ["/" + made.links.link(f"{origin}/{n}.png", "replicate") for n in (1, 2)]
        asked = [pool.submit(client.get, link) for link in links]
        eventually(lambda: seen and len(made._running) == 2)
        made.close()
        ends.set()
        assert [type(one.exception(20)) for one in asked] == [CancelledError] * 2
    assert len(seen) == 1


def test_what_failed_is_asked_for_again_only_after_a_while(made: HubImages) -> None:
    bodies: dict[str, bytes | str] = {}
    with host(bodies) as (origin, seen):
        link = made.links.link(f"{origin}/1.png", "replicate")
        assert [answer(made, link).content for _ in range(2)] == [images.MISSING] * 2
        assert len(seen) == 1
        bodies["/1.png"] = PNG
        made._failed.clear()
        assert answer(made, link).content == PNG


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:image/svg+xml,x", "//a.example/1.png", "http://[", ""])
def test_what_is_no_web_address_gets_no_link(url: str) -> None:
    assert ImageLinks().link(url, "civitai") == ""


def test_a_link_holds_the_whole_address_and_who_named_it() -> None:
    links, url = ImageLinks(), "https://a.example/1.png?w=4&h=5#x ä"
    link = links.link(url, "civitai")
    query = {name: values[0] for name, values in parse_qs(link.partition("?")[2]).items()}
    assert links.read("hub-picture", query, "url", "hub") == {"url": url, "hub": "civitai"}
    for changed in ({"hub": "replicate"}, {"signed": ""}, {"signed": "ä"}):
        assert links.read("hub-picture", query | changed, "url", "hub") is None


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


def test_a_link_out_of_the_folder_is_not_followed_and_a_page_is_no_image(client: TestClient, folder: Path) -> None:
    (folder / "tmp1" / "out.png").symlink_to(folder.parent / "secret.png")
    assert client.get("images/tmp1/out.png").status_code == 404
    (folder / "tmp1" / "evil.png").write_bytes(b"<script>alert(1)</script>")
    answer = client.get("images/tmp1/evil.png")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/png", "nosniff")


@pytest.mark.parametrize(("asks", "status"), [("ada", 200), ("ben", 404), ("", 200)])
def test_on_a_shared_page_only_who_made_an_image_sees_it(tmp_path: Path, asks: str, status: int) -> None:
    made = GeneratedImages(folder=tmp_path)
    with use_visitor(Visitor(id="ada", address="8.8.8.8")):
        shown = made.save(Image.new("RGB", (2, 2)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with use_visitor(Visitor(id=asks, address="8.8.8.8")) if asks else nullcontext():
            await Starlette(routes=[made.route()])(scope, receive, send)

    answer = TestClient(app).get(f"/{shown}")
    assert answer.status_code == status
    assert status == 404 or answer.headers["cache-control"] == "private, max-age=86400"


def test_what_is_shared_is_seen_by_all_who_have_its_address(tmp_path: Path) -> None:
    made = GeneratedImages(folder=tmp_path)
    with use_visitor(Visitor(id="ada", address="8.8.8.8")):
        path = made.new(is_shared=True) / "sheet.png"
    path.write_bytes(PNG)
    with use_visitor(Visitor(id="bob", address="9.9.9.9")):
        assert made.path(address(path)) == path


def local_answer(link: str, links: ImageLinks) -> Any:
    return TestClient(Starlette(routes=[LocalImages(links=links).route()])).get(link)


def test_a_large_image_is_sent_small_and_a_name_that_no_address_can_hold_has_no_link(tmp_path: Path) -> None:
    path, links = tmp_path / "Ink & lines #1.preview.png", ImageLinks()
    Image.new("RGBA", (1200, 600), "red").save(path)
    answer = local_answer(links.local_link(path), links)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 128))
    assert answer.headers["content-type"] == "image/webp"
    assert links.local_link(Path("/library/in\udcffk.png")) == ""


def test_only_links_of_this_server_are_answered(tmp_path: Path) -> None:
    path, links = tmp_path / "ink.png", ImageLinks()
    Image.new("1", (2, 2)).save(path)
    for link in (ImageLinks().local_link(path), links.local_link(path).replace("ink", "other"), "local-picture"):
        assert local_answer(link, links).status_code == 403


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"secret"])
def test_what_is_no_image_is_not_sent(tmp_path: Path, data: bytes) -> None:
    path, links = tmp_path / "ink.png", ImageLinks()
    path.write_bytes(data)
    answer = local_answer(links.local_link(path), links)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert b"secret" not in answer.content
