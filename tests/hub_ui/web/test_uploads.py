"""The room of uploads, with a clock of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message

from connectors.errors import UsageError
from hub_ui.hosting.limits import Limits
from hub_ui.policy import hosted_policy
from hub_ui.web import uploads
from hub_ui.web.uploads import Refused, Upload, Uploads, receive_upload

MB = 1_000_000
LIMITS = replace(hosted_policy(Limits()).limits, upload_bytes=20 * MB, uploads_bytes=50 * MB, keep_seconds=3600)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def room(tmp_path: Path, clock: Clock | None = None) -> Uploads:
    return Uploads(tmp_path / "none", LIMITS, lambda size: None, clock or Clock())


def test_one_that_is_announced_as_too_large_is_refused_before_it_comes(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too much for one request") as raised:
        room(tmp_path).begin(500 * MB)
    assert raised.value.status == 413


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


def test_what_did_not_come_takes_no_room(tmp_path: Path) -> None:
    kept = room(tmp_path)
    for _ in range(20):
        kept.end(kept.begin(20 * MB))
    kept.begin(20 * MB)


def test_one_that_does_not_say_how_long_it_is_counts_as_the_longest(tmp_path: Path) -> None:
    kept = room(tmp_path)
    assert kept.begin(None).promised == 21 * MB


def test_too_many_of_one_visitor_are_refused_in_their_words(tmp_path: Path) -> None:
    def spend(size: int) -> None:
        raise UsageError("200 MB uploaded an hour a person. This one in 5 min.")

    with pytest.raises(Refused, match="uploaded an hour a person") as raised:
        Uploads(tmp_path, LIMITS, spend).begin(1)
    assert raised.value.status == 429


async def take(upload: Upload, *bodies: bytes, pause: float = 0.0) -> int:
    left = list(bodies)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    limited = receive_upload(upload, receive)
    return sum([len((await limited())["body"]) for _ in bodies])


def test_more_than_was_announced_is_not_taken(tmp_path: Path) -> None:
    upload = room(tmp_path).begin(100_000)
    with pytest.raises(Refused, match="too much for one request"):
        asyncio.run(take(upload, bytes(60_000), bytes(60_000)))


def test_one_that_stops_arriving_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_SECONDS_BETWEEN_BYTES", 0.01)
    with pytest.raises(Refused, match="stopped arriving"):
        asyncio.run(take(room(tmp_path).begin(10), b"x", pause=5))
