import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.claims import base_models
from connectors.errors import BadQuery
from connectors.query import FIELDS, Query, Range
from connectors.query_language import choices, completion, format, parse, parts, quote
from tests.connectors.cases import read_cases
from tests.connectors.queries import QUERIES

READ = read_cases(__file__)


# A range has two ends. A lone size or age is the largest; sizes are decimal, ages in seconds.
@pytest.mark.parametrize(("text", "said"), READ["a text is read as words and conditions"])
def test_a_text_is_read_as_words_and_conditions(text: str, said: dict[str, Any]) -> None:
    found = parse(text)
    changed: dict[str, Any] = {name: getattr(found, name) for name in said}
    assert found == replace(Query(), **changed)
    assert json.loads(json.dumps(changed, default=lambda ends: [ends.least, ends.most])) == said


@pytest.mark.parametrize("text", READ["a colon or a dash within words is no filter"])
def test_a_colon_or_a_dash_within_words_is_no_filter(text: str) -> None:
    assert parse(text) == Query(text=text)


@pytest.mark.parametrize(("text", "message"), READ["an unknown key or value is refused with what to write"])
def test_an_unknown_key_or_value_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(BadQuery, match=re.escape(message)):
        parse(text)


def test_the_normal_form_has_words_first_and_filters_in_the_order_of_the_table() -> None:
    text = 'sort:likes rank:>15 -anime tag:"a, b",c ink "two  words" base:flux1 wash size:<1.5gb updated:<14d'
    normal = 'ink wash "two words" -anime base:flux1 tag:"a, b",c rank:>=16 size:<1500mb updated:<14d sort:likes'
    assert format(parse(text)) == normal


def test_a_wrong_condition_can_be_left_out() -> None:
    text = "ink kind:style,vibe knd:x -rank:8 rank:>8 rank:<4 size:big tag:a"
    mistakes: dict[str, str] = {}
    assert parse(text, mistakes=mistakes) == Query(text="ink", kinds=("style",), rank=Range(least=9), tags=("a",))
    assert list(mistakes) == ["kind:style,vibe", "knd:x", "-rank:8", "rank:<4", "size:big"]


def test_lists_are_added_to_those_of_the_base_and_other_values_replace_them() -> None:
    base = Query(text="ink", hubs=("civitai",), sort="likes", nsfw="mature", rank=Range(least=4), limit=7)
    text = "wash hub:hf,civitai sort:newest rank:<9"
    hubs = ("civitai", "huggingface")
    assert parse(text, base) == replace(base, text="ink wash", hubs=hubs, sort="newest", rank=Range(most=8))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    ["\x00\u202e" * 5_000, '"' * 10_000, "\\" * 9_999, '"\\' * 5_000, "-" * 10_000, ":" * 10_000, "tag:," * 2_500,
     "tag:" + "," * 10_000, "a:" * 5_000, " ".join(f"k{i}nd:x" for i in range(1_500)), "tag:a" + ",\"" * 5_000,
     "\ud800" * 10_000, "(" * 10_000, " " * 10_000, "size:<" + "9" * 10_000 + "mb"],
)  # fmt: skip
def test_hostile_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except BadQuery:
        return
    assert parse(format(query)) == query
    completion(text, len(text))
    parts(query)


@given(QUERIES)
def test_every_query_is_read_back_from_its_text(query: Query) -> None:
    assert parse(format(query)) == query


@given(st.text(st.one_of(st.sampled_from('ab:-"\\ ,tagkindrank<>=.0123456789mb'), st.characters()), max_size=60))
def test_the_normal_form_of_any_text_means_the_same(text: str) -> None:
    try:
        query = parse(text)
    except BadQuery:
        return
    assert parse(format(query)) == query


@given(QUERIES)
def test_every_part_takes_away_itself_alone(query: Query) -> None:
    found = parts(query)
    assert all(len(parts(part.rest)) == len(found) - 1 for part in found)


def test_parts_are_labelled_as_people_speak() -> None:
    text = (
        'ink "two words" -anime -creator:bob hub:hf base:flux1 kind:style creator:ada tag:x license:sell,mit '
        "access:login trigger:none rank:>=16 size:<200mb updated:<30d installed:no sort:likes nsfw:mature"
    )
    assert [part.label for part in parts(parse(text))] == [
        "ink", "“two words”", "not anime", "not by bob", "Hugging Face", "FLUX.1", "style", "by ada", "tag x",
        "may be sold", "licence mit", "needs a key", "no trigger word", "rank at least 16", "size less than 200 MB",
        "updated less than 30 days ago", "not installed", "most liked first", "up to mature",
    ]  # fmt: skip


def test_a_part_is_removed_without_the_others() -> None:
    style = next(part for part in parts(parse("ink kind:style,concept")) if part.value == "style")
    assert style.rest == Query(text="ink", kinds=("concept",))


@pytest.mark.parametrize(("text", "expected"), READ["a word being typed can be completed"])
def test_a_word_being_typed_can_be_completed(text: str, expected: list[object] | None) -> None:
    found = completion(text + " later", len(text))
    assert (found and [*found]) == expected


@pytest.mark.parametrize(("text", "expected"), READ["a completion takes the place of the whole word"])
def test_a_completion_takes_the_place_of_the_whole_word(text: str, expected: list[object]) -> None:
    assert [*(completion(text.replace("|", ""), text.index("|")) or ())] == expected


def test_the_choices_of_a_closed_filter_are_its_values() -> None:
    assert choices("kind") == ("character", "style", "concept", "control", "tool", "runner")
    assert choices("")[:3] == ("hub", "base", "kind")
    assert choices("installed") == ("yes", "no")


@pytest.mark.parametrize("key", choices(""))
def test_every_choice_and_example_of_a_filter_is_one_of_its_values(key: str) -> None:
    field = next(field for field in FIELDS if field.key == key)
    assert format(parse(f"{key}:{field.example}")) == f"{key}:{field.example}"
    assert all(parse(f"{key}:{quote(choice)}") != Query() or choice in ("relevance", "soft") for choice in choices(key))


@given(st.sampled_from([*base_models.choices()]))
def test_a_base_model_is_found_by_each_of_its_names(name: str) -> None:
    assert base_models.is_listed(parse(f"base:{quote(name)}").bases[0])


def test_the_words_for_hubs_are_those_of_text_and_phrases() -> None:
    assert Query(text="ink", phrases=("two words", "a"), excluded=(("text", "x"),)).words == "ink two words a"
    assert len(Query(text="x" * 150, phrases=("y" * 150,)).words) == 200
