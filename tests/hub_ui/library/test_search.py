from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.errors import BadQuery
from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.services import Services
from hub_ui.library.search import chips, parse, toggle
from hub_ui.settings import from_environment
from tests.hub_ui.library import thousands


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """60 LoRAs, the last 7 of them without a file, with a few words of their owner."""
    home = tmp_path_factory.mktemp("home")
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as made:
        thousands.fill(made, 60)
        made.annotations.change(ref(4), favorite=True, note="Best with soft light", tags=("Client A", "night"))
        made.annotations.change(ref(8), tags=("night",), trigger_words=("word of mine",), base_model="flux.1-dev")
        yield made


def ref(number: int) -> Ref:
    return thousands.made(number).versions[0].files[0].ref


def numbers(built: Services, text: str, **options: object) -> list[int]:
    found = built.library_search.find(parse(text), **options)  # type: ignore[arg-type]
    return [int(row.entry.title[-5:]) for row in found.rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soft light", [4]),
        ('"soft light"', [4]),
        ('"light soft"', []),
        ("tag:night", [4, 8]),
        ('tag:"client a"', [4]),
        ("is:favorite", [4]),
        ("is:favourite", [4]),
        ("favorite:yes", [4]),
        ("favorite:no tag:night", [8]),
        ("has:note has:tags", [4]),
        ("has:tag -has:note", [8]),
        ("has:values", [8]),
        ('"word of mine"', [8]),
        ("trig8", [8]),
        ("trigger:trig7", [7]),
        ("00012", [12]),
        ("is:missing kind:tool", [55, 59]),
        ("rank:128 hub:civitai size:<100mb", [5, 11, 17, 23, 29, 35, 41, 47, 53, 59]),
        ("creator:maker5", [5]),
        ("nothing-of-this", []),
    ],
)
def test_what_a_search_finds(built: Services, text: str, expected: list[int]) -> None:
    assert sorted(numbers(built, text)) == expected


def test_a_base_of_ones_own_is_what_a_lora_is_found_by(built: Services) -> None:
    assert 8 in numbers(built, "base:flux1")
    assert 8 not in numbers(built, "base:sd1")


def test_updates_are_found_once_the_hubs_were_asked(built: Services) -> None:
    assert numbers(built, "is:outdated") == []
    assert numbers(built, "is:outdated", outdated=frozenset([ref(9)])) == [9]


def test_orders(built: Services) -> None:
    assert numbers(built, "is:missing", sort="size") == sorted(range(53, 60), key=lambda n: -(n * 7919 % 400_000_000))
    assert numbers(built, "has:tag", sort="used", used={ref(8).lora: 2.0, ref(4).lora: 1.0}) == [8, 4]
    bases = [row.base for row in built.library_search.find(parse("kind:style"), sort="base").rows]
    assert bases == sorted(bases, key=str.casefold)


def test_counts_ignore_their_own_filter_only(built: Services) -> None:
    found = built.library_search.find(parse("kind:style base:sdxl"))
    assert len(found.rows) == found.facets.of("kind")["style"] == 9
    assert sum(found.facets.of("kind").values()) == 36
    assert {base.id: base.count for base in found.facets.bases}["sdxl"] == 9


def test_a_counted_choice_finds_as_many_as_it_says(built: Services) -> None:
    search = built.library_search
    found = search.find(parse("castle"))
    for mark, count in found.marks.items():
        assert len(search.find(toggle(parse("castle"), "marks", mark)).rows) == count
    for base in found.facets.bases:
        assert len(search.find(toggle(parse("castle"), "base", base.id)).rows) == base.count


def test_own_tags_are_counted_as_they_are_written(built: Services) -> None:
    assert built.library_search.find(parse("")).tags == {"night": 2, "Client A": 1}


@pytest.mark.parametrize(
    "text", ["", "ink is:favorite", '-has:note "soft light"', "base:sdxl kind:style rank:>=16 -ink", "x nsfw:soft"]
)
def test_a_query_is_read_as_it_is_written(text: str) -> None:
    assert parse(parse(text).text) == parse(text)


def test_each_condition_is_a_chip_that_takes_it_away() -> None:
    found = [(chip.label, chip.rest) for chip in chips(parse("ink base:flux1 is:favorite -is:missing"))]
    assert found == [
        ("ink", "base:flux1 is:favorite -is:missing"),
        ("FLUX.1", "ink is:favorite -is:missing"),
        ("favourites", "ink base:flux1 -is:missing"),
        ("not missing files", "ink base:flux1 is:favorite"),
    ]


def test_a_choice_is_added_and_taken_away_again() -> None:
    asked = toggle(parse("ink"), "tag", "Client A")
    assert asked.text == 'ink tag:"Client A"'
    assert toggle(asked, "tag", "client a").text == "ink"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("is:favorit", "is:favorite"),
        ("has:nothing", "Choose one of: is:favorite"),
        ("kind:cartoon", "no value for kind"),
    ],
)
def test_what_is_misspelt_is_said_and_left_out_while_it_is_typed(text: str, said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        parse(text)
    assert parse(f"ink {text}", is_strict=False) == parse("ink")


def test_what_is_no_facet_is_refused() -> None:
    for facet, value in (("marks", "is:x"), ("limit", "3"), ("hubs", "x")):
        with pytest.raises(BadQuery):
            toggle(parse(""), facet, value)


def test_the_same_question_is_answered_once_until_something_changes(built: Services) -> None:
    first = built.library_search.find(parse("ink"))
    assert built.library_search.find(parse("ink")) is first
    built.annotations.change(ref(21), note="ink")
    assert built.library_search.find(parse("ink")) is not first
    built.annotations.change(ref(21), note="")


def test_what_the_catalog_learns_is_found(built: Services) -> None:
    built.catalog.add([replace(thousands.made(31), tags=("brandnew",))])
    assert numbers(built, "brandnew") == [31]
