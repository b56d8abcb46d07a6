import pytest

from hub_ui.demo.hubs.answers import attachment, wanted_range


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
    assert wanted_range(header, 100) == expected


def test_a_file_name_beyond_ascii_is_sent_twice() -> None:
    assert attachment("red é.bin") == "attachment; filename=\"red ?.bin\"; filename*=UTF-8''red%20%C3%A9.bin"
