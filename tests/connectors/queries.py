"""Queries of any kind for property tests, in the form that the query language reads."""

from typing import Any

from hypothesis import strategies as st

from connectors.query import FIELDS, Query, Range
from connectors.query_fields import Field
from connectors.query_language import parse, quote

WORDS = st.text(
    st.one_of(st.sampled_from("ab:-\"\\“”,'/>=.灯é"), st.characters(codec="utf-8")), min_size=1, max_size=12
).map(lambda text: " ".join(parse(quote(text)).phrases))
VALUE = WORDS.filter(bool)
AMOUNTS = st.one_of(st.integers(0, 3_000), st.integers(0, 10**15), st.sampled_from([10**6, 365 * 86_400, 86_400]))


@st.composite
def ranges(draw: st.DrawFn) -> Range | None:
    ends = sorted((draw(AMOUNTS), draw(AMOUNTS)))
    least, most = draw(st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1)]))
    return Range(least=ends[0] if least else None, most=ends[1] if most else None) if least or most else None


def listed(key: str) -> st.SearchStrategy[tuple[Any, ...]]:
    field = next(field for field in FIELDS if field.key == key)
    known = st.sampled_from(field.choices() or ("x",))
    values = st.one_of(known, VALUE) if field.is_open else known
    return st.lists(values.map(field.read), max_size=4, unique=True).map(tuple)


def exclusions(field: Field) -> st.SearchStrategy[tuple[str, str]]:
    return listed(field.key).filter(bool).map(lambda values: (field.key, values[0]))


EXCLUSIONS = st.one_of(st.tuples(st.just("text"), VALUE), *(exclusions(field) for field in FIELDS if field.can_exclude))
QUERIES = st.builds(
    Query,
    text=st.lists(VALUE, max_size=5).map(" ".join),
    phrases=st.lists(VALUE, max_size=3, unique=True).map(tuple),
    excluded=st.lists(EXCLUSIONS, max_size=3, unique=True).map(tuple),
    installed=st.sampled_from([None, True, False]),
    sort=st.sampled_from(["relevance", "downloads", "likes", "newest"]),
    nsfw=st.sampled_from(["safe", "soft", "mature", "explicit"]),
    **{field.attribute: listed(field.key) for field in FIELDS if field.form == "list"},
    **{field.attribute: ranges() for field in FIELDS if field.form == "range"},
)
