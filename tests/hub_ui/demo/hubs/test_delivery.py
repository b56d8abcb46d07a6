"""The delivery origin, reached the way clients reach it: by a redirect of a hub."""

import io
import json
import re
from pathlib import Path

import pytest
import requests
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub_ui.demo.hubs.answers import Delivery, draw_picture, picture_routes
from hub_ui.demo.hubs.folder import in_memory
from tests.faulty_hubs import HubEndpoints, running_hubs


@pytest.fixture
def signed(hubs: HubEndpoints) -> str:
    answer = requests.get(f"{hubs.civitai}/api/download/models/2001", allow_redirects=False, timeout=30)
    return answer.headers["location"]


def test_a_signed_address_gives_the_file_under_its_name(signed: str) -> None:
    answer = requests.get(signed, timeout=30)
    assert answer.status_code == 200
    assert len(answer.content) == 1604
    assert answer.headers["content-disposition"] == 'attachment; filename="red.safetensors"'


def test_a_signed_address_is_written_as_recorded(signed: str) -> None:
    """Of January 2024, by R2: spaces as %20, and the time as S3 writes it."""
    query = signed.partition("?")[2]
    disposition = "response-content-disposition=attachment%3B%20filename%3D%22red.safetensors%22"
    assert query.startswith(f"X-Amz-Expires=86400&{disposition}&X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert re.search(r"&X-Amz-Date=\d{8}T\d{6}Z&X-Amz-SignedHeaders=host&X-Amz-Signature=", query)


def test_a_name_beyond_ascii_comes_in_utf8(tmp_path: Path) -> None:
    files = [{"id": 3, "name": "赤.bin", "primary": True}]
    model = {"id": 1, "name": "Red", "modelVersions": [{"id": 2, "files": files}]}
    (tmp_path / "civitai_model_1.json").write_text(json.dumps(model))
    (tmp_path / "files.json").write_text(json.dumps({"civitai": {"3": {"text": "red"}}}))
    with running_hubs(tmp_path) as own:
        sent = requests.get(f"{own.civitai}/api/download/models/2", timeout=30).headers["content-disposition"]
    assert sent.encode("latin-1").decode() == 'attachment; filename="赤.bin"'


def test_a_part_of_a_file_is_a_slice_of_it(signed: str) -> None:
    whole = requests.get(signed, timeout=30).content
    part = requests.get(signed, headers={"Range": "bytes=100-199"}, timeout=30)
    assert part.status_code == 206
    assert part.headers["content-range"] == "bytes 100-199/1604"
    assert part.content == whole[100:200]


def test_a_part_beyond_the_end_is_refused(signed: str) -> None:
    answer = requests.get(signed, headers={"Range": "bytes=5000-"}, timeout=30)
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1604")


def test_a_part_of_another_state_of_the_file_is_the_whole(signed: str) -> None:
    etag = requests.head(signed, timeout=30).headers["etag"]
    same = requests.get(signed, headers={"Range": "bytes=0-9", "If-Range": etag}, timeout=30)
    other = requests.get(signed, headers={"Range": "bytes=0-9", "If-Range": '"other"'}, timeout=30)
    assert [same.status_code, other.status_code] == [206, 200]


def test_a_head_has_the_length_and_no_body(signed: str) -> None:
    answer = requests.head(signed, timeout=30)
    assert (answer.headers["content-length"], answer.content) == ("1604", b"")


def test_a_changed_signature_is_refused(signed: str) -> None:
    assert requests.get(signed + "0", timeout=30).status_code == 403
    assert requests.get(signed.partition("?")[0], timeout=30).status_code == 403


def test_an_unknown_address_is_not_found(hubs: HubEndpoints) -> None:
    assert requests.get(f"{hubs.delivery}/nothing", timeout=30).status_code == 404


def test_a_client_that_leaves_a_large_file_leaves_no_trace(
    hubs: HubEndpoints, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{hubs.huggingface}/maker/big/resolve/main/big.safetensors"
    for _ in range(5):
        with requests.get(url, stream=True, timeout=30) as answer:
            assert len(answer.raw.read(1000)) == 1000
    assert requests.get(f"{hubs.delivery}/nothing", timeout=30).status_code == 404
    assert caplog.records == []


def test_a_signature_is_bound_to_path_and_time() -> None:
    clock = [1000.0]
    delivery = Delivery(origin="http://d", secret=b"s", now=lambda: clock[0])
    first = delivery.sign("/a", in_memory(b"a"), "a", lifetime=60)
    clock[0] = 2000.0
    assert delivery.sign("/a", None, "a", lifetime=60) != first
    assert delivery.sign("/b", None, "a", lifetime=60).rpartition("=")[2] != first.rpartition("=")[2]


def test_pictures_are_on_every_origin(hubs: HubEndpoints) -> None:
    for origin in (hubs.huggingface, hubs.civitai, hubs.replicate, hubs.delivery):
        answer = requests.get(f"{origin}/pictures/red.png", timeout=30)
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


@pytest.mark.parametrize(("asked", "side"), [("original=true", 64), ("width=16", 16), ("width=450", 64)])
def test_an_image_comes_in_the_width_that_was_asked_for(hubs: HubEndpoints, asked: str, side: int) -> None:
    answer = requests.get(f"{hubs.civitai}/pictures/{asked}/red.png", timeout=30)
    assert Image.open(io.BytesIO(answer.content)).size == (side, side)


@pytest.mark.parametrize(
    ("asked", "status", "media_type"),
    [
        ("original=true", 200, "video/webm"),
        ("anim=true,transcode=true,width=450", 200, "video/webm"),
        ("anim=false,transcode=true,width=450", 200, "image/webp"),
        ("width=450", 500, None),
    ],
)
def test_a_video_has_a_first_frame_and_no_plain_width(
    tmp_path: Path, asked: str, status: int, media_type: str | None
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.webm").write_bytes(b"a video")
    Image.new("RGB", (4, 4)).save(tmp_path / "pictures/a.webp")
    answer = TestClient(Starlette(routes=picture_routes(tmp_path))).get(f"/pictures/{asked}/a.webm")
    assert (answer.status_code, answer.headers.get("content-type")) == (status, media_type)


@pytest.mark.parametrize("name", ["missing.png", "../access.json", "%2e%2e/access.json", "..%2faccess.json"])
def test_only_pictures_are_served(hubs: HubEndpoints, name: str) -> None:
    request = requests.Request("GET", f"{hubs.civitai}/pictures/").prepare()
    request.url = f"{hubs.civitai}/pictures/{name}"
    with requests.Session() as session:
        assert session.send(request, timeout=30).status_code == 404


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
