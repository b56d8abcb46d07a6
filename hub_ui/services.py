"""The object graph, built once and passed down, and what a person does with it: search, open, pull, make a pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import connectors
from connectors import federation
from connectors.connector import Connector
from connectors.errors import NetworkError, NotFound, RateLimited, UsageError
from connectors.facts.claims import flatten
from connectors.federation import PATIENCE_SECONDS, Answer
from connectors.query import Query
from connectors.record import Lora, Record
from connectors.ref import HubName, Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.library.library import Library
from hub_ui.preview.studio import Studio
from hub_ui.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Services:
    settings: Settings
    connectors: tuple[Connector, ...]
    catalog: Catalog
    library: Library
    studio: Studio

    def connector(self, hub: HubName) -> Connector:
        return next(connector for connector in self.connectors if connector.name == hub)

    def search(
        self, query: Query, cursors: Mapping[HubName, str] | None = None, patience: float = PATIENCE_SECONDS
    ) -> Iterator[Answer]:
        """One Answer a hub, as it arrives; what came is in the catalog before it is handed over."""
        for answer in federation.search(self.connectors, query, cursors=cursors, patience=patience):
            if answer.page is not None:
                self.catalog.add(answer.page.loras)
            yield answer

    def open(self, ref: Ref) -> Lora:
        """The LoRA as its hub has it now. While the hub can't answer, or once it is gone there: as remembered."""
        try:
            lora = self.connector(ref.hub).get(ref)
        except NotFound:
            return self._removed(ref)
        except (NetworkError, RateLimited):
            known = self.catalog.lora(ref.lora)
            if known is None:
                raise
            return known
        self.catalog.add([lora])
        return lora

    def _removed(self, ref: Ref) -> Lora:
        """What a person saw yesterday does not become a bare error today: it stays, marked as gone."""
        known = self.catalog.lora(ref.lora)
        if known is None:
            raise NotFound(f"{self.connector(ref.hub).label} has no LoRA {ref}, or none any more.", hub=ref.hub)
        self.catalog.mark_removed(ref.lora)
        return replace(known, access="removed")

    def record(self, ref: Ref) -> Record:
        """One file of the LoRA, flattened: the one `ref` names, else the main file of the default version."""
        return record_of(self.open(ref), ref)

    def pull(
        self,
        ref: Ref,
        *,
        report: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Entry:
        """Pins `ref`, and brings its file into the library."""
        connector = self.connector(ref.hub)
        pinned = connector.pin(ref)
        record = self.record(pinned)
        return self.library.pull(connector.download(pinned), record, report=report, cancelled=cancelled)
