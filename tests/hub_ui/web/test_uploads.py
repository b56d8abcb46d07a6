"""Files that are given to the page, and what an image that is dropped or chosen says of how it was made."""

import asyncio
import io
import os
import re
import struct
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import Message

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.access.quotas import Limits
from hub_ui.access.visitor import Visitor, use_visitor
from hub_ui.app.services import Services
from hub_ui.generate.compare import comparison
from hub_ui.generate.result import GeneratedImage
from hub_ui.images import png_metadata
from hub_ui.settings import hosted_policy
from hub_ui.web import uploads
from hub_ui.web.images import GeneratedImages
from hub_ui.web.requests import Refused
from hub_ui.web.uploads import Upload, Uploads, check_pixels, plain_name, receive_upload
from hub_ui.web.view import View
from tests.clock import Clock
from tests.hub_ui.app.test_dropped_images import A1111, NUMBERED
from tests.hub_ui.generate import making
from tests.hub_ui.images.building import image_bytes, write_png
from tests.hub_ui.web.conftest import PART, open_client, read, with_settings

MB = 1_000_000
LIMITS = replace(hosted_policy(Limits()).limits, upload_bytes=20 * MB, uploads_bytes=50 * MB, keep_seconds=3600)


def room(tmp_path: Path, clock: Clock | None = None) -> Uploads:
    return Uploads(folder=tmp_path / "none", limits=LIMITS, spend=lambda size: None, clock=clock or Clock())


def test_what_is_announced_as_too_large_is_refused_and_no_word_counts_as_the_most(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too much for one request") as raised:
        room(tmp_path).begin(500 * MB)
    assert raised.value.status == 413
    kept = room(tmp_path)
    assert kept.begin(None).promised == 21 * MB


def test_all_of_an_hour_fill_no_more_than_their_room(tmp_path: Path) -> None:
    clock = Clock()
    kept = room(tmp_path, clock)
    for _ in range(2):
        upload = kept.begin(20 * MB)
        upload.received = 20 * MB
        kept.end(upload)
    with pytest.raises(Refused, match="no room for another file here just now") as raised:
        kept.begin(11 * MB)
    assert raised.value.status == 507
    clock.now = 3601
    kept.begin(20 * MB)


def test_what_did_not_come_takes_no_room_and_too_many_of_one_visitor_are_refused_in_their_words(tmp_path: Path) -> None:
    kept = room(tmp_path)
    for _ in range(20):
        kept.end(kept.begin(20 * MB))
    kept.begin(20 * MB)

    def spend(size: int) -> None:
        raise UsageError("200 MB uploaded an hour a person. This one in 5 min.")

    with pytest.raises(Refused, match="uploaded an hour a person") as raised:
        Uploads(folder=tmp_path, limits=LIMITS, spend=spend).begin(1)
    assert raised.value.status == 429


async def take(upload: Upload, *bodies: bytes, pause: float = 0.0) -> int:
    left = list(bodies)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    limited = receive_upload(upload, receive)
    return sum([len((await limited())["body"]) for _ in bodies])


def test_more_than_was_announced_and_one_that_stops_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = room(tmp_path).begin(100_000)
    with pytest.raises(Refused, match="too much for one request"):
        asyncio.run(take(upload, bytes(60_000), bytes(60_000)))
    monkeypatch.setattr(uploads, "_SECONDS_BETWEEN_BYTES", 0.01)
    with pytest.raises(Refused, match="stopped arriving"):
        asyncio.run(take(room(tmp_path).begin(10), b"x", pause=5))


def bomb(side: int) -> bytes:
    """An image of one bit a pixel, all black."""
    row = zlib.compress(b"\0" * ((side // 8 + 2) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", row), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    data = bomb(13_370)
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(Refused, match=r"bomb.png has more than 16 million pixels. Make it smaller first."):
        check_pixels(tmp_path / "bomb.png", LIMITS.pixels)
    assert len(data) < 30_000
    (tmp_path / "pictures.zip").write_bytes(b"PK\3\4" + bytes(100))
    check_pixels(tmp_path / "pictures.zip", 1)


def test_old_images_and_uploads_are_taken_away_by_new_ones(tmp_path: Path) -> None:
    old, new, empty = tmp_path / "a" / "old.png", tmp_path / "new.png", tmp_path / "empty"
    old.parent.mkdir()
    empty.mkdir()
    old.touch()
    new.touch()
    for path in (old, old.parent, empty):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    GeneratedImages(folder=tmp_path, keep_seconds=3600).new()
    # A folder that is empty now goes with the next one.
    assert [path for path in (old, old.parent, new, empty) if path.exists()] == [old.parent, new]


def upload(site: TestClient, data: bytes = b"", *, name: str = "a.png", field: str = "file", part: bool = True) -> str:
    """Its name, as a later form field gives it back."""
    answer = site.post("/upload", files={field: (name, data or image_bytes())}, headers=PART if part else {})
    found = re.search(r'value="([\w-]{20,})"', answer.text)
    assert found, answer.text
    return found[1]


def test_an_uploaded_image_is_shown_again_a_phones_too(site: TestClient) -> None:
    of_a_phone = image_bytes(8, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    for data, media_type in ((image_bytes(), "image/png"), (of_a_phone, "image/jpeg")):
        found = site.get(f"/uploaded?name={upload(site, data)}")
        assert (found.content, found.headers["content-type"]) == (data, media_type)
        assert found.headers["cache-control"].startswith("private")
        assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("data", [b"<svg onload='alert(1)'/>", b"<script>alert(1)</script>", b"\x89PNG\r\n\x1a\nx"])
def test_what_is_no_image_is_not_handed_on_whatever_it_is_called(site: TestClient, data: bytes) -> None:
    found = site.get(f"/uploaded?name={upload(site, data)}")
    assert (found.status_code, data in found.content) == (404, False)


@pytest.mark.parametrize("name", ["x" * 32, "../../../../etc/passwd", "", "a b", "x" * 61])
def test_a_name_that_nobody_was_given_leads_nowhere(site: TestClient, name: str) -> None:
    assert site.get("/uploaded", params={"name": name}).status_code in (404, 422)


def test_an_image_of_too_many_pixels_is_gone_and_an_upload_its_visitors(tmp_path: Path) -> None:
    kept = Uploads(folder=tmp_path, limits=replace(LIMITS, pixels=10_000), spend=lambda size: None)
    with pytest.raises(Refused, match="million pixels"):
        kept.keep(io.BytesIO(image_bytes(101)), "a.png")
    assert [path for path in tmp_path.glob("**/*") if path.is_file()] == []
    with use_visitor(Visitor(id="one")):
        name = kept.keep(io.BytesIO(image_bytes()), "a.png")
        assert kept.path(name).name == "a.png"
    with use_visitor(Visitor(id="two")), pytest.raises(NotFound, match="no longer here"):
        kept.path(name)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("robot.png", "robot.png"), ("../../etc/passwd", "passwd"), ("C:\\evil\\a.png", "a.png"), ("..", "file"),
        ("", "file"), (".hidden", "hidden"), ("a\u202eb\x00.png", "ab.png"), ("猫<b>.png", "猫_b_.png"),
        ("x" * 300 + ".png", "x" * 48 + ".png"), ("/", "file"),
    ],
)  # fmt: skip
def test_a_file_keeps_as_much_of_its_name_as_any_disk_can_hold(given: str, plain: str) -> None:
    assert plain_name(given) == plain


@pytest.mark.parametrize("sent", [{"files": {"file": ("a.png", b"")}}, {"data": {"file": "text"}}, {"content": b"x"}])
def test_a_request_without_a_file_is_told_so(site: TestClient, sent: dict[str, object]) -> None:
    answer = site.post("/upload", headers=PART, **sent)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert "Choose a file first" in answer.text


def test_a_start_image_is_shown_in_the_form_and_can_be_taken_out_but_has_to_be_one(site: TestClient) -> None:
    page = read(site.post("/upload", files={"image_file": ("a.png", image_bytes())}, headers=PART).text)
    name = page.select("#chosen-image")[0]["value"]
    assert page.find("img", alt="Start from an image")["src"] == f"uploaded?name={name}"
    gone = site.post("/upload", data={"image": name, "control": "", "remove": "image_file"}, headers=PART)
    assert read(gone.text).select("#chosen-image")[0]["value"] == ""
    answer = site.post("/upload", files={"image_file": ("a.png", b"x")}, headers=PART)
    assert (answer.status_code, "can't be read as an image" in read(answer.text).text) == (422, True)


def test_a_control_image_keeps_the_start_image_and_the_rest_of_the_address(site: TestClient) -> None:
    given, files = {"image": "s" * 32, "back": "view=try&made=depth"}, {"control_file": ("a.png", image_bytes())}
    page = read(site.post("/upload", files=files, data=given, headers=PART).text)
    assert page.select("#chosen-image")[0]["value"] == "s" * 32
    plain = site.post("/upload", files=files, data=given).headers["location"]
    assert re.fullmatch(r"try\?made=depth&image=s{32}&control=[\w-]{32}", plain)


def test_uploads_of_a_visitor_count_against_their_hour(built: Services, tmp_path: Path) -> None:
    limits = replace(built.settings.limits, upload_bytes_per_hour=100_000)
    with open_client(with_settings(built, hosted=True, limits=limits), tmp_path) as client:
        own = {**PART, "cookie": client.get("/").headers["set-cookie"].partition(";")[0]}
        client.cookies.clear()
        answers = [client.post("/upload", files={"file": ("a.png", image_bytes())}, headers=own) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "uploaded an hour a person" in answers[1].text


def give(site: TestClient, path: Path, name: str = "") -> str:
    """The address of what the image says."""
    answer = site.post("/upload", files={"file": (name or path.name, path.read_bytes())})
    assert answer.status_code == 303
    return f"/{answer.headers['location']}"


def link(page: BeautifulSoup, text: str) -> str:
    found = page.find("a", string=text)
    assert found, page.text
    return str(found["href"])


@pytest.fixture
def a1111(of_site: Services, tmp_path: Path) -> Path:
    of_site.lookup.get(Ref.parse("civitai:2"))
    return write_png(tmp_path / "a.png", parameters=NUMBERED)


def test_the_page_of_an_image_says_how_it_was_made_until_it_is_forgotten(site: TestClient, a1111: Path) -> None:
    page = read(site.get(give(site, a1111)).text)
    assert [title.text for title in page.select(".dropped h2")] == ["a.png"]
    assert [chip.text for chip in page.select(".dropped .chip")] == ["will be downloaded"]
    assert page.select(".dropped li a")[0]["href"] == "./?open=civitai%3A2%4020"
    address = give(site, a1111)
    name = address.partition("name=")[2]
    assert site.post("/image/forget", data={"name": name}).headers["location"] == "../image"
    assert site.get(address).status_code == 404
    assert site.post("/image/forget", data={"name": name}, headers=PART).text == ""


def test_to_make_it_again_leads_to_the_compare_page_with_everything_filled_in(site: TestClient, a1111: Path) -> None:
    address = give(site, a1111)
    page = read(site.get(address).text)
    again = link(page, "Make it again")
    path, _, query = again.partition("?")
    view = View.from_address(query)
    assert (path, view.settings.prompt, view.settings.seed) == ("try", "a cat", 5)
    assert [lora.weight for lora in view.stack] == [0.7]
    assert again.endswith(f"&original={address.partition('name=')[2]}")
    assert "original" not in link(page, "Fill in the form only")


def test_what_is_not_found_is_left_out_and_can_be_searched_for(site: TestClient, tmp_path: Path) -> None:
    text = A1111.replace("<lora:lora-2:0.7> ", "")
    page = read(site.get(give(site, write_png(tmp_path / "a.png", parameters=text))).text)
    assert link(page, "Search for it") == "./?q=nowhere"
    assert "lora=" not in link(page, "Make it without it")


def test_a_whole_comparison_is_made_again_without_an_original_beside_it(site: TestClient, tmp_path: Path) -> None:
    asked = making.job(making.adapter(ref=Ref.parse("civitai:2@20")))
    made = making.made(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0)))
    png_metadata.save_comparison(made, tmp_path / "a.png")
    page = read(site.get(give(site, tmp_path / "a.png")).text)
    assert "original" not in link(page, "Make it again")


def test_a_dropped_image_stands_on_the_page_at_once_and_asks_for_the_rest(site: TestClient, a1111: Path) -> None:
    sent = site.post("/upload", files={"file": ("a.png", a1111.read_bytes())}, headers=PART)
    waits = read(sent.text).select("[hx-get]")[0]
    assert (waits["hx-trigger"], waits["hx-target"]) == ("load", "#dropped")
    part = read(site.get(f"/{waits['hx-get']}", headers={**PART, "HX-Target": "section#dropped"}).text)
    assert (part.html, link(part, "Make it again")[:4]) == (None, "try?")


def test_a_clip_plays_on_the_page_and_is_made_again_without_its_original(site: TestClient, tmp_path: Path) -> None:
    frames = (Image.new("RGB", (32, 16)),) * 3
    film = making.made(images=(GeneratedImage(image=frames[1], frames=frames, seconds=1.0),))
    png_metadata.save(film, 0, tmp_path / "a.mp4", suffix=".mp4")
    page = read(site.get(give(site, tmp_path / "a.mp4")).text)
    shown = site.get(f"/{page.select('.dropped video')[0]['src']}")
    assert (shown.headers["content-type"], shown.content) == ("video/mp4", (tmp_path / "a.mp4").read_bytes())
    assert "seed=7" in link(page, "Make it without it")
    assert "original" not in link(page, "Make it without it")


def test_an_image_that_says_nothing_is_told_and_markup_stays_text(site: TestClient, tmp_path: Path) -> None:
    page = read(site.get(give(site, write_png(tmp_path / "plain.png"))).text)
    assert "does not say what it was made from" in page.select(".dropped .problem")[0].text
    assert page.find("a", string="Make it again") is None
    page = read(site.get("/image").text)
    field = page.select("main input[type=file]")[0]
    form = page.find("form", id=field["form"])
    assert (form["action"], form["enctype"]) == ("upload", "multipart/form-data")
    text = A1111.replace("a cat", "<img src=x onerror=alert(1)> ${1}").replace("nowhere", "<b>x</b>")
    page = site.get(give(site, write_png(tmp_path / "a.png", parameters=text), "<i>.png")).text
    assert "<img src=x" not in page
    assert "<i>" not in page
    assert "<img src=x onerror=alert(1)> ${1}" in read(page).select(".dropped dl")[0].text
