import pytest

from connectors.http import json_fields
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(
    ("reader", "value", "found"),
    [("number", 10**400, None), *((reader, *row) for reader, rows in READ.items() for row in rows)],
)
def test_a_value_is_what_its_reader_finds_or_absent(reader: str, value: object, found: object) -> None:
    assert getattr(json_fields, reader)(value) == found


NOTHING = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"


@pytest.mark.parametrize("filler", ["[],", "{},", "1,", '"a",'])
def test_json_of_millions_of_values_is_overfull(filler: str) -> None:
    assert json_fields.overfull(f"[{filler * 2_000_000}0]".encode())
    assert not json_fields.overfull(f"[{filler * 190_000}0]".encode())


def test_a_long_text_is_not_overfull() -> None:
    assert not json_fields.overfull(b'{"description": "' + b"a" * 15_000_000 + b'"}')


def test_lists_drop_what_does_not_belong() -> None:
    assert json_fields.texts(["a", None, 7, "", {}]) == ("a", "7")
    assert json_fields.texts("a") == ("a",)
    assert json_fields.tables([{"a": 1}, None, 7]) == ({"a": 1},)
    assert json_fields.tables({"a": 1}) == ()


def test_the_hash_of_no_bytes_is_known_by_its_beginning_too() -> None:
    assert [json_fields.is_of_nothing(NOTHING[:digits]) for digits in (10, 12, 64)] == [True] * 3
    assert not json_fields.is_of_nothing("e3b0c44297")
