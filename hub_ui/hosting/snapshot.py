"""The snapshot that a hosted page starts with. A Space begins with an empty disk each time."""

from collections.abc import Callable
from pathlib import Path

from connectors.errors import HubUiError
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog
from hub_ui.library.disk import hash_of, replace_file

_MARK = "snapshot.sha256"


def load_once(file: Path, catalog: Catalog, home: Path, note: Callable[[str], None]) -> None:
    """A file that is damaged or not there is reported, and the page starts without it."""
    try:
        mark, sha256 = home / _MARK, hash_of(file).sha256 if file.is_file() else ""
        if sha256 and mark.is_file() and mark.read_text(encoding="utf-8") == sha256:
            return
        done = snapshot.load(
            file,
            lambda loras, at: catalog.add(loras, at=at),
            lambda number, total: note(f"{file.name}: {number:,} of {total:,} LoRAs read"),
        )
        replace_file(mark, sha256.encode())
        note(f"{file.name}: {done.loras:,} LoRAs in the catalog")
    except HubUiError as error:
        note(error.message)
