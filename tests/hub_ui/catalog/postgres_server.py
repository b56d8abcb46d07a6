"""A PostgreSQL server of the system's packages, for the length of a test run."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

# The server refuses to run as root.
_OTHER_USER = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"


_EMPTY = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid != pg_backend_pid();
            DROP SCHEMA public CASCADE; CREATE SCHEMA public"""


def empty(address: str) -> None:
    """Leaves nothing in the database, and nobody else connected to it."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(_EMPTY)


@contextmanager
def running() -> Iterator[str]:
    """The address of its one database. Skips the test where there is no server to run."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb on the PATH or in /usr/lib/postgresql")
    user = _OTHER_USER if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="hub-ui-postgres-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, "postgres", "postgres")

        def call(program: str, *arguments: str) -> None:
            command = [*user, str(programs / program), "-D", f"{folder}/data", *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=120)

        call("initdb", "--auth=trust", "--username=hub", "--encoding=UTF8", "--locale=C", "--no-sync")
        call("pg_ctl", "start", "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -h '' {_FAST}")
        try:
            yield f"postgresql://hub@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")


def _programs() -> Path | None:
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(found).resolve().parent if found else installed[-1].parent if installed else None
