from typing import Any

import pytest

from connectors.query import Query, Range
from connectors.query_language import parse
from connectors.record import Kind
from hub_ui.base import format
from hub_ui.catalog.search import BaseCount, Facets
from hub_ui.generate.base_models import base_by_id
from hub_ui.web.browse import facets
from hub_ui.web.browse.facets import Bar, Group, suggest, without_beginning

DEV = BaseCount(id="flux.1-dev", label="FLUX.1 dev", count=7)
OTHER = BaseCount(id="flux.1-krea", label="FLUX.1 Krea", count=2)
KNOWN = Facets(
    counts={
        "hubs": {"civitai": 1200, "huggingface": 3},
        "kind": {"style": 5},
        "rank": {4: 2, 8: 3, 16: 8, 320: 1},
        "permits": {"sell": 4},
        "access": {"open": 8, "gated": 1},
        "levels": {"safe": 2, "soft": 5, "mature": 3},
        "creators": {f"creator {number}": 20 - number for number in range(12)},
        "installed": {"yes": 2},
    },
    bases=(
        BaseCount(id="flux1", label="FLUX.1", count=9, children=(DEV, OTHER)),
        BaseCount(id="sdxl", label="SDXL", count=1),
    ),
)


def group(name: str, query: Query | None = None, known: Facets | None = KNOWN, **options: Any) -> Group:
    return next(g for g in facets.groups(query or Query(), known, **options) if g.facet == name)


def counts(name: str, query: Query | None = None, known: Facets | None = KNOWN) -> dict[str, int | None]:
    return {choice.value: choice.count for choice in group(name, query, known).choices}


def bars(name: str, query: Query | None = None, known: Facets | None = KNOWN) -> list[Bar]:
    return [*group(name, query, known).bars]


def test_each_choice_tells_what_it_would_show() -> None:
    assert counts("hub") == {"civitai": 1200, "huggingface": 3}
    assert counts("kind")["style"] == 5
    assert counts("license")["sell"] == 4
    assert counts("mine") == {"yes": 2}


def test_before_the_list_is_known_there_are_choices_and_what_is_chosen_but_no_counts() -> None:
    shown = facets.groups(Query(installed=True, access=("paid",)), None)
    assert [each.value for group in shown for each in group.choices if each.on] == ["yes", "paid"]
    assert counts("kind", known=None) == dict.fromkeys(("character", "style", "concept", "control", "tool"))
    assert bars("rank", known=None) == []
    names = [each.facet for each in facets.groups(Query(), None) if each.choices or each.bars]
    assert names == ["kind"]


@pytest.mark.parametrize("chosen", ["flux1", "flux.1-krea"])
def test_base_models_stand_under_their_architecture_once_one_is_chosen(chosen: str) -> None:
    assert counts("base") == {"flux1": 9, "sdxl": 1}
    shown = counts("base", Query(bases=(chosen,)))
    assert shown == {"flux1": 9, "flux.1-dev": 7, "flux.1-krea": 2, "sdxl": 1}


def test_of_names_without_end_the_most_frequent_are_choices_and_those_that_are_on() -> None:
    shown = counts("creator", Query(creators=("creator 11", "nobody")))
    assert [*shown] == [*(f"creator {number}" for number in range(8)), "creator 11", "nobody"]
    assert shown["nobody"] == 0


def test_what_says_nothing_is_no_choice_and_a_creator_is_on_however_written() -> None:
    assert counts("tag", known=Facets(counts={"tags": {"lora": 9, "region:us": 9, "anime": 2}})) == {"anime": 2}
    assert counts("access") == {"open": 8, "gated": 1}
    assert counts("creator", Query(creators=("Creator 0",)))["Creator 0"] == 20
    assert group("mine", sees_library=False) == Group(facet="mine", name="Mine", is_open=True)


def test_sizes_are_a_histogram_in_megabytes() -> None:
    known = Facets(counts={"size": {10_000_000: 4, 200_000_000: 8, 2**36: 2}})
    found = group("size", known=known)
    assert [(bar.label, bar.height) for bar in found.bars] == [
        ("10", 50), ("25", 0), ("50", 0), ("100", 0), ("200", 100), ("400", 0), ("+", 25),
    ]  # fmt: skip
    assert (found.bars[0].value, found.bars[0].title) == ("<=10mb", "size at most 10 MB: 4 LoRAs")


def test_ranks_are_a_histogram_whose_bars_set_a_range() -> None:
    assert [(bar.label, bar.height, bar.value) for bar in bars("rank")] == [
        ("4", 25, "<=4"),
        ("8", 38, "5..8"),
        ("16", 100, "9..16"),
        ("32", 0, "17..32"),
        ("64", 0, "33..64"),
        ("128", 0, "65..128"),
        ("+", 12, ">=129"),
    ]
    assert bars("rank")[2].title == "rank 9 to 16: 8 LoRAs"


@pytest.mark.parametrize(
    ("chosen", "clicked", "value"),
    [
        (Range(least=9, most=16), "32", "9..32"),
        (Range(least=9, most=16), "16", "9..16"),
        (Range(least=9, most=64), "32", "17..32"),
        (Range(least=9, most=16), "+", ">=9"),
        (Range(most=8), "16", "<=16"),
    ],
)
def test_a_bar_outside_the_range_widens_it_and_one_inside_is_all(chosen: Range, clicked: str, value: str) -> None:
    assert next(bar.value for bar in bars("rank", Query(rank=chosen)) if bar.label == clicked) == value


def test_the_bars_of_a_chosen_range_are_on_and_what_all_have_in_common_has_none() -> None:
    assert [bar.label for bar in bars("rank", Query(rank=Range(least=9, most=64))) if bar.on] == ["16", "32", "64"]
    assert bars("rank", known=Facets(counts={"rank": {16: 40}})) == []


def test_a_level_of_mature_images_lists_those_below_it_too() -> None:
    assert facets.level_words(KNOWN.of("levels")) == {
        "safe": "rated safe only (2)",
        "soft": "safe + unrated (7)",
        "mature": "mature, blurred (10)",
        "explicit": "everything, blurred (10)",
    }


def quick(query: Query | None = None, **options: Any) -> list[tuple[str, tuple[str, str], bool]]:
    found = group("quick", query, **options)
    return [(choice.label, (name, value), choice.on) for name, value, choice in found.boxes]


def test_quick_filters_are_parts_of_the_query_and_offer_what_fits_the_loaded_base_and_no_owners_library() -> None:
    assert quick() == [
        ("Not in the library", ("filter", "installed:no"), False),
        ("Hide early access", ("filter", "-access:paid"), False),
    ]
    assert [on for *_, on in quick(parse("installed:no -access:paid"))] == [True, True]
    fits = quick(Query(bases=("flux1",)), loaded=base_by_id("flux.1-dev"))[0]
    assert fits == ("Fits FLUX.1 dev, which is loaded", ("base", "flux1"), True)
    assert [label for label, *_ in quick(sees_library=False)] == ["Hide early access"]


@pytest.mark.parametrize(("kinds", "offered"), [((), False), (("style",), False), (("runner",), True)])
def test_runners_are_offered_only_while_they_are_asked_for(kinds: tuple[Kind, ...], offered: bool) -> None:
    [group] = [group for group in facets.groups(Query(kinds=kinds), None) if group.facet == "kind"]
    assert ("runner" in [choice.value for choice in group.choices]) is offered


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
        ("ink ro", "ink "),
        ("水", "水"),
    ],
)
def test_a_value_that_is_not_typed_out_is_not_yet_meant(typed: str, meant: str) -> None:
    assert without_beginning(typed, values) == meant


def test_a_suggestion_says_what_it_means_and_what_stands_behind_the_cursor_stays() -> None:
    assert texts("kin ink wash", 3) == ["kind: ink wash"]
    assert [(each.label, each.note) for each in suggest("kin", 3, values)] == [("kind:", "What it is made for")]
    [ada, _] = suggest("creator:a", 9, values)
    assert (ada.label, ada.note) == ('"Ada L"', "by Ada L · 9 LoRAs")


def words(query: Query, *, one: bool = False) -> list[tuple[str, str]]:
    return [(word.lead, word.label) for word in format.query_words(query, one=one)]


def test_the_question_is_told_in_words() -> None:
    query = Query(text="ink", hubs=("civitai",), bases=("flux1", "sdxl"), kinds=("style",))
    assert words(query) == [
        ("on", "CivitAI"),
        ("for", "FLUX.1"),
        ("or", "SDXL"),
        ("that are", "styles"),
        ("that mention", "ink"),
    ]


def test_filters_stand_by_themselves_verbs_agree_and_each_part_knows_the_query_without_it() -> None:
    assert words(Query(text="ink", kinds=("style",)), one=True) == [("that is a", "style"), ("that mentions", "ink")]
    assert words(Query(sort="likes", nsfw="mature")) == []
    query = Query(
        creators=("ada",), rank=Range(least=16), excluded=(("text", "anime"), ("kind", "style")), sort="likes"
    )
    assert words(query) == [("", "not anime"), ("", "not style"), ("", "by ada"), ("", "rank at least 16")]
    query = Query(text='a "b"', excluded=(("tag", "anime"),))
    rest = {word.label: word.part.rest for word in format.query_words(query)}
    assert rest == {'a "b"': Query(excluded=(("tag", "anime"),)), "not tag anime": Query(text='a "b"')}
