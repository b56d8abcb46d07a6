"""The search box: suggestions for what is being typed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from connectors.errors import BadQuery
from connectors.query import BY_KEY, FIELDS, Query
from connectors.query_fields import Field
from connectors.query_language import Completion, choices, completion, value_text
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.web.browse.facets import count_text
from hub_ui.web.browse.facets import words as query_words

MOST = 8
# Values of these are suggested by what the catalog has.
CATALOG_FIELDS = tuple(field.key for field in FIELDS if field.facet and (field.facet.most or field.key == "base"))
SHORTEST_WORD = 3


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """`text` takes the place of what stands between `start` and `end`. `note` says what it is, or how many it has."""

    text: str
    label: str
    note: str
    start: int
    end: int


# A field and the beginning of a value -> such values with how many LoRAs have them.
Values = Callable[[str, str], tuple[tuple[str, int], ...]]


def suggest(text: str, cursor: int, values: Values) -> list[Suggestion]:
    """For the word or value at `cursor`, best first."""
    at = completion(text, cursor)
    if at is None:
        return []
    found = _keys(at, values) if not at.key else _values(at, BY_KEY[at.key], values)
    return [suggestion for suggestion, _number in zip(found, range(MOST), strict=False)]


_KEY_OR_COMMA = re.compile(r"""-?\w+:["“]?$|,["“]?$""")


def without_beginning(text: str, values: Values) -> str:
    """`text` without the value at its end, where the catalog has values that begin so: "base:s" is not yet meant."""
    at = completion(text, len(text))
    if at is None or at.key not in CATALOG_FIELDS or not values(at.key, at.prefix):
        return text
    return _KEY_OR_COMMA.sub("", text[: at.start])


def _keys(at: Completion, values: Values) -> Iterator[Suggestion]:
    """Keys that begin like the word, and after these the values that do."""
    word = at.prefix.casefold()
    for field in FIELDS:
        if word and any(name.startswith(word) for name in (field.key, *field.also)):
            note = _(field.meaning).replace("`", "").partition(".")[0].partition("。")[0]
            yield Suggestion(text=f"{field.key}:", label=f"{field.key}:", note=note, start=at.start, end=at.end)
    if len(word) >= SHORTEST_WORD:
        for key in CATALOG_FIELDS:
            for value, count in values(key, at.prefix)[:2]:
                yield _suggestion(at, f"{key}:{value_text(value)} ", BY_KEY[key], value, count_text(count))


def _values(at: Completion, field: Field, values: Values) -> Iterator[Suggestion]:
    """Values that the catalog has, else those of the table."""
    counted = values(field.key, at.prefix) if field.key in CATALOG_FIELDS else ()
    for value, count in counted:
        yield _suggestion(at, f"{value_text(value)} ", field, value, count_text(count))
    if not counted:
        for value in field.usual or choices(field.key):
            if value.casefold().startswith(at.prefix.casefold()):
                yield _suggestion(at, f"{value_text(value)} ", field, value, "")


def _suggestion(at: Completion, text: str, field: Field, value: str, count: str) -> Suggestion:
    try:
        label = format.visible(format.field_label(field, field.read(value)))
    except BadQuery:
        label = ""
    written = text.strip()
    note = format.join("" if label in (value, written) else label, count)
    return Suggestion(text=text, label=format.visible(written), note=note, start=at.start, end=at.end)


LONGEST_NAME = 80


def query_name(query: Query) -> str:
    """What the query's summary says: the name of a search that is given none."""
    labels = ", ".join(word.label for word in query_words(query))
    return format.visible(labels)[:LONGEST_NAME].strip() or _("All LoRAs")
