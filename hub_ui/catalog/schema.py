"""The tables of the catalog, as SQLite and PostgreSQL both read them (see dialects.py)."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, get_origin

from connectors.http.json_fields import is_of_nothing
from connectors.record import Lora
from hub_ui.catalog.row import NAMES, NUMBERS, SEPARATOR, Row, fold_name, storable

# Of a row what every catalog has had from the start, and the columns of the filters.
_FIXED = tuple(field.name for field in fields(Row) if field.name not in ("names", "numbers"))
_GET = attrgetter(*_FIXED)
_TUPLES = tuple(field.name for field in fields(Row) if get_origin(field.type) is tuple)
ROW = (*_FIXED, *NAMES, *NUMBERS)
FILTER_COLUMNS = {**dict.fromkeys(NAMES, "TEXT"), **dict.fromkeys(NUMBERS, "INTEGER")}

# `lead` is the LoRA whose card this one is on, itself for most (see homes.py); a lead's row is that of its card.
# `twin` is a number that LoRAs with the same creator and title share. What is long stands last: it slows down a scan.
LORAS = f"""CREATE TABLE loras (
    id INTEGER PRIMARY KEY, hub TEXT NOT NULL, hub_id TEXT NOT NULL, change INTEGER NOT NULL,
    first_seen TEXT NOT NULL, seen TEXT NOT NULL, lead INTEGER NOT NULL, twin INTEGER,
    refs TEXT NOT NULL, nsfw INTEGER NOT NULL, groups TEXT NOT NULL,
    {", ".join(map(" ".join, FILTER_COLUMNS.items()))},
    whole TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL, tag_words TEXT NOT NULL,
    about TEXT NOT NULL, found TEXT NOT NULL,
    downloads INTEGER NOT NULL, likes INTEGER NOT NULL, newest INTEGER NOT NULL, merit INTEGER NOT NULL,
    document TEXT NOT NULL, UNIQUE (hub, hub_id))"""
LORA_INDEXES = (
    "CREATE INDEX loras_change ON loras (change, id)",
    "CREATE INDEX loras_seen ON loras (seen)",
    "CREATE INDEX loras_home ON loras (lead) WHERE lead != id",
    "CREATE INDEX loras_twin ON loras (twin) WHERE twin IS NOT NULL",
    "CREATE INDEX loras_removed ON loras (id) WHERE access = 'removed'",
)
FILES = """CREATE TABLE files (
    lora INTEGER NOT NULL, place INTEGER NOT NULL, hub TEXT NOT NULL, version TEXT, file TEXT,
    name TEXT, size INTEGER, sha256 TEXT, autov3 TEXT, PRIMARY KEY (lora, place)) WITHOUT ROWID"""
HASH_INDEXES = (
    "CREATE INDEX files_sha256 ON files (sha256, hub) WHERE sha256 IS NOT NULL",
    "CREATE INDEX files_autov3 ON files (autov3, hub) WHERE autov3 IS NOT NULL",
)
# Whose card links a page that it may be about (see homes.py).
LINKS = """CREATE TABLE links (
    lora INTEGER PRIMARY KEY, hub TEXT NOT NULL, hub_id TEXT NOT NULL) WITHOUT ROWID"""
LINK_INDEX = "CREATE INDEX links_page ON links (hub, hub_id)"
VERSION_INDEX = "CREATE INDEX files_version ON files (hub, version)"
META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
SPELLINGS = "CREATE TABLE spellings (folded TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID"
FACTS = "CREATE TABLE facts (sha256 TEXT PRIMARY KEY, facts TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID"

# What a file that is a catalog has. The columns of filters that are new come when it is opened.
COLUMNS = {
    "loras": ("id", "hub", "hub_id", "change", "first_seen", "seen", "lead", "twin", "document", *_FIXED),
    "files": ("lora", "place", "hub", "version", "file", "name", "size", "sha256", "autov3"),
    "links": ("lora", "hub", "hub_id"),
    "spellings": ("folded", "name"),
    "facts": ("sha256", "facts", "at"),
}


def columns_of(row: Row) -> dict[str, Any]:
    """In the order of ROW."""
    fixed = [SEPARATOR.join(value) if isinstance(value, tuple) else value for value in _GET(row)]
    names, numbers = row.names, row.numbers
    values = [*fixed, *[SEPARATOR.join(names[name]) for name in NAMES], *[numbers[name] for name in NUMBERS]]
    return dict(zip(ROW, values, strict=True))


def row_from(columns: Mapping[str, Any]) -> Row:
    fixed: dict[str, Any] = {name: split(columns[name]) if name in _TUPLES else columns[name] for name in _FIXED}
    return Row(names=names_from(columns, NAMES), numbers={name: columns[name] for name in NUMBERS}, **fixed)


def names_from(columns: Mapping[str, Any], names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Some of a row's `names`. Catalogs of before have licences as hubs write them."""
    found = {name: split(columns[name]) for name in names}
    return found | {"license": tuple(map(fold_name, found["license"]))} if "license" in found else found


def split(text: str | None) -> tuple[str, ...]:
    """The values in a column."""
    return tuple(text.split(SEPARATOR)) if text else ()


def file_values(lora: Lora) -> list[tuple[Any, ...]]:
    """A version without files still has a row: it is what a ref of the version finds the LoRA by."""

    def text(value: str | None) -> str | None:
        return storable(value) if value else None

    def digits(value: str | None) -> str | None:
        return text(value.lower()) if value and not is_of_nothing(value) else None

    found: list[tuple[Any, ...]] = []
    for version in lora.versions:
        if not version.files:
            found.append((lora.hub, text(version.ref.version), None, None, None, None, None))
        for file in version.files:
            size = max(-(2**63), min(file.size, 2**63 - 1)) if file.size is not None else None
            place = (text(file.ref.version), text(file.ref.file), storable(file.name))
            found.append((lora.hub, *place, size, digits(file.sha256), digits(file.autov3)))
    return found
