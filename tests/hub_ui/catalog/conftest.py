"""The catalog's tests run on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_ui.catalog import builders
from tests.hub_ui.catalog.postgres_server import empty, running


@pytest.fixture(name="postgres", scope="session")
def one_server() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """What a Store is opened by, and what the builders open for this test's folder."""
    if request.param == "sqlite":
        yield tmp_path / "catalog.sqlite"
        return
    address = request.getfixturevalue("postgres")
    empty(address)
    builders.DATABASES[tmp_path] = address
    yield address
    del builders.DATABASES[tmp_path]
