"""Other ways to write a word, out of those that LoRAs have."""

from collections.abc import Callable

import pytest

from hub_ui.catalog.spellings import as_one, is_around, name_in, pieces, spellings, typos


def known(*words: str) -> Callable[[str], int]:
    return lambda word: words.count(word)


@pytest.mark.parametrize("text", ["lora", "style", "by", "model", "v2", "v2 1", "画 风", "ス タ イ ル"])
def test_words_around_a_name_are_told_from_names(text: str) -> None:
    assert is_around(tuple(text.split()))


@pytest.mark.parametrize("text", ["ink", "2", "volume", "comic"])
def test_names_are_no_words_around_them(text: str) -> None:
    assert not is_around((text,))


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("dragons", "dragon"),
        ("dragon", "dragons"),
        ("brushes", "brush"),
        ("fairies", "fairy"),
        ("elves", "elf"),
        ("women", "woman"),
        ("watercolours", "watercolor"),
        ("colorful", "colourful"),
        ("grey", "gray"),
        ("theatre", "theater"),
        ("stylised", "stylized"),
    ],
)
def test_plurals_and_british_spellings_are_the_same_word(typed: str, written: str) -> None:
    assert spellings((typed,), known(written)) == [(written,)]


@pytest.mark.parametrize("typed", ["glass", "bus", "four", "ink"])
def test_short_words_and_other_words_are_not(typed: str) -> None:
    assert spellings((typed,), known(typed, "glas", "bu", "for", "in")) == [(typed,)]


@pytest.mark.parametrize(
    ("typed", "parts"),
    [("neonnight", "neon night"), ("zimage", "z image"), ("krea2", "krea 2"), ("wan22", "wan 2 2"), ("sd15", "sd 1 5")],
)
def test_a_word_is_found_in_parts(typed: str, parts: str) -> None:
    assert spellings((typed,), known(*parts.split())) == [tuple(parts.split())]


def test_words_typed_as_one_are_found_as_one() -> None:
    assert spellings(("x", "men"), known("xmen")) == [("xmen",)]


@pytest.mark.parametrize(
    ("left", "right", "one"), [("z", "image", "zimage"), ("wan", "2 2", "wan2 2"), ("wan", "2 2", "wan22")]
)
def test_two_things_are_found_as_one(left: str, right: str, one: str) -> None:
    assert as_one(tuple(left.split()), tuple(right.split()), known(*one.split(), "2")) == [tuple(one.split())]


@pytest.mark.parametrize("typed", ["gibli", "ghhibli", "ghobli", "hgibli", "zhibli", "ghiblis"])
def test_a_letter_may_be_missing_added_changed_or_moved(typed: str) -> None:
    assert typos((typed,), known("ghibli")) == [("ghibli",)]


def test_more_letters_may_not() -> None:
    assert typos(("gihbly",), known("ghibli")) == []


def test_a_typo_in_a_plural_and_in_one_of_two_joined_words_is_one_typo() -> None:
    assert typos(("astronuats",), known("astronaut")) == [("astronaut",)]
    assert typos(("dragonbal",), known("dragon", "ball")) == [("dragon", "ball")]


def test_the_more_frequent_word_comes_first() -> None:
    assert typos(("robt",), known("rob", "robot", "robot")) == [("robot",), ("rob",)]


def test_short_words_that_are_there_and_numbers_have_no_typos() -> None:
    assert typos(("ink",), known("ink", "pink")) == []
    assert typos(("360",), known("36")) == []


def test_cyrillic_words_have_typos_too() -> None:
    assert typos(("драон",), known("дракон")) == [("дракон",)]


def test_pieces_of_a_run_are_more_than_half_of_it() -> None:
    assert pieces(tuple("水彩画")) == [tuple("水彩"), tuple("彩画")]
    assert len(pieces(tuple("真宫寺樱花"))) == 5


@pytest.mark.parametrize(
    ("text", "name"),
    [("neon night lora", "neon night"), ("emoji by ada v2", "emoji ada"), ("style", "style"), ("", "")],
)
def test_a_name_is_told_from_the_words_around_it(text: str, name: str) -> None:
    assert name_in(text) == name
