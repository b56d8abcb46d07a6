"""The documents of the search index: its fields, and how a row becomes one.

A field of words is one list of rows for each word, so texts that are looked through together are one field. A column is
read for every hit, so values that are counted together are one text in one column.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import tantivy

from connectors.query import Sort
from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance
from hub_ui.catalog.plan import MEASURES, NUMBER, VALUES, number_of_name, order_key, size_step, tie
from hub_ui.catalog.row import SEPARATOR, Row

# Raise it whenever the schema, a row's words or the order keys change: an index of another format is rebuilt.
FORMAT = 6
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
# Columns of creators and tags, and the fields that have the names: too many LoRAs have a combination of their own, and
# numbers are counted several times faster than names.
NAMES = {"creator_number": "creator", "tag_number": "tag"}
# Columns of texts and numbers. `profile` has level, rank and kind.
TEXTS = ("profile", "all_hubs", "all_bases", "all_licenses", "all_permits", "all_access")
SIZE_STEP = "size_step"


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS.values():
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("row", "whole", "ref", "has", *VALUES):
        is_stored = name in NAMES.values()
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", stored=is_stored)
    for name in NAMES:
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in TEXTS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("level", "listed"):
        builder.add_unsigned_field(name, indexed=True)
    for name in ("id", SIZE_STEP, *MEASURES, *map(key_field, NUMBER)):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def document(row_id: int, row: Row) -> tantivy.Document:
    """Numbers are one more than the row's: 0 stands for none, since a column with gaps is slower to count."""
    number = tie(row)
    own = [row.title, row.words, row.tag_words, row.about]
    has_found = bool(row.found.strip())
    values = {
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
        "profile": SEPARATOR.join((str(row.nsfw), "" if row.rank is None else str(row.rank), row.kind or "")),
        "all_hubs": SEPARATOR.join(row.hubs),
        "all_bases": SEPARATOR.join((*row.keys, GROUPS, *row.groups)),
        "all_licenses": row.license or "",
        "all_permits": SEPARATOR.join(row.permits),
        "all_access": row.access,
        "creator_number": [number_of_name(each) for each in row.creators],
        "tag_number": [number_of_name(each) for each in row.tags],
        SIZE_STEP: 0 if row.size is None else size_step(row.size) + 1,
    }
    values |= {name: list(read(row)) for name, read in VALUES.items()}
    values |= {name: 0 if (value := read(row)) is None else value + 1 for name, read in MEASURES.items()}
    values |= {key_field(sort): order_key(row, sort, number) for sort in NUMBER}
    return tantivy.Document.from_dict(values, schema())


def key_field(sort: Sort) -> str:
    return f"by_{sort}"
