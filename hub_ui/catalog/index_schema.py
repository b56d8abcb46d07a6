"""The documents of the search index: its fields, and how a row becomes one.

A field of words is one list of rows for each word, so texts that are looked through together are one field. A column is
read for every hit, so values that are counted together are one text in one column.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import tantivy

from connectors.query import Sort
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance
from hub_ui.catalog.plan import FACETS, FILTERS, MEASURES, NUMBER, measure, number_of_name, order_key, step, tie
from hub_ui.catalog.row import SEPARATOR, Row, row_terms

# Raise it whenever the schema, a row's words or the order keys change: an index of another format, or of other filters,
# is rebuilt.
FORMAT = " ".join(("7", *FACETS, *FILTERS))
# Between the keys and the groups of a row in their one column. No folded name holds it.
GROUPS = "\x1d"
# The field of words for the texts of a place. `own` has all but what a hub found it by, of rows that have that;
# for the others `any` is the same.
FIELDS: Mapping[tuple[str, ...], str] = {
    ("title",): "title",
    ("title", "words", "tag_words"): "short",
    ("title", "words", "tag_words", "about"): "own",
    ("title", "words", "tag_words", "about", "found"): "any",
}
# In the field "has".
FOUND = "found"
# What is counted together: level, rank and kind.
PROFILE = ("levels", "rank", "kind")
# Columns of names without end, and the fields that have the names: too many LoRAs have a combination of their own, and
# numbers are counted several times faster than names.
NAMES = {f"{key}_number": key for key, field in FILTERS.items() if field.facet and field.facet.most}
# The other columns that are counted, and the facets that they have: of texts, and of steps of numbers.
TEXTS = {
    f"all_{column.name}": column.name
    for key, field in FILTERS.items()
    if key not in NAMES.values()
    for column in field.columns
    if column.name in FACETS and column.name not in PROFILE
}
STEPS = {f"{name}_step": name for name in MEASURES if name in FACETS and name not in PROFILE}


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS.values():
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("row", "whole", "ref", "has", *FILTERS):
        is_stored = name in NAMES.values()
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", stored=is_stored)
    for name in NAMES:
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("profile", *TEXTS):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("level", "listed"):
        builder.add_unsigned_field(name, indexed=True)
    for name in ("id", *STEPS, *MEASURES, *map(key_field, NUMBER)):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def document(row_id: int, row: Row) -> tantivy.Document:
    """Numbers are one more than the row's: 0 stands for none, since a column with gaps is slower to count."""
    number = tie(row)
    own = [row.title, row.words, row.tag_words, row.about]
    has_found = bool(row.found.strip())
    values: dict[str, Any] = {
        "id": row_id,
        "row": str(row_id),
        "whole": row.whole,
        "title": row.title,
        "short": own[:3],
        "own": own if has_found else [],
        "any": [*own, row.found] if has_found else own,
        "has": [FOUND] if has_found else [],
        "ref": list(row.refs),
        "level": relevance.level(row.merit),
        "listed": list(range(row.nsfw, len(NSFW_LEVELS))),
        "profile": SEPARATOR.join((str(row.nsfw), *_first(row.numbers["rank"]), *_first(*row.names["kind"]))),
    }
    terms = {key: row_terms(field, row.names) for key, field in FILTERS.items()}
    numbers = {name: measure(name, row) for name in MEASURES}
    values |= {key: list(found) for key, found in terms.items()}
    values |= {name: 0 if number is None else number + 1 for name, number in numbers.items()}
    values |= {column: [number_of_name(each) for each in terms[key]] for column, key in NAMES.items()}
    values |= {column: SEPARATOR.join(row.names[name]) for column, name in TEXTS.items()}
    values["all_keys"] = SEPARATOR.join((*row.names["keys"], GROUPS, *row.groups))
    steps = {column: numbers[name] for column, name in STEPS.items()}
    values |= {column: 0 if n is None else step(STEPS[column], n) + 1 for column, n in steps.items()}
    values |= {key_field(sort): order_key(row, sort, number) for sort in NUMBER}
    return tantivy.Document.from_dict(values, schema())


def _first(*values: str | int | None) -> tuple[str]:
    return (next((str(value) for value in values if value is not None), ""),)


def key_field(sort: Sort) -> str:
    return f"by_{sort}"
