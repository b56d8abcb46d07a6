import io
from pathlib import Path

import pytest
import requests
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub_ui.demo.hubs.answers import attachment, inline, parse_range, picture_routes
from tests.connectors.cases import read_cases
from tests.faulty_hubs import HubEndpoints

READ = read_cases(__file__)


@pytest.mark.parametrize(("header", "ends"), READ["a range header means these bytes of a hundred"])
def test_a_range_header_means_these_bytes_of_a_hundred(header: str | None, ends: list[int] | None) -> None:
    assert parse_range(header, 100) == (range(*ends) if ends is not None else None)


def test_a_file_name_is_sent_as_each_hub_writes_it() -> None:
    assert attachment("red é.bin") == 'attachment; filename="red é.bin"'
    assert inline("red é.bin") == "inline; filename*=UTF-8''red%20%C3%A9.bin; filename=\"red ?.bin\";"


@pytest.mark.parametrize("name", ['a"; x="b', "a\r\nX-Evil: 1", "a\\", "a\ud800"])
def test_a_file_name_ends_neither_its_quotes_nor_its_header(name: str) -> None:
    sent = attachment(name)
    assert sent.count('"') == 2
    assert sent.isprintable()
    assert "\\" not in sent


@pytest.fixture
def signed(hubs: HubEndpoints) -> str:
    """The delivery origin is reached as clients do: by a redirect of a hub."""
    answer = requests.get(f"{hubs.civitai}/api/download/models/2001", allow_redirects=False, timeout=30)
    return answer.headers["location"]


def test_a_signed_address_gives_the_file_under_its_name_or_a_part_of_it(signed: str) -> None:
    whole, part, beyond = (
        requests.get(signed, headers=headers, timeout=30)
        for headers in ({}, {"Range": "bytes=100-199"}, {"Range": "bytes=5000-"})
    )
    assert [answer.status_code for answer in (whole, part, beyond)] == [200, 206, 416]
    assert (len(whole.content), part.content) == (1604, whole.content[100:200])
    assert whole.headers["content-disposition"] == 'attachment; filename="red.safetensors"'
    assert (part.headers["content-range"], beyond.headers["content-range"]) == ("bytes 100-199/1604", "bytes */1604")


def test_a_part_of_another_state_of_the_file_is_the_whole(signed: str) -> None:
    etag = requests.head(signed, timeout=30).headers["etag"]
    same = requests.get(signed, headers={"Range": "bytes=0-9", "If-Range": etag}, timeout=30)
    other = requests.get(signed, headers={"Range": "bytes=0-9", "If-Range": '"other"'}, timeout=30)
    assert [same.status_code, other.status_code] == [206, 200]


def test_a_changed_signature_is_refused(signed: str) -> None:
    assert requests.get(signed + "0", timeout=30).status_code == 403
    assert requests.get(signed.partition("?")[0], timeout=30).status_code == 403


def test_a_client_that_leaves_in_the_middle_has_no_trace(hubs: HubEndpoints, caplog: pytest.LogCaptureFixture) -> None:
    url = f"{hubs.huggingface}/maker/big/resolve/main/big.safetensors"
    for _ in range(5):
        with requests.get(url, stream=True, timeout=30) as answer:
            assert len(answer.raw.read(1000)) == 1000
    assert requests.get(f"{hubs.delivery}/nothing", timeout=30).status_code == 404
    assert caplog.records == []


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
def test_a_video_has_a_still_and_no_width(tmp_path: Path, asked: str, status: int, media_type: str | None) -> None:
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
