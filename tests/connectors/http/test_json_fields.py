import pytest

from connectors.http import json_fields
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("value", "text"), READ["text is printable or nothing"])
def test_text_is_printable_or_nothing(value: object, text: str | None) -> None:
    assert json_fields.text(value) == text


@pytest.mark.parametrize(("value", "number"), READ["a whole number is finite and fits"])
def test_a_whole_number_is_finite_and_fits(value: object, number: int | None) -> None:
    assert json_fields.whole(value) == number


@pytest.mark.parametrize(("value", "number"), [("0.8", 0.8), (2, 2.0), (False, None), ("inf", None), (10**400, None)])
def test_a_number_is_finite(value: object, number: float | None) -> None:
    assert json_fields.number(value) == number


def test_a_count_is_never_negative() -> None:
    assert (json_fields.count(-1), json_fields.count(0)) == (None, 0)


@pytest.mark.parametrize(("value", "moment"), READ["a time is utc to the second"])
def test_a_time_is_utc_to_the_second(value: object, moment: str | None) -> None:
    assert json_fields.when(value) == moment


@pytest.mark.parametrize("value", ["javascript:alert(1)", "data:text/html,x", "/relative", "https://[", "", None, 7])
def test_only_a_web_address_is_one(value: object) -> None:
    assert json_fields.address(value) is None
    assert json_fields.address("https://a.b/c") == "https://a.b/c"


NOTHING = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"


@pytest.mark.parametrize(("value", "sha"), READ["a hash is lower case hex of its length"])
def test_a_hash_is_lower_case_hex_of_its_length(value: object, sha: str | None) -> None:
    assert json_fields.sha256(value) == sha


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


@pytest.mark.parametrize(("value", "found"), READ["a hash of tensors is its first twelve digits"])
def test_a_hash_of_tensors_is_its_first_twelve_digits(value: object, found: str | None) -> None:
    assert json_fields.autov3(value) == found


def test_the_hash_of_no_bytes_is_known_by_its_beginning_too() -> None:
    assert [json_fields.is_of_nothing(NOTHING[:digits]) for digits in (10, 12, 64)] == [True] * 3
    assert not json_fields.is_of_nothing("e3b0c44297")
