"""What a search asks for less and less, and in which order; and other ways to write a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.query import Query
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.rings import is_filler, join_phrases, name_in, pieces, spellings, typos
from hub_ui.catalog.search import RingStart
from tests.hub_ui.catalog.builders import catalog, lora, titles


def starts(of: Catalog, text: str, **fields: object) -> list[tuple[int, int, int, bool]]:
    found = of.listing(Query(text=text, **fields))  # type: ignore[arg-type]
    return [(ring.start, ring.held, ring.asked, ring.has_typos) for ring in found.rings]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("rei ayanami lora", "Rei Ayanami"),
        ("emoji by ada", "Emoji by the sea of Ada"),
        ("dragons", "A dragon"),
        ("colour", "Color theory"),
        ("dragonball", "Dragon Ball"),
        ("dragon ball", "Dragonball"),
        ("pokemon", "Pokémon"),
        ("wan22", "Wan 2.2"),
        ("wan 2.2", "Wan2.2"),
        ("水彩画風", "水彩画風"),
    ],
)
def test_words_are_found_as_people_write_them(tmp_path: Path, typed: str, title: str) -> None:
    with catalog(tmp_path, lora(1, title=title), lora(2, title="Other")) as opened:
        assert titles(opened, typed) == [title]
        [(start, held, asked, has_typos)] = starts(opened, typed)
        assert (start, held, has_typos) == (0, asked, False)


AROUND = "lora style model by of the and with from for version download"
# What is typed, the titles that are found, best first, and where each ring begins.
ORDERS: dict[str, tuple[str, tuple[str, ...], list[tuple[int, int, int, bool]]]] = {
    "a word around a name counts where it is": ("harbour style", ("Harbour style", "Harbour"), [(0, 1, 1, False)]),
    "many words around a name lead into no other ring": (
        f"harbour {AROUND} light", ("Harbour light", f"Light {AROUND}"), [(0, 2, 2, False), (1, 1, 2, True)],
    ),
    "one typo comes after what is spelled as typed": (
        "harbpr", ("Harbpr", "Harbor"), [(0, 1, 1, False), (1, 1, 1, True)],
    ),
    "then comes what has a word fewer, then two": (
        "neon night city", ("Neon night city", "Neon night", "Night"),
        [(0, 3, 3, False), (1, 2, 3, True), (2, 1, 3, True)],
    ),
    "a word that is nowhere is left out first": (
        "viking ship qwrtz", ("Viking ship", "Ship"), [(0, 2, 3, True), (1, 1, 3, True)],
    ),
    "a title with nothing else comes before longer ones": (
        "neon night", ("Neon Night LoRA", "Neon night in Tokyo"), [(0, 2, 2, False)],
    ),
    "part of a run of Han is found after the whole": (
        "钢笔画", ("钢笔画", "钢笔"), [(0, 1, 1, False), (1, 1, 1, True)],
    ),
    "what is joined and stands nowhere like that is looked for word by word": (
        "night-neon-钢笔", ("钢笔 neon night", "Neon night"), [(0, 3, 3, False), (1, 2, 3, True)],
    ),
    "but with a typo it may stand there": ("neom-night", ("Neon night",), [(0, 1, 1, True)]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", ORDERS)
def test_what_has_less_of_what_was_typed_comes_later(tmp_path: Path, sentence: str) -> None:
    typed, found, rings = ORDERS[sentence]
    # Those that are to come later have more downloads.
    loras = [lora(number, title=title, downloads=9_000 * number) for number, title in enumerate(found)]
    with catalog(tmp_path, *loras) as opened:
        assert (tuple(titles(opened, typed)), starts(opened, typed)) == (found, rings)


COMMON = tuple(
    lora(number, title=f"Other {number}", description="An old cartoon of the night") for number in range(50, 80)
)


def test_sentence_ranks_rare_title_word_before_description_of_common_words(tmp_path: Path) -> None:
    with catalog(tmp_path, *COMMON, lora(1, title="Steamboat")) as opened:
        assert titles(opened, "steamboat old cartoon night")[0] == "Steamboat"
        assert starts(opened, "steamboat old cartoon night") == [(0, 3, 4, True)]


def test_sentence_looks_on_when_few_hold_all_words(tmp_path: Path) -> None:
    described = [lora(number, title=f"Tale {number}", description="Old neon steamboat") for number in range(1, 7)]
    with catalog(tmp_path, *COMMON, *described, lora(9, title="Neon steamboat")) as opened:
        assert titles(opened, "old neon steamboat")[0] == "Neon steamboat"
        assert starts(opened, "old neon steamboat") == [(0, 3, 3, False), (7, 1, 3, True)]


def test_typo_weighs_as_much_as_the_word_it_is_read_as(tmp_path: Path) -> None:
    wild = [lora(number, title=f"Wild {number}", downloads=9_000) for number in range(10, 30)]
    with catalog(tmp_path, *wild, lora(1, title="Steamboat")) as opened:
        assert titles(opened, "steamboat wily")[0] == "Steamboat"


def test_no_adult_lora_is_first_by_a_guess(tmp_path: Path) -> None:
    adult = lora(1, title="Wild", nsfw="explicit", downloads=90_000)
    with catalog(tmp_path, adult, lora(2, title="Will")) as opened:
        assert titles(opened, "wily", nsfw="explicit") == ["Will", "Wild"]
        assert titles(opened, "wild", nsfw="explicit")[0] == "Wild"


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("something like ghibli", "Ghibli"),
        ("make it look like ghibli", "Ghibli"),
        ("i want a lora for ghibli", "Ghibli"),
        ("something to like", "Something to like"),
    ],
)
def test_words_that_ask_are_no_subject(tmp_path: Path, typed: str, first: str) -> None:
    asking = lora(1, title="I want to make it look good", downloads=90_000)
    loras = (asking, lora(2, title="Something to like"), lora(3, title="Ghibli"))
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, typed)[0] == first


def test_of_many_words_only_some_numbers_are_asked_for(tmp_path: Path) -> None:
    words = [letter * 6 for letter in "abcdefghijklmnopqrst"]
    loras = [lora(number, title=" ".join(words[:number])) for number in range(4, 20)]
    with catalog(tmp_path, *loras[::-5]) as opened:
        assert starts(opened, " ".join(words)) == [
            (0, 19, 20, True),
            (1, 14, 20, True),
            (2, 6, 20, True),
            (3, 1, 20, True),
        ]


def test_enough_that_has_all_leaves_the_other_rings_out(tmp_path: Path) -> None:
    loras = [lora(number, title=f"Neon night {number}") for number in range(1, 6)]
    with catalog(tmp_path, *loras, lora(9, title="Neon")) as opened:
        assert "Neon" not in titles(opened, "neon night")
        assert starts(opened, "neon night") == [(0, 2, 2, False)]


def test_quoted_words_are_never_left_out_nor_spelled_otherwise(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1, title="Neon night"), lora(2, title="City")) as opened:
        assert titles(opened, phrases=("neon night",)) == ["Neon night"]
        assert titles(opened, "city", phrases=("neon night",)) == ["Neon night"]
        assert titles(opened, phrases=("neon nights",)) == []


def test_a_filter_does_not_change_what_counts_as_few(tmp_path: Path) -> None:
    loras = [lora(number, title=f"Neon {number}", base="Pony") for number in range(1, 6)]
    with catalog(tmp_path, *loras, lora(9, title="Neom", base="SDXL 1.0")) as opened:
        assert titles(opened, "neon", bases=("sdxl-1.0",)) == []
        assert opened.search(Query(text="neon")).facets.bases[0].count == 5


def test_counts_are_of_all_rings(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1, title="Neon night", base="Pony"), lora(2, title="Neon", base="Pony")) as opened:
        found = opened.search(Query(text="neon night", limit=1))
        assert (found.total, found.facets.bases[0].count) == (2, 2)


def test_another_order_has_the_first_ring_that_finds_something(tmp_path: Path) -> None:
    loras = (lora(1, title="Neon night", downloads=1), lora(2, title="Neon", downloads=5))
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, "neon night", sort="downloads") == ["Neon night"]
        assert titles(opened, "neon night qwrtz", sort="downloads") == ["Neon night"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gibli lora", "ghibli lora"),
        ("ghibli", ""),
        ("ghib", ""),
        ("qwrtz", ""),
        ("ghibli stule", ""),
        ("ghibli blu", ""),
        ("水彩图", "水彩"),
        ("图图风格", ""),
    ],
)
def test_a_word_that_is_in_no_lora_is_corrected(tmp_path: Path, typed: str, meant: str) -> None:
    with catalog(tmp_path, lora(1, title="Ghibli"), lora(2, title="Blue 水彩 风格")) as opened:
        assert opened.search(Query(text=typed)).corrected == meant


@pytest.mark.parametrize(
    ("typed", "first"),
    [("ada harbour", "Harbour"), ("pony harbour", "Harbour"), ("glow", "Glow")],
)
def test_evidence_counts_by_its_place(tmp_path: Path, typed: str, first: str) -> None:
    loras = (
        lora(1, title="Harbour", creator="Ada", base="Pony"),
        lora(2, title="Lights", description="Ada glow at a pony harbour", tags=("x",), downloads=90_000),
        lora(3, title="Glow"),
    )
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, typed)[0] == first


@pytest.mark.parametrize(
    ("start", "held", "asked", "has_typos", "text"),
    [
        (0, 3, 3, False, ""),
        (4, 3, 3, True, "Similar spellings:"),
        (0, 3, 3, True, "Nothing is spelled like that. Similar spellings:"),
        (4, 2, 3, True, "With 2 of the 3 words:"),
        (0, 3, 4, True, "Nothing has all 4 words. With 3 of them:"),
    ],
)
def test_a_list_says_where_it_holds_less(start: int, held: int, asked: int, has_typos: bool, text: str) -> None:
    assert RingStart(start=start, held=held, asked=asked, has_typos=has_typos).sentence == text


def known(*words: str) -> Callable[[str], int]:
    return lambda word: words.count(word)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, True) for text in ("lora", "style", "by", "model", "v2", "v2 1", "画 风", "ス タ イ ル")),
        *((text, False) for text in ("ink", "2", "volume", "comic")),
    ],
)
def test_words_around_a_name_are_told_from_names(text: str, expected: bool) -> None:
    assert is_filler(tuple(text.split())) is expected


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("dragons", "dragon"), ("dragon", "dragons"), ("brushes", "brush"), ("fairies", "fairy"), ("elves", "elf"),
        ("women", "woman"), ("watercolours", "watercolor"), ("colorful", "colourful"), ("grey", "gray"),
        ("theatre", "theater"), ("stylised", "stylized"), ("neonnight", "neon night"), ("zimage", "z image"),
        ("krea2", "krea 2"), ("wan22", "wan 2 2"), ("sd15", "sd 1 5"), ("sd1 5", "sd 1 5"),
        ("x men", "xmen"),
    ],
)  # fmt: skip
def test_plurals_british_spellings_and_parts_of_words_are_the_same_word(typed: str, written: str) -> None:
    assert spellings(tuple(typed.split()), known(*written.split())) == [tuple(written.split())]


@pytest.mark.parametrize("typed", ["glass", "bus", "four", "ink"])
def test_short_words_and_other_words_are_not(typed: str) -> None:
    assert spellings((typed,), known(typed, "glas", "bu", "for", "in")) == [(typed,)]


@pytest.mark.parametrize(
    ("left", "right", "one"), [("z", "image", "zimage"), ("wan", "2 2", "wan2 2"), ("wan", "2 2", "wan22")]
)
def test_two_things_are_found_as_one(left: str, right: str, one: str) -> None:
    assert join_phrases(tuple(left.split()), tuple(right.split()), known(*one.split(), "2")) == [tuple(one.split())]


@pytest.mark.parametrize(
    ("typed", "there", "meant"),
    [
        *((typed, "ghibli", ["ghibli"]) for typed in ("gibli", "ghhibli", "ghobli", "hgibli", "zhibli", "ghiblis")),
        ("astronuats", "astronaut", ["astronaut"]),
        ("dragonbal", "dragon ball", ["dragon ball"]),
        ("драон", "дракон", ["дракон"]),
        ("gihbly", "ghibli", []),
        ("ink", "ink pink", []),
        ("360", "36", []),
    ],
)
def test_a_letter_may_be_missing_added_changed_or_moved(typed: str, there: str, meant: list[str]) -> None:
    assert typos((typed,), known(*there.split())) == [tuple(each.split()) for each in meant]


def test_the_more_frequent_word_comes_first() -> None:
    assert typos(("robt",), known("rob", "robot", "robot")) == [("robot",), ("rob",)]


def test_pieces_of_a_run_are_more_than_half_of_it() -> None:
    assert pieces(tuple("水彩画")) == [tuple("水彩"), tuple("彩画")]
    assert len(pieces(tuple("真宫寺樱花"))) == 5


@pytest.mark.parametrize(
    ("text", "name"),
    [("neon night lora", "neon night"), ("emoji by ada v2", "emoji ada"), ("style", "style"), ("", "")],
)
def test_a_name_is_told_from_the_words_around_it(text: str, name: str) -> None:
    assert name_in(text) == name
