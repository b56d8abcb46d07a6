import pytest

from connectors.claims.spellings import readings


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("Ink", "ink"),
        ("NudeXL", "nude xl"),
        ("l.o.l.i", "loli"),
        ("1 0 y o", "10yo"),
        ("l0l1", "loli"),
        ("1oli", "loli"),
        ("p*rn", "porn"),
        ("ｌｏｌｉ", "loli"),
        ("lоli", "loli"),
        ("lólì", "loli"),
        ("lo\u200bli", "loli"),
        ("ロ リ", "ロリ"),
        ("ガ", "ガ"),
    ],
)
def test_a_disguised_spelling_is_read(text: str, reading: str) -> None:
    assert reading in readings(text)


def test_a_number_is_not_read_as_a_word() -> None:
    assert readings("rank 455, 45s") == ("rank 455, 45s",)
