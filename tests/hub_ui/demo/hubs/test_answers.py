import pytest

from hub_ui.demo.hubs.answers import attachment, inline, page_of, parse_range
from tests.connectors.cases import read_cases

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


def test_cursors_lead_to_the_end() -> None:
    found, cursor = page_of("abcde", None, 2) or ("", None)
    assert found == "ab"
    found, cursor = page_of("abcde", cursor, 2) or ("", None)
    assert found == "cd"
    assert page_of("abcde", cursor, 2) == ("e", None)
