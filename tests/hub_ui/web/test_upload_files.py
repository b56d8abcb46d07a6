"""Files that are given to the page, and the names that lead back to them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from connectors.errors import NotFound
from hub_ui.hosting.visitor import Visitor, use_visitor
from hub_ui.services import Services
from hub_ui.web.upload_files import UploadedFiles, plain_name
from hub_ui.web.uploads import Refused
from tests.hub_ui.web.conftest import PART, open_client, read, with_settings


def png(side: int = 8) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(held, "PNG")
    return held.getvalue()


def upload(
    client: TestClient, data: bytes = b"", *, name: str = "a.png", field: str = "other", part: bool = True
) -> str:
    """Its name, as a later form field gives it back."""
    answer = client.post("/upload", files={field: (name, data or png())}, headers=PART if part else {})
    found = re.search(r'value="([\w-]{20,})"', answer.text)
    assert found, answer.text
    return found[1]


@pytest.fixture
def kept(tmp_path: Path) -> UploadedFiles:
    return UploadedFiles(folder=tmp_path, pixels=10_000)


def test_an_upload_is_answered_with_a_name_for_later_fields(client: TestClient) -> None:
    answer = client.post("/upload", files={"weights": ("ink.safetensors", b"x")}, headers=PART)
    field = read(answer.text).select_one("input[type=hidden]")
    assert field is not None
    assert field["name"] == "weights"
    assert "ink.safetensors" in answer.text


def test_without_javascript_it_leads_back_to_its_page_with_the_name(client: TestClient) -> None:
    answer = client.post("/upload", files={"weights": ("a.bin", b"x")}, data={"back": "view=library"})
    assert answer.status_code == 303
    assert re.fullmatch(r"\./\?view=library&weights=[\w-]{32}", answer.headers["location"])


def test_an_uploaded_image_is_shown_again(client: TestClient) -> None:
    found = client.get(f"/uploaded?name={upload(client)}")
    assert (found.content, found.headers["content-type"]) == (png(), "image/png")
    assert found.headers["cache-control"].startswith("private")
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("data", [b"<svg onload='alert(1)'/>", b"<script>alert(1)</script>", b"\x89PNG\r\n\x1a\nx"])
def test_what_is_no_image_is_not_handed_on_whatever_it_is_called(client: TestClient, data: bytes) -> None:
    found = client.get(f"/uploaded?name={upload(client, data)}")
    assert (found.status_code, data in found.content) == (404, False)


@pytest.mark.parametrize("name", ["x" * 32, "../../../../etc/passwd", "", "a b", "x" * 61])
def test_a_name_that_nobody_was_given_leads_nowhere(client: TestClient, name: str) -> None:
    assert client.get("/uploaded", params={"name": name}).status_code in (404, 422)


def test_an_image_of_too_many_pixels_is_refused_and_gone(kept: UploadedFiles, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="million pixels"):
        kept.keep(io.BytesIO(png(101)), "a.png")
    assert [path for path in tmp_path.glob("**/*") if path.is_file()] == []


def test_an_upload_is_its_visitors_alone(kept: UploadedFiles) -> None:
    with use_visitor(Visitor(id="one")):
        name = kept.keep(io.BytesIO(png()), "a.png")
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
def test_a_request_without_a_file_is_told_so(client: TestClient, sent: dict[str, object]) -> None:
    answer = client.post("/upload", headers=PART, **sent)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert "Choose a file first" in answer.text


def test_a_file_that_is_announced_as_too_large_is_refused(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        answer = client.post("/upload", files={"file": ("a.png", bytes(22_000_000))}, headers=PART)
    assert (answer.status_code, "too much for one request" in answer.text) == (413, True)


def test_a_start_image_is_shown_in_the_form_and_can_be_taken_out(client: TestClient) -> None:
    page = read(client.post("/upload", files={"image_file": ("a.png", png())}, headers=PART).text)
    name = page.select("#chosen-image")[0]["value"]
    assert page.find("img", alt="Start from an image")["src"] == f"uploaded?name={name}"
    gone = client.post("/upload", data={"image": name, "control": "", "remove": "image_file"}, headers=PART)
    assert read(gone.text).select("#chosen-image")[0]["value"] == ""


def test_a_control_image_keeps_the_start_image_and_the_rest_of_the_address(client: TestClient) -> None:
    given, files = {"image": "s" * 32, "back": "view=try&made=depth"}, {"control_file": ("a.png", png())}
    page = read(client.post("/upload", files=files, data=given, headers=PART).text)
    assert page.select("#chosen-image")[0]["value"] == "s" * 32
    plain = client.post("/upload", files=files, data=given).headers["location"]
    assert re.fullmatch(r"\./\?view=try&made=depth&image=s{32}&control=[\w-]{32}", plain)


def test_a_form_takes_no_file_that_is_no_image(client: TestClient) -> None:
    answer = client.post("/upload", files={"image_file": ("a.png", b"x")}, headers=PART)
    assert (answer.status_code, "can't be read as an image" in read(answer.text).text) == (422, True)


def test_visitors_of_a_shared_page_see_their_own_uploads_alone(built: Services, tmp_path: Path) -> None:
    with open_client(with_settings(built, hosted=True), tmp_path) as client:
        own = {"cookie": client.get("/").headers["set-cookie"].partition(";")[0]}
        client.cookies.clear()
        other = {"cookie": client.get("/").headers["set-cookie"].partition(";")[0]}
        client.cookies.clear()
        sent = client.post("/upload", files={"file": ("a.png", png())}, headers=own)
        address = "/" + sent.headers["location"].replace("image?", "uploaded?")
        assert [client.get(address, headers=each).status_code for each in (own, other, {})] == [200, 404, 404]


def test_uploads_of_a_visitor_count_against_their_hour(built: Services, tmp_path: Path) -> None:
    limits = replace(built.settings.limits, upload_bytes_per_hour=100_000)
    with open_client(with_settings(built, hosted=True, limits=limits), tmp_path) as client:
        own = {**PART, "cookie": client.get("/").headers["set-cookie"].partition(";")[0]}
        client.cookies.clear()
        answers = [client.post("/upload", files={"file": ("a.png", png())}, headers=own) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "uploaded an hour a person" in answers[1].text
