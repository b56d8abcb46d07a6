from __future__ import annotations

import pytest

from hub_ui.demo.hubs.answers import (
    attachment,
    inline,
    json_answer,
    keyset,
    opaque,
    parse_range,
    read_keyset,
    read_opaque,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-9", range(10)),
        ("bytes=90-", range(90, 100)),
        ("bytes=-5", range(95, 100)),
        ("bytes=-500", range(100)),
        ("bytes=0-1000", range(100)),
        ("bytes=100-", range(0)),
        ("bytes=5-2", range(0)),
        ("bytes=-", None),
        ("lines=0-9", None),
        ("bytes=0-1,5-6", None),
    ],
)
def test_a_range_header_means_these_bytes_of_a_hundred(header: str | None, expected: range | None) -> None:
    assert parse_range(header, 100) == expected


def test_a_file_name_is_sent_as_each_hub_writes_it() -> None:
    assert attachment("red é.bin") == 'attachment; filename="red é.bin"'
    assert inline("red é.bin") == "inline; filename*=UTF-8''red%20%C3%A9.bin; filename=\"red ?.bin\";"


@pytest.mark.parametrize("name", ['a"; x="b', "a\r\nX-Evil: 1", "a\\", "a\ud800"])
def test_a_file_name_ends_neither_its_quotes_nor_its_header(name: str) -> None:
    sent = attachment(name)
    assert sent.count('"') == 2
    assert sent.isprintable()
    assert "\\" not in sent


def test_cursors_lead_back_to_their_offset() -> None:
    assert read_opaque(opaque(25)) == 25
    assert read_keyset(keyset(75363, 932023, 40)) == 40


def test_no_cursor_is_the_beginning() -> None:
    assert read_opaque(None) == read_opaque("") == read_keyset(None) == 0


@pytest.mark.parametrize("cursor", ["!", "bm90IG91cnM=", "é", "bzotMQ=="])
def test_what_is_no_cursor_of_ours_is_told_apart(cursor: str) -> None:
    assert read_opaque(cursor) is None
    assert read_keyset(cursor) is None


def test_half_a_character_is_sent_as_its_escape() -> None:
    assert json_answer(["\ud800 é"]).body == b'["\\ud800 \xc3\xa9"]'
