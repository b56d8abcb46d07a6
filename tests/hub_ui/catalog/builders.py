"""LoRAs with defaults; a test names only what it is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.claims.base_models import base_claims
from connectors.query import Query
from connectors.record import Claim, Lora, Value, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog

# A test's folder -> the PostgreSQL database that its catalog is in. Other folders have SQLite files.
DATABASES: dict[Path, str] = {}


def claim(field: str, value: Value, **fields: Any) -> Claim:
    return Claim(**{"field": field, "value": value, "source": "hub", "where": "model.field", **fields})


def file(ref: str = "civitai:1@10#100", **fields: Any) -> WeightFile:
    return WeightFile(**{"ref": Ref.parse(ref), "name": "ink.safetensors", **fields})


def version(ref: str = "civitai:1@10", *, base: str | None = None, **fields: Any) -> Version:
    parsed = Ref.parse(ref)
    claims = base_claims(base, "hub", "version.baseModel") if base else ()
    return Version(**{"ref": parsed, "name": "v1", "claims": claims, **fields})


def lora(number: int = 1, *, base: str | None = None, **fields: Any) -> Lora:
    """A CivitAI LoRA with one version of one file; `base` is the version's base model in CivitAI's words.

    Among equals the one with the smaller number is newer, and so comes first.
    """
    name = f"civitai:{number}@{number}0"
    one = version(name, base=base, files=(file(f"{name}#{number}00"),))
    values = {
        "ref": Ref.parse(f"civitai:{number}"),
        "title": f"Ink {number}",
        "url": f"https://civitai.com/models/{number}",
        "updated_at": (datetime(2026, 1, 1, tzinfo=UTC) - timedelta(weeks=number)).isoformat(),
    }
    return Lora(**{**values, "versions": (one,), **fields})


def opened(path: Path) -> Catalog:
    """The catalog of a test's folder; each call opens it once more."""
    return Catalog.open(path / "catalog.sqlite", DATABASES.get(path, ""))


@contextmanager
def catalog(path: Path, *loras: Lora) -> Iterator[Catalog]:
    with opened(path) as one:
        one.add(loras)
        yield one


@contextmanager
def both(path: Path, *loras: Lora) -> Iterator[tuple[Catalog, Catalog]]:
    """The same LoRAs searched by an index that follows them, and by one that is built of all."""
    with (
        opened(path) as one,
        Catalog(DATABASES.get(path) or path / "catalog.sqlite", path / "another.index") as other,
    ):
        one.add(loras)
        yield one, other


def titles(of: Catalog, text: str = "", *, offset: int = 0, **fields: Any) -> list[str]:
    found = of.search(Query(text=text, **fields), offset=offset)
    return [record.title for record in found.records]
