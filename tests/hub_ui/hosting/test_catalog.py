from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import NotFound
from connectors.ref import Ref
from hub_ui.catalog.store import Store
from hub_ui.hosting.catalog import VisitorCatalog
from tests.hub_ui.catalog.builders import catalog, lora


def test_a_private_lora_of_the_owner_reads_as_one_that_is_not_there(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(private=True)):
        pass
    with VisitorCatalog(Store(tmp_path / "catalog.sqlite"), None) as opened:
        for text in ("civitai:1", "civitai:2"):
            with pytest.raises(NotFound, match=f"^{text} is not in the catalog. Search for it"):
                opened.lora(Ref.parse(text))
