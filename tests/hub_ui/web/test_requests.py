"""Files that requests name, by raw HTTP: only an upload is ever opened, and no bomb is."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import struct
import time
import zlib
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from connectors.errors import UsageError
from hub_ui.hosting.limits import Limits
from hub_ui.policy import hosted_policy
from hub_ui.web import requests as web_requests
from hub_ui.web.refused import Refused
from hub_ui.web.requests import PendingRequests, RequestCheck, RequestRules, check_files, check_pixels
from hub_ui.web.uploads import Uploads, sweep
from tests.hub_ui.web.raw import Event, Visitor

META = {"_type": "gradio.FileData"}
NOT_UPLOADED = "Only a file that was uploaded here can be used. Choose the file again."


def png(width: int = 8, height: int = 8) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(held, "PNG")
    return held.getvalue()


def bomb(side: int) -> bytes:
    """An image of one bit a pixel, all black."""
    row = zlib.compress(b"\0" * ((side // 8 + 2) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", row), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def files(path: str) -> list[Any]:
    """A path of the server's in every form that Gradio takes for a file."""
    given = {"path": path, "orig_name": "picture.png"}
    return [
        given,
        {**given, "meta": META},
        {**given, "orig_name": "picture.svg"},
        {"path": None, "url": path},
        {"url": "data:image/png;base64,iVBORw0KGgo="},
        {"path": f"http://127.0.0.1:9/{path}", "meta": META},
        [{**given, "meta": META}],
        {"video": {**given, "meta": META}},
        {"value": {"files": [{**given, "meta": META}]}},
    ]


def takes_values(visitor: Visitor) -> list[Event]:
    return [event for event in visitor.events() if event.inputs]


@pytest.mark.parametrize("page", ["local_page", "hosted_page"])
@pytest.mark.parametrize(
    "file",
    [
        {"path": "/dev/ptmx"},
        {"path": "/dev/ptmx", "meta": META},
        {"url": "http://169.254.169.254/latest/meta-data/"},
        {"path": "http://127.0.0.1:9/x.png", "url": "http://127.0.0.1:9/x.png", "meta": META},
    ],
    ids=["bare", "meta", "an address", "an address as a path"],
)
def test_no_event_takes_a_path_of_the_server(page: str, file: dict[str, Any], request: pytest.FixtureRequest) -> None:
    visitor = request.getfixturevalue(page)
    taken = [
        (event.name, place)
        for event in takes_values(visitor)
        for place in range(len(event.inputs))
        if visitor.join(event.number, [*[None] * place, file]).status_code != 403
    ]
    assert taken == []


@pytest.mark.parametrize("path", ["/dev/ptmx", "/etc/hostname", "/proc/self/environ", "/", "", "\0", "x" * 5000])
@pytest.mark.parametrize("form", range(9))
def test_no_form_of_a_file_brings_in_a_path_of_the_server(path: str, form: int) -> None:
    with pytest.raises(Refused, match="uploaded"):
        check_files([None, files(path)[form]], lambda path: False, 100)


def test_a_path_is_refused_with_what_to_do(local: Visitor) -> None:
    made = next(event for event in local.events() if "control" in event.inputs)
    assert local.ask(made.number, [{"path": "/dev/ptmx"}]).said == NOT_UPLOADED


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "data:image/png;base64,AA", "file:///etc/hostname", 5])
def test_the_address_of_an_upload_is_its_own(url: Any, tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(png())
    with pytest.raises(Refused, match="uploaded"):
        check_files([{"path": str(picture), "url": url}], lambda path: True, 100)


def test_an_upload_whose_name_has_spaces_and_accents_is_its_own(tmp_path: Path) -> None:
    picture = tmp_path / "mein schönes Bild & (1).png"
    picture.write_bytes(png())
    for name in ("mein%20sch%C3%B6nes%20Bild%20&%20(1).png", "mein%20sch%C3%B6nes%20Bild%20%26%20%281%29.png"):
        url = f"http://127.0.0.1:7860/gradio_api/file={tmp_path}/{name}"
        check_files([{"path": str(picture), "url": url}], lambda path: True, 100_000)


# Gradio (6.31, image_utils.preprocess_image) opens an image to learn its mode, and leaves it to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file .*small.png:ResourceWarning")
def test_what_was_uploaded_is_taken(local: Visitor) -> None:
    path = local.upload("small.png", png())
    event = next(event for event in local.events() if "control" in event.inputs)
    url = f"{local.url}gradio_api/file={path}"
    file = {"path": path, "url": url, "orig_name": "small.png", "meta": META}
    data = [file if name == "control" else None for name in event.inputs]
    assert (local.ask(event.number, data).status, Path(path).name) == (200, "small.png")


def test_another_file_in_the_folder_of_uploads_is_not_taken(local: Visitor) -> None:
    path = Path(local.upload("mine.png", png()))
    other = path.with_name("other.png")
    other.write_bytes(png())
    event = takes_values(local)[0]
    assert [local.join(event.number, [{"path": str(p)}]).status_code for p in (path, other)] == [200, 403]


def test_a_link_in_place_of_an_upload_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.png").symlink_to(__file__)
    with pytest.raises(Refused, match="uploaded"):
        check_pixels(tmp_path / "x.png", 100)


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_opened(hosted: Visitor) -> None:
    data = bomb(13_370)
    path = hosted.upload("bomb.png", data)
    event = next(event for event in hosted.events() if "control" in event.inputs)
    said = hosted.ask(event.number, [{"path": path, "orig_name": "bomb.png", "meta": META}]).said
    assert (len(data) < 30_000, said) == (
        True,
        "bomb.png has more than 16 million pixels. Make it smaller first.",
    )


def test_what_is_no_picture_has_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "pictures.zip").write_bytes(b"PK\3\4" + bytes(100))
    check_pixels(tmp_path / "pictures.zip", 1)


def test_an_upload_that_is_gone_is_asked_for_again(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no longer here"):
        check_pixels(tmp_path / "gone.png", 1)


def test_an_upload_of_a_stranger_has_a_size_limit(hosted: Visitor) -> None:
    answer = hosted.post("gradio_api/upload", files={"files": ("large.png", bytes(20_500_000))})
    assert (answer.status_code, "20000000" in answer.text) == (413, True)


def test_many_files_in_one_upload_count_together(hosted: Visitor) -> None:
    answer = hosted.post("gradio_api/upload", files=[("files", (f"{n}.png", bytes(5_000_000))) for n in range(5)])
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "This is too much for one request. Shorten it, or choose a smaller file.",
    )


WEB_LIMITS = hosted_policy(Limits()).limits
QUIET = PendingRequests(own=0, address=0)
TRY = 7


def full() -> None:
    raise UsageError("Your last images are not made yet.")


def rules(pending: PendingRequests = QUIET, check_room: Callable[[], None] = lambda: None) -> RequestRules:
    return RequestRules(
        limits=WEB_LIMITS,
        uploads=Uploads(Path("nowhere"), WEB_LIMITS, lambda size: None),
        uploaded=lambda path: False,
        pending=lambda session: pending,
        generates=lambda number: number in (TRY, 8),
        check_room=check_room,
        forget_sessions=lambda: None,
        endpoints={"try": TRY},
    )


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/run/predict", "gradio_api/api/predict", "gradio_api/call/x", "gradio_api/component_server",
        "gradio_api/process_recording", "gradio_api/stream/x", "gradio_api/vibe-edit", "gradio_api/call/v2/x", "login",
        "gradio_api/run-history/connect",
    ],
)  # fmt: skip
def test_routes_that_the_page_does_not_use_are_closed(local: Visitor, route: str) -> None:
    assert local.post(route, json={}).status_code == 404


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/deep_link?session_hash=x", "gradio_api/proxy=http://127.0.0.1:9/", "monitoring/summary",
        "gradio_api/file=http://127.0.0.1:9/x", "gradio_api/file=https%3A//127.0.0.1/x",
        "gradio_api/run-history/records",
    ],
)  # fmt: skip
def test_nothing_is_fetched_or_kept_for_whoever_asks(local: Visitor, route: str) -> None:
    assert local.get(route).status_code == 404


@pytest.mark.parametrize("path", ["/etc/hostname", "/proc/self/environ", "~/.netrc", "%2e%2e/%2e%2e/etc/hostname"])
def test_no_other_file_is_served(local: Visitor, path: str) -> None:
    assert local.get(f"gradio_api/file={path}").status_code == 403


def test_a_request_that_is_too_long_is_refused_with_a_sentence(hosted: Visitor) -> None:
    answer = hosted.join(0, ["x" * 1_100_000])
    assert (answer.status_code, answer.json()["detail"].split(".")[0]) == (413, "This is too much for one request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"[" * 100_000, b'{"data": ' + b"[" * 100_000, b"\xff"])
def test_a_request_that_can_not_be_read_is_refused(local: Visitor, body: bytes) -> None:
    assert local.post("gradio_api/queue/join", data=body).status_code == 400


@pytest.mark.parametrize("route", ["cancel", "reset"])
def test_an_event_without_an_id_yet_can_be_cancelled(local: Visitor, route: str) -> None:
    answer = local.post(f"gradio_api/{route}", json={"event_id": None, "session_hash": "x", "fn_index": 0})
    assert (answer.status_code, answer.json()) == (200, {"success": True})


def test_a_program_without_room_for_more_images_is_refused() -> None:
    with pytest.raises(Refused, match="Your last images are not made yet") as raised:
        rules(check_room=full).check_event({"fn_index": TRY, "data": []})
    assert raised.value.status == 429


@pytest.mark.parametrize("number", [8, 9])
def test_a_page_may_come_back_to_its_images_and_do_all_else(number: int) -> None:
    rules(check_room=full).check_event({"fn_index": number, "data": []})


@pytest.mark.parametrize("pending", [PendingRequests(own=100, address=0), PendingRequests(own=1, address=1_000)])
def test_who_has_a_hundred_requests_without_an_answer_or_their_address_a_thousand_waits(
    pending: PendingRequests,
) -> None:
    with pytest.raises(Refused, match="asked for too much at once"):
        rules(pending).check_event({"fn_index": 9, "data": []})


def test_a_page_that_reads_none_of_its_answers_is_stopped(hosted: Visitor) -> None:
    number = next(event.number for event in hosted.events() if event.name == "dice.click")
    codes = [hosted.join(number, []).status_code for _ in range(101)]
    assert (codes[:100], codes[100]) == ([200] * 100, 429)


def test_old_uploads_are_taken_away(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.png", tmp_path / "new.png"
    old.parent.mkdir()
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    sweep(tmp_path, time.time() - 3600)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("route", ["queue/join", "call/search", "cancel"])
def test_a_body_that_stops_arriving_is_not_waited_for(
    hosted: Visitor, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_requests, "BODY_SECONDS", 0.3)
    place = urlsplit(hosted.url)
    lines = [f"POST /gradio_api/{route} HTTP/1.1", f"Host: {place.netloc}", "Content-Length: 100", "", '{"data":']
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, "stopped arriving" in answer.read().decode()) == (408, True)


def test_what_is_no_request_goes_through_as_it_is() -> None:
    seen = list[Any]()

    async def app(*asked: Any) -> None:
        seen.append(asked)

    start, receive, send = {"type": "lifespan"}, object(), object()
    asyncio.run(RequestCheck(app, rules())(start, receive, send))  # type: ignore[arg-type]
    assert seen == [(start, receive, send)]
