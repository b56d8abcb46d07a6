"""The tables of the catalog, and the databases that hold them: SQLite and PostgreSQL.

Other modules write SQL for SQLite, which is translated for PostgreSQL. Both databases allow reads during a write.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, get_origin
from urllib.parse import unquote
from uuid import uuid4

from connectors.errors import HubUiError, UsageError
from connectors.http.json_fields import is_of_nothing
from connectors.record import Lora
from hub_ui.base.database import Migration, connect, errors_as_messages, open_database, run_migrations, transaction
from hub_ui.catalog.row import NAMES, NUMBERS, SEPARATOR, Row, fold_name, storable

# The columns of a row that every catalog has had from the start, followed by the columns of the filters.
_FIXED = tuple(field.name for field in fields(Row) if field.name not in ("names", "numbers"))
_GET = attrgetter(*_FIXED)
_TUPLES = tuple(field.name for field in fields(Row) if get_origin(field.type) is tuple)
ROW = (*_FIXED, *NAMES, *NUMBERS)
FILTER_COLUMNS = {**dict.fromkeys(NAMES, "TEXT"), **dict.fromkeys(NUMBERS, "INTEGER")}

# `lead` is the LoRA that leads the card of this one, for most LoRAs itself (see homes.py). A lead's row describes its
# card. `twin` is a number that LoRAs with the same creator and title share. Long columns come last, because they slow
# down a scan.
_LORAS = f"""CREATE TABLE loras (
    id INTEGER PRIMARY KEY, hub TEXT NOT NULL, hub_id TEXT NOT NULL, change INTEGER NOT NULL,
    first_seen TEXT NOT NULL, seen TEXT NOT NULL, lead INTEGER NOT NULL, twin INTEGER,
    refs TEXT NOT NULL, nsfw INTEGER NOT NULL, groups TEXT NOT NULL,
    {", ".join(map(" ".join, FILTER_COLUMNS.items()))},
    whole TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL, tag_words TEXT NOT NULL,
    about TEXT NOT NULL, found TEXT NOT NULL,
    downloads INTEGER NOT NULL, likes INTEGER NOT NULL, newest INTEGER NOT NULL, merit INTEGER NOT NULL,
    document TEXT NOT NULL, UNIQUE (hub, hub_id))"""
_FILES = """CREATE TABLE files (
    lora INTEGER NOT NULL, place INTEGER NOT NULL, hub TEXT NOT NULL, version TEXT, file TEXT,
    name TEXT, size INTEGER, sha256 TEXT, autov3 TEXT, PRIMARY KEY (lora, place)) WITHOUT ROWID"""
_STATEMENTS = (
    _LORAS,
    _FILES,
    # LoRAs whose card links a page that may be about them (see homes.py).
    "CREATE TABLE links (lora INTEGER PRIMARY KEY, hub TEXT NOT NULL, hub_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "CREATE TABLE spellings (folded TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE facts (sha256 TEXT PRIMARY KEY, facts TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX loras_change ON loras (change, id)",
    "CREATE INDEX loras_seen ON loras (seen)",
    "CREATE INDEX loras_home ON loras (lead) WHERE lead != id",
    "CREATE INDEX loras_twin ON loras (twin) WHERE twin IS NOT NULL",
    "CREATE INDEX loras_removed ON loras (id) WHERE access = 'removed'",
    "CREATE INDEX files_sha256 ON files (sha256, hub) WHERE sha256 IS NOT NULL",
    "CREATE INDEX files_autov3 ON files (autov3, hub) WHERE autov3 IS NOT NULL",
    "CREATE INDEX files_version ON files (hub, version)",
    "CREATE INDEX links_page ON links (hub, hub_id)",
)


class Connection(Protocol):
    """The methods of sqlite3.Connection that are used."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...
    def close(self) -> None: ...


def _m004_levels(connection: Connection) -> None:
    """Create all tables. Four migrations were merged before the first release, and the last gave the name."""
    for statement in _STATEMENTS:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('catalog', ?), ('change', '0')", (uuid4().hex,))


# Only ever append.
MIGRATIONS: list[Migration] = [_m004_levels]
# The columns that identify a file as a catalog. Columns of new filters are added when it is opened.
_COLUMNS = {
    "loras": ("id", "hub", "hub_id", "change", "first_seen", "seen", "lead", "twin", "document", *_FIXED),
    "files": ("lora", "place", "hub", "version", "file", "name", "size", "sha256", "autov3"),
    "links": ("lora", "hub", "hub_id"),
    "spellings": ("folded", "name"),
    "facts": ("sha256", "facts", "at"),
}


def columns_of(row: Row) -> dict[str, Any]:
    """Return the values of a row by column, in the order of ROW."""
    fixed = [SEPARATOR.join(value) if isinstance(value, tuple) else value for value in _GET(row)]
    names, numbers = row.names, row.numbers
    values = [*fixed, *[SEPARATOR.join(names[name]) for name in NAMES], *[numbers[name] for name in NUMBERS]]
    return dict(zip(ROW, values, strict=True))


def row_from(values: Iterable[Any]) -> Row:
    """Build a row from columns in the order of ROW. Old catalogs have unfolded licence names, which are folded here."""
    left = iter(values)
    fixed: dict[str, Any] = dict(zip(_FIXED, left, strict=False))
    for name in _TUPLES:
        fixed[name] = _split(fixed[name])
    names = dict(zip(NAMES, map(_split, left), strict=False))
    if names["license"]:
        names["license"] = tuple(map(fold_name, names["license"]))
    return Row(names=names, numbers=dict(zip(NUMBERS, left, strict=True)), **fixed)


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(SEPARATOR)) if text else ()


def file_values(lora: Lora) -> list[tuple[Any, ...]]:
    """Return the rows of a LoRA in the table of files.

    A version without files has a row as well, so that a ref of the version finds the LoRA.
    """

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


def catalog_id(connection: Connection) -> str:
    """Return the id of a catalog. Raises ValueError if it is missing."""
    [(found,)] = connection.execute("SELECT value FROM meta WHERE name = 'catalog'").fetchall()
    return str(found)


_LABEL = "catalog"
# The page cache, large because a lookup of files by hash reads pages all over the index.
_CACHE_KILOBYTES = 32_000
_LOG_PAGES = 8_000
# How long a transaction waits for others.
_LOCK_MILLISECONDS = 60_000


class Sqlite:
    """A SQLite file. A damaged one is renamed and an empty one is created."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> Connection:
        """Open the file and create missing tables (see database.open_database)."""
        connection = open_database(self._path, _LABEL, MIGRATIONS, _COLUMNS, catalog_id)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return connection

    def connect(self) -> Connection:
        """Open another connection to the file that `open` has prepared."""
        return connect(self._path)

    def transaction(self, connection: Any) -> AbstractContextManager[None]:
        """Begin a transaction, one at a time over all processes, so that change numbers appear in order."""
        return transaction(connection)

    def messages(self) -> AbstractContextManager[None]:
        """Convert the driver's errors to HubUiError."""
        return errors_as_messages(self._path, _LABEL)

    def is_open(self, connection: Any) -> bool:
        """Return whether a connection can be used again after an error."""
        return True

    def size(self, connection: Any) -> int:
        """Return the size on disk in bytes."""
        names = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(path.stat().st_size for path in names if path.exists())


class Postgres:
    """A database on a server, with the address `postgresql://name:password@host/database`."""

    # An arbitrary number that no other program locks in the same database.
    _LOCK = 0x6875_622D_7569

    def __init__(self, address: str) -> None:
        """Load the driver, which is an optional extra of the package. Raises UsageError without it."""
        self._address = address
        try:
            self._driver: Any = import_module("psycopg")
        except ImportError as error:
            raise UsageError(
                "HUB_UI_DATABASE needs PostgreSQL's driver. Install it in hub-ui's folder: "
                ".venv/bin/pip install '.[postgres]'"
            ) from error

    def open(self) -> Connection:
        with self.messages(), ExitStack() as undo:
            connection = self.connect()
            undo.callback(connection.close)
            with self.transaction(connection):
                run_migrations(connection, _LABEL, MIGRATIONS)
            for table, columns in _COLUMNS.items():
                connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1")
            try:
                catalog_id(connection)
            except ValueError as error:
                raise HubUiError(f"The database of HUB_UI_DATABASE holds no catalog ({error}).") from error
            undo.pop_all()
        return connection

    def connect(self) -> Connection:
        # With keepalives a lost server is noticed within minutes.
        options = {"autocommit": True, "connect_timeout": 15, "application_name": "hub-ui", "keepalives_idle": 30}
        return _PostgresConnection(self._driver.connect(self._address, **options))

    @contextmanager
    def transaction(self, connection: Any) -> Iterator[None]:
        connection.execute("BEGIN")
        with ExitStack() as undo:
            undo.callback(connection.rollback)
            connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
            connection.execute(f"SELECT pg_advisory_xact_lock({self._LOCK})")
            yield
            undo.pop_all()
        connection.execute("COMMIT")

    @contextmanager
    def messages(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            reason = without_password(" ".join(str(error).split()), self._address)
            raise HubUiError(
                f"The catalog in PostgreSQL can't be used ({reason}). Check that the server of HUB_UI_DATABASE runs "
                "and lets you in, or unset it."
            ) from None

    def is_open(self, connection: Any) -> bool:
        return not connection.is_lost()

    def size(self, connection: Any) -> int:
        [(size,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
        return int(size)


class _PostgresConnection:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return self._connection.execute(translate(sql), values or None)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> object:
        with self._connection.cursor() as cursor:
            return cursor.executemany(translate(sql), rows)

    def rollback(self) -> None:
        """Roll back, unless the server is lost and has rolled back by itself."""
        if not self.is_lost():
            self._connection.rollback()

    def is_lost(self) -> bool:
        return bool(self._connection.closed)

    def close(self) -> None:
        self._connection.close()


@cache
def translate(sql: str) -> str:
    """Translate SQL from SQLite's dialect to PostgreSQL's."""
    sql = re.sub(r"\bINTEGER\b", "BIGINT", sql.replace(" WITHOUT ROWID", ""))
    if sql.startswith("CREATE TABLE"):
        # Sort by bytes as SQLite does, independent of the server's locale.
        sql = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', sql)
    return re.sub(r"\binstr\(", "strpos(", sql.replace("?", "%s"))


def without_password(text: str, address: str) -> str:
    """Mask the password in a message of the driver, which may repeat parts of the address."""
    found = re.search(r"://[^/@]*:([^/]*)@", address)
    secrets = {found[1], unquote(found[1])} if found else set()
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def dialect(database: Path | str) -> Sqlite | Postgres:
    """Return the dialect of a database: SQLite for a path, PostgreSQL for an address."""
    return Sqlite(database) if isinstance(database, Path) else Postgres(database)
