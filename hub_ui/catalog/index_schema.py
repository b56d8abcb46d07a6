"""The documents of the search index: its fields, and how a row becomes one.

A field of words is one list of rows for each word, so texts that are looked through together are one field. A column is
read for every hit, so values that are counted together are one text in one column.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec
import tantivy

from connectors.record import NSFW_LEVELS
from hub_ui.catalog import relevance, row
from hub_ui.catalog.row import NUMBERS, SEPARATOR, row_terms
from hub_ui.catalog.schema import names_from, split
from hub_ui.catalog.search import FACETS, FILTERS, MEASURES, ORDERS, number_of_name, order_key, step, tie

# Raise it whenever the schema, a row's words or the order keys change: an index of another format, or of other filters,
# is rebuilt.
FORMAT = " ".join(("8", *FACETS, *FILTERS))
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
# The columns with few values, whose filters many rows answer alike, and the others.
_FEW_COLUMNS = (*TEXTS.values(), "kind")
_MANY_COLUMNS = [name for name in row.NAMES if name not in _FEW_COLUMNS]
_FEW = {key: field for key, field in FILTERS.items() if field.columns[0].name in _FEW_COLUMNS}
_MANY = {key: field for key, field in FILTERS.items() if key not in _FEW}
_JSON = msgspec.json.Encoder()


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS.values():
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("whole", "ref", "has", *FILTERS):
        is_stored = name in NAMES.values()
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", stored=is_stored)
    for name in NAMES:
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("profile", *TEXTS):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("level", "listed"):
        builder.add_unsigned_field(name, indexed=True)
    # Its terms are what a changed row is deleted by, and those of unsigned fields can't be named.
    builder.add_integer_field("id", indexed=True, fast=True)
    for name in (*STEPS, *MEASURES, *(f"by_{sort}" for sort in ORDERS)):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def document(row_id: int, columns: Mapping[str, Any]) -> str:
    """As JSON. Numbers are one more than the row's: 0 stands for none, since a column with gaps is slower to count."""
    own = (columns["title"], columns["words"], columns["tag_words"], columns["about"])
    refs = split(columns["refs"])
    values: dict[str, Any] = {
        "id": row_id,
        "whole": columns["whole"],
        "title": own[0],
        "short": own[:3],
        "any": own,
        "ref": refs,
        "level": relevance.level(columns["merit"]),
        "newest": columns["newest"],
    }
    if found := columns["found"].strip():
        values |= {"own": own, "any": (*own, found), "has": FOUND}
    names = {name: split(columns[name]) for name in _MANY_COLUMNS}
    for key, field in _MANY.items():
        values[key] = row_terms(field, names)
    for column, key in NAMES.items():
        values[column] = [number_of_name(each) for each in values[key]]
    for name in NUMBERS:
        values[name] = 0 if (number := columns[name]) is None else number + 1
    for column, name in STEPS.items():
        values[column] = step(name, number - 1) + 1 if (number := values[name]) else 0
    last = tie(refs[0])
    for sort, (name, bits) in ORDERS.items():
        values[f"by_{sort}"] = order_key(columns[name], bits, last)
    alike = _alike(columns["nsfw"], columns["rank"], columns["groups"], *[columns[name] for name in _FEW_COLUMNS])
    return alike + _JSON.encode(values).decode()[1:]


@lru_cache(maxsize=20_000)
def _alike(nsfw: int, rank: int | None, groups: str, *columns: str | None) -> str:
    """What many rows have alike: the beginning of a document."""
    names = names_from(dict(zip(_FEW_COLUMNS, columns, strict=True)), _FEW_COLUMNS)
    values: dict[str, Any] = {key: row_terms(field, names) for key, field in _FEW.items()}
    values |= {column: SEPARATOR.join(names[name]) for column, name in TEXTS.items()}
    values["all_keys"] = SEPARATOR.join((*names["keys"], GROUPS, *split(groups)))
    values["profile"] = SEPARATOR.join((str(nsfw), "" if rank is None else str(rank), *(names["kind"][:1] or ("",))))
    values["listed"] = list(range(nsfw, len(NSFW_LEVELS)))
    return _JSON.encode(values).decode()[:-1] + ","
