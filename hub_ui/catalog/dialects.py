"""The databases that a catalog may be in: how each is opened, and what it calls differently.

The SQL of the other modules is SQLite's; PostgreSQL gets it translated. Both let others read while one writes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from connectors.errors import HubUiError, UsageError
from hub_ui.database import Migration, connect, errors_as_messages, open_database, run_migrations, transaction

LABEL = "catalog"
# Of pages in memory: files with the same hash are looked for all over the index.
_CACHE_KILOBYTES = 32_000
_LOG_PAGES = 8_000
# How long a transaction waits for those of others.
_LOCK_MILLISECONDS = 60_000


class Cursor(Protocol):
    @property
    def description(self) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What sqlite3.Connection has."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...
    def close(self) -> None: ...


class Sqlite:
    """A file; a damaged one is moved aside and an empty one created."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(
        self,
        migrations: Sequence[Migration],
        tables: Mapping[str, Sequence[str]],
        check: Callable[[Any], object],
    ) -> Connection:
        """Creates what is missing (see database.open_database)."""
        connection = open_database(self._path, LABEL, migrations, tables, check)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return connection

    def connect(self) -> Connection:
        """One more connection to what `open` has opened."""
        return connect(self._path)

    def transaction(self, connection: Any) -> AbstractContextManager[None]:
        """One at a time over all processes, so that the numbers of changes appear in order."""
        return transaction(connection)

    def messages(self) -> AbstractContextManager[None]:
        """Turns the driver's errors into HubUiError."""
        return errors_as_messages(self._path, LABEL)

    def is_open(self, connection: Any) -> bool:
        """Whether a connection that failed can be used again."""
        return True

    def size(self, connection: Any) -> int:
        """Bytes on the disk."""
        names = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(path.stat().st_size for path in names if path.exists())


class Postgres:
    """A database on a server, by its address: `postgresql://name:password@host/database`."""

    # Any number that no other program locks in the same database.
    _LOCK = 0x6875_622D_7569

    def __init__(self, address: str) -> None:
        """Raises UsageError without the driver, which is an extra of the package."""
        self._address = address
        try:
            self._driver: Any = import_module("psycopg")
        except ImportError as error:
            raise UsageError(
                "HUB_UI_DATABASE needs PostgreSQL's driver. Install it in hub-ui's folder: "
                ".venv/bin/pip install '.[postgres]'"
            ) from error

    def open(
        self,
        migrations: Sequence[Migration],
        tables: Mapping[str, Sequence[str]],
        check: Callable[[Any], object],
    ) -> Connection:
        with self.messages(), ExitStack() as undo:
            connection = self.connect()
            undo.callback(connection.close)
            with self.transaction(connection):
                run_migrations(connection, LABEL, migrations)
            for table, columns in tables.items():
                connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1")
            try:
                check(connection)
            except ValueError as error:
                raise HubUiError(f"The database of HUB_UI_DATABASE holds no catalog ({error}).") from error
            undo.pop_all()
        return connection

    def connect(self) -> Connection:
        # A server that is gone without a word is noticed within minutes.
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

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        cursor: Cursor = self._connection.execute(translate(sql), values or None)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> object:
        with self._connection.cursor() as cursor:
            return cursor.executemany(translate(sql), rows)

    def rollback(self) -> None:
        """Does nothing where the server is lost, which has then rolled back by itself."""
        if not self.is_lost():
            self._connection.rollback()

    def is_lost(self) -> bool:
        return bool(self._connection.closed)

    def close(self) -> None:
        self._connection.close()


@cache
def translate(sql: str) -> str:
    """From SQLite's words to PostgreSQL's."""
    sql = re.sub(r"\bINTEGER\b", "BIGINT", sql.replace(" WITHOUT ROWID", ""))
    if sql.startswith("CREATE TABLE"):
        # SQLite's order, whatever language the server speaks.
        sql = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', sql)
    return re.sub(r"\binstr\(", "strpos(", sql.replace("?", "%s"))


def without_password(text: str, address: str) -> str:
    """A message of the driver, which may repeat parts of the address."""
    found = re.search(r"://[^/@]*:([^/]*)@", address)
    secrets = {found[1], unquote(found[1])} if found else set()
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def dialect(database: Path | str) -> Sqlite | Postgres:
    """Of the path of a file, or of the address of a database on a server."""
    return Sqlite(database) if isinstance(database, Path) else Postgres(database)
