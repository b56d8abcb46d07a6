from __future__ import annotations

import pytest

from hub_ui.web.browse.facets import suggest, without_beginning

CATALOG: dict[str, tuple[tuple[str, int], ...]] = {
    "creator": (("Ada L", 9), ("adam", 2)),
    "tag": (("anime", 77),),
    "base": (("sdxl", 40), ("flux1", 9)),
}


def values(key: str, prefix: str) -> tuple[tuple[str, int], ...]:
    return tuple(pair for pair in CATALOG[key] if pair[0].casefold().startswith(prefix.casefold()))


def texts(typed: str, cursor: int | None = None) -> list[str]:
    """What each suggestion makes of the text."""
    found = suggest(typed, len(typed) if cursor is None else cursor, values)
    return [typed[: each.start] + each.text + typed[each.end :] for each in found]


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        ("ki", ["kind:"]),
        ("ink kind:st", ["ink kind:style "]),
        ("hub:civitai,h", ["hub:civitai,huggingface "]),
        ("-tag:an", ["-tag:anime "]),
        ("creator:ad", ['creator:"Ada L" ', "creator:adam "]),
        ("rank:<", ["rank:<=8 ", "rank:<=16 "]),
        ("installed:", ["installed:yes ", "installed:no "]),
        ("ani", ["tag:anime "]),
        ("ink ", []),
        ('"two wor', []),
        ("kind:style ", []),
    ],
)
def test_keys_and_values_that_begin_like_the_word_are_suggested(typed: str, suggested: list[str]) -> None:
    assert texts(typed) == suggested


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ink base:s", "ink "),
        ("base:flux1,s", "base:flux1"),
        ('-creator:"ada l', ""),
        ("base:", ""),
        ("base:pony", "base:pony"),
        ("kind:st", "kind:st"),
        ("ink", "ink"),
    ],
)
def test_a_value_that_is_not_typed_out_is_not_yet_meant(typed: str, meant: str) -> None:
    assert without_beginning(typed, values) == meant


def test_what_stands_behind_the_cursor_stays() -> None:
    assert texts("kin ink wash", 3) == ["kind: ink wash"]


def test_a_suggestion_says_what_it_means_or_how_many_have_it() -> None:
    assert [(each.label, each.note) for each in suggest("kin", 3, values)] == [("kind:", "What it is made for")]
    [ada, _] = suggest("creator:a", 9, values)
    assert (ada.label, ada.note) == ('"Ada L"', "by Ada L · 9 LoRAs")
