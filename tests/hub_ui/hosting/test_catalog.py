from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.codec import encode
from hub_ui.catalog.store import Store
from hub_ui.hosting.connector import VisitorCatalog, load_once
from tests.hub_ui.catalog.builders import catalog, lora


def test_a_private_lora_of_the_owner_reads_as_one_that_is_not_there(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(private=True)):
        pass
    with VisitorCatalog(Store(tmp_path / "catalog.sqlite"), None) as opened:
        for text in ("civitai:1", "civitai:2"):
            with pytest.raises(NotFound, match=f"^{text} is not in the catalog. Search for it"):
                opened.lora(Ref.parse(text))


def written(path: Path, *numbers: int) -> Path:
    snapshot.export([encode(lora(number)) for number in numbers], path)
    return path


def start(file: Path, home: Path) -> list[str]:
    """What a start of the page says."""
    said: list[str] = []
    with Catalog.open(home / "catalog.sqlite") as catalog:
        load_once(file, catalog, home, said.append)
        said.append(f"{sum(catalog.stats().loras.values())} there")
    return said


def test_a_snapshot_is_read_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = written(tmp_path / "catalog.jsonl.zst", 1, 2)
    assert start(file, home) == ["catalog.jsonl.zst: 2 LoRAs in the catalog", "2 there"]
    assert start(file, home) == ["2 there"]
    written(file, 1, 2, 3)
    assert start(file, home) == ["catalog.jsonl.zst: 3 LoRAs in the catalog", "3 there"]


@pytest.mark.parametrize(
    ("data", "said"), [(b"nothing of the kind", "is no snapshot of a catalog"), (None, "There is no file")]
)
def test_the_page_starts_without_a_snapshot_that_can_not_be_read(tmp_path: Path, data: bytes | None, said: str) -> None:
    file = tmp_path / "catalog.jsonl.zst"
    if data is not None:
        file.write_bytes(data)
    first, second = start(file, tmp_path)
    assert said in first
    assert second == "0 there"
