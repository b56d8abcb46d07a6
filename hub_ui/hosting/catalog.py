"""The catalog of a hosted page: everybody's, and beside it what only a visitor's own keys opened.

It may start with a snapshot: a Space begins with an empty disk each time.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from connectors.errors import HubUiError
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog import snapshot
from hub_ui.catalog.catalog import Catalog, not_found
from hub_ui.hosting.visitor import current_visitor
from hub_ui.library.disk import hash_of, replace_file

_MARK = "snapshot.sha256"


class VisitorCatalog(Catalog):
    """Nothing private is written: it is kept for the visitor whose key opened it, and dropped where there is none."""

    def add(self, loras: Iterable[Lora], *, found_by: str = "", at: datetime | None = None) -> int:
        visitor = current_visitor()
        everybodys = []
        for lora in loras:
            if visitor is not None and (lora.private or visitor.own.has(lora.ref)):
                visitor.own.put(lora)
            elif not lora.private:
                everybodys.append(lora)
        return super().add(everybodys, found_by=found_by, at=at)

    def lora(self, ref: Ref) -> Lora:
        visitor = current_visitor()
        own = visitor.own.lora(ref) if visitor is not None else None
        if own is not None:
            return own
        lora = super().lora(ref)
        if lora.private:
            # The words of one that is not there: nobody learns that there is one.
            raise not_found(ref)
        return lora

    def remember_facts(self, sha256: str, facts_json: str, ref: Ref | None = None) -> None:
        visitor = current_visitor()
        if visitor is not None and ref is not None and visitor.own.has(ref):
            visitor.own.put_facts(sha256, ref.hub, facts_json)
        else:
            super().remember_facts(sha256, facts_json)

    def facts(self, sha256: str) -> str | None:
        visitor = current_visitor()
        own = visitor.own.facts(sha256) if visitor is not None else None
        return own or super().facts(sha256)


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
