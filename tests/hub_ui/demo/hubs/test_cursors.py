import pytest

from hub_ui.demo.hubs.cursors import keyset, opaque, read_keyset, read_opaque


def test_cursors_lead_back_to_their_offset() -> None:
    assert read_opaque(opaque(25)) == 25
    assert read_keyset(keyset(75363, 932023, 40)) == 40


def test_no_cursor_is_the_beginning() -> None:
    assert read_opaque(None) == read_opaque("") == read_keyset(None) == 0


@pytest.mark.parametrize("cursor", ["!", "bm90IG91cnM=", "é", "bzotMQ=="])
def test_what_is_no_cursor_of_ours_is_told_apart(cursor: str) -> None:
    assert read_opaque(cursor) is None
    assert read_keyset(cursor) is None
