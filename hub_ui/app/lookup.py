"""Look up LoRAs on their hubs, in the catalog, and in the headers of their files."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cachetools import LRUCache, TTLCache

from connectors import federation
from connectors.claims import base_models
from connectors.claims.resolve import record_of, record_with_header, with_header, with_own_claims
from connectors.connector import Connector, FindsByHash, HasHistory, HasImages, LoraSource, pin
from connectors.errors import AccessError, HubTimeout, HubUiError, NetworkError, NotFound, RateLimited, Withheld
from connectors.federation import OPEN_SECONDS, TIMEOUT_SECONDS, Answer, SearchResults
from connectors.guard import HubGuard, without_guard
from connectors.query import Query
from connectors.record import Lora, Record, Version, WeightFile
from connectors.ref import LOCAL, HubName, Origin, Ref
from connectors.registry import origin_label
from connectors.weights.inspect import Facts, decode_facts, inspect_download, inspect_path
from hub_ui.access.quotas import Quotas
from hub_ui.app.hosting.connector import refusals_for_visitors
from hub_ui.app.metrics import Metrics
from hub_ui.catalog.catalog import Catalog, facts_keys
from hub_ui.catalog.search import Marks
from hub_ui.images.example_settings import Used, usage
from hub_ui.library.annotations import Annotations
from hub_ui.library.download.sync import explain, open_mirrors
from hub_ui.library.file_names import is_safe_path
from hub_ui.library.library import Library, source_of
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.identify import IdentifiedFile, Identifier, LocalFiles
from hub_ui.settings import Policy

_LOG = logging.getLogger(__name__)
_MOST_ADDED = 200
_MOST_HISTORIES = 200
_USAGE_SECONDS = 86_400.0
# Locks that keep two threads from reading the same header. With this many, different files rarely share a lock.
_LOCKS = 64


@dataclass(kw_only=True, eq=False, repr=False)
class Lookup:
    """The look-up of LoRAs on the hubs, in the catalog and in the library. Thread-safe.

    `seconds` is the response time of each hub to its last successful search. `down_since` has the hubs that are down,
    each with the time of its first failed search.
    """

    connectors: tuple[Connector, ...]
    catalog: Catalog
    library: Library
    annotations: Annotations
    policy: Policy
    guards: Mapping[HubName, HubGuard]
    metrics: Metrics
    quotas: Quotas
    seconds: dict[HubName, float] = field(default_factory=dict)
    down_since: dict[HubName, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.annotations.on_change = self.write_user_values
        self._histories: LRUCache[Ref, tuple[Version, ...]] = LRUCache(_MOST_HISTORIES)
        self._used: TTLCache[Ref, tuple[Used, ...]] = TTLCache(_MOST_HISTORIES, _USAGE_SECONDS)
        self._added: LRUCache[tuple[HubName, Query] | Ref, tuple[Lora, ...]] = LRUCache(_MOST_ADDED)
        # The messages of requests that timed out, kept as long as such a request may still be running.
        self._timeouts: TTLCache[Ref, str] = TTLCache(_MOST_HISTORIES, TIMEOUT_SECONDS)
        self._cache_lock = threading.Lock()
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def connector(self, hub: Origin) -> LoraSource:
        if hub == LOCAL:
            self.policy.check("use own files")
            return LocalFiles(library=self.library)
        return self._hub(hub)

    def _hub(self, name: Origin) -> Connector:
        return next(connector for connector in self.connectors if connector.name == name)

    def search(
        self,
        query: Query,
        *,
        pause: float = TIMEOUT_SECONDS,
        cursors: Mapping[HubName, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Iterator[tuple[Answer, ...]]:
        """Search the hubs as `federation.search` does, and add the LoRAs of each yielded answer to the catalog.

        Raise LimitReached before the first request.
        """
        self.quotas.spend("searches")
        self.metrics.searches.inc()
        groups = federation.search(self.connectors, query, pause=pause, cursors=cursors, timeout=timeout)
        return (tuple(self._remember(answer, query) for answer in group) for group in groups)

    def collect(self, query: Query) -> SearchResults:
        """Search the hubs as `federation.collect` does, and add the results to the catalog.

        The caller must count the search against the quota and in the metrics.
        """
        return federation.collect(self.connectors, query, on_answer=lambda answer: self._remember(answer, query))

    def _remember(self, answer: Answer, query: Query) -> Answer:
        outcome = answer.error.name if answer.error else "answered"
        fields = {"hub": answer.hub, "outcome": outcome, "seconds": round(answer.seconds, 3)}
        _LOG.info("a search", extra=fields)
        if isinstance(answer.error, NetworkError):
            self.down_since.setdefault(answer.hub, datetime.now(UTC))
            if answer.error.retry_after is None and answer.hub in self.guards:
                answer.error.retry_after = self.guards[answer.hub].breaker.seconds_left or None
        else:
            self.down_since.pop(answer.hub, None)
        if answer.page is None:
            return answer
        self.seconds[answer.hub] = answer.seconds
        self._add((answer.hub, query), tuple(answer.page.loras), query.words)
        self.catalog.withhold(answer.page.withheld)
        return answer

    def _add(self, key: tuple[HubName, Query] | Ref, loras: tuple[Lora, ...], found_by: str = "") -> None:
        """Add LoRAs to the catalog, unless they are the same objects as the last time.

        Repeated requests share one response of the hub, which need not be written again.
        """
        with self._cache_lock:
            added = self._added.get(key, ())
        if len(added) != len(loras) or any(a is not b for a, b in zip(added, loras, strict=True)):
            self.catalog.add(loras, found_by=found_by)
            with self._cache_lock:
                self._added[key] = loras

    def marks(self) -> Marks:
        """Return the LoRAs that the filters "installed" and "favorite" match.

        Both are empty for visitors of a shared page, who must not see the owner's library.
        """
        entries = self.library.entries() if self.policy.allows("see library") else ()
        favorites = self.annotations.favorites() if self.policy.allows("annotate") else ()
        return {"installed": [entry.ref.lora for entry in entries], "favorite": favorites}

    def ask_again(self, hub: HubName) -> None:
        """Let the next request through even if the hub's circuit breaker is open, because a person retries it."""
        with self._cache_lock:
            self._timeouts.clear()
        if hub in self.guards:
            self.guards[hub].breaker.ask_again()

    def get(self, ref: Ref) -> Lora:
        """Return the LoRA from its hub, or from the catalog if the hub is down or has removed it.

        Raise the hub's error if the catalog does not know the LoRA.
        """
        return self.get_or_recall(ref)[0]

    def get_or_recall(self, ref: Ref) -> tuple[Lora, HubUiError | None]:
        """Return the LoRA as `get` does, and the hub's error if the LoRA is only the catalog's copy."""
        self.quotas.spend("opens")
        self.metrics.opens.inc()
        failure: HubUiError | None = None
        try:
            lora = self.fetch(ref)
        except Withheld:
            raise
        except NotFound as error:
            lora = self._recall_removed(ref, error)
        except (NetworkError, RateLimited) as error:
            lora, failure = self.recall(ref, error), error
        _LOG.info("a LoRA", extra={"hub": ref.hub, "outcome": failure.name if failure else "answered"})
        return self.with_known_values(lora), failure

    def known(self, ref: Ref) -> Lora:
        """Return the LoRA from the catalog, without a request. Raise NotFound, or Withheld."""
        return self.with_known_values(self.catalog.lora(ref))

    def with_known_values(self, lora: Lora) -> Lora:
        """Add the facts of headers that were read before, and the user's values (see library/annotations.py)."""
        annotation, lora = self.annotations.get(lora.ref), self.with_known_headers(lora)
        if not annotation.has_own_values:
            return lora
        return with_own_claims(
            lora, base_model=annotation.base_model, trigger_words=annotation.trigger_words, weight=annotation.weight
        )

    def fetch(self, ref: Ref, *, is_patient: bool = False) -> Lora:
        """Return the LoRA from its hub and add it to the catalog. Raise the hub's error.

        The request has the short timeout OPEN_SECONDS, unless `is_patient` is set.
        """
        source = self.connector(ref.hub)
        try:
            if is_patient or ref.hub == LOCAL:
                lora = source.get(ref)
            else:
                self.check_answers(ref)
                lora = federation.get(source, ref, OPEN_SECONDS)
        except Withheld:
            self.catalog.withhold([ref])
            raise
        except HubTimeout as error:
            with self._cache_lock:
                self._timeouts.setdefault(ref.lora, error.message)
            raise
        # The catalog lists only LoRAs of hubs, so a local file is not added.
        if ref.hub != LOCAL:
            self._add(ref, (lora,))
        return lora

    def was_fetched(self, ref: Ref) -> bool:
        """Check whether this LoRA was fetched by its ref lately. Search results have fewer details."""
        with self._cache_lock:
            return ref in self._added

    def check_answers(self, ref: Ref) -> None:
        """Raise HubTimeout at once if a request for this LoRA has just timed out, so that other callers don't wait."""
        with self._cache_lock:
            message = self._timeouts.get(ref.lora)
        if message is not None:
            raise HubTimeout(message, hub=ref.hub)

    def fetch_history(self, ref: Ref) -> None:
        """Request the newest versions, if the hub lists them separately, and store them for `find_history`.

        Ignore the hub's errors.
        """
        hub = self.connector(ref.hub)
        if isinstance(hub, HasHistory):
            with suppress(HubUiError):
                versions = hub.history(ref)
                with self._cache_lock:
                    self._histories[ref.lora] = versions

    def find_history(self, ref: Ref) -> tuple[Version, ...]:
        """Return the versions that `fetch_history` has stored, or an empty tuple."""
        with self._cache_lock:
            return self._histories.get(ref.lora, ())

    def fetch_usage(self, version: Version) -> tuple[Used, ...]:
        """Return how people use a version, counted from their images on its hub. Cache it for a day.

        The tuple is empty if the hub has no images. Raise the hub's error.
        """
        used, hub = self.find_usage(version), self.connector(version.ref.hub)
        if used is None:
            used = usage(version, hub.images(version.ref)) if isinstance(hub, HasImages) else ()
            with self._cache_lock:
                self._used[version.ref] = used
        return used

    def find_usage(self, version: Version) -> tuple[Used, ...] | None:
        """Return the cached usage of a version, or None if it was not fetched."""
        with self._cache_lock:
            return self._used.get(version.ref)

    def record(self, ref: Ref) -> Record:
        """Return the record of the file that `ref` names, or else of the main file of the default version."""
        return record_of(self.get(ref), ref)

    def find_record(self, ref: Ref, *, asks: bool = False) -> Record | None:
        """Return the record from the catalog, or else from the hub if `asks` is set. Return None if it is unknown."""
        with suppress(NotFound):
            return record_of(self.known(ref.lora), ref)
        if asks:
            with suppress(HubUiError):
                return self.record(ref)
        return None

    def with_header_facts(self, record: Record) -> tuple[Record, Facts | None]:
        """Add the facts of the file's header to the record, and return both. The facts are None if it was not read."""
        facts = self.find_facts(record.file) if record.file else None
        return (record if facts is None else record_with_header(record, facts.adapter)), facts

    def recall(self, ref: Ref, error: HubUiError) -> Lora:
        """Return the LoRA from the catalog. Raise `error` if the catalog has no such LoRA or version."""
        lora = self.catalog.find(ref)
        if lora is None or (ref.version is not None and lora.version(ref.version) is None):
            raise error
        return lora

    def _recall_removed(self, ref: Ref, error: NotFound) -> Lora:
        """Return the catalog's copy of a LoRA that its hub has removed, and mark it as removed.

        Raise an error if the catalog does not know it.
        """
        missing = NotFound(f"{origin_label(ref.hub)} has no LoRA {ref}. It may have been removed.", hub=ref.hub)
        # Keep the original error for visitors, because the LoRA may exist although they may not see it.
        self.recall(ref, missing if self.policy.allows("use keys") else error)
        removed = ref if ref.version else ref.lora
        if ref.version:
            # Mark the whole LoRA only if the hub confirms that it is missing. A network error does not.
            try:
                with suppress(NetworkError, RateLimited):
                    self.fetch(ref.lora)
            except NotFound:
                removed = ref.lora
        self.catalog.mark_removed(removed)
        return self.catalog.lora(ref)

    def inspect(self, ref: Ref) -> Facts:
        """Return the facts of a file from its header. It is read once, and its facts are stored in the catalog."""
        pinned = pin(self.connector(ref.hub), ref)
        self.check_shown(pinned)
        try:
            keys = facts_keys(pinned, self.catalog.file(pinned).sha256)
        except NotFound:
            keys = facts_keys(pinned, None)
        # Other threads that need the same file wait here, so that it is read once.
        with self._locks[hash(pinned) % len(self._locks)]:
            stored = self._find_facts(keys)
            if stored is not None:
                return stored
            entry = self.library.find(pinned)
            if entry is not None and self.library.path(entry).exists():
                facts = inspect_path(self.library.path(entry))
            else:
                with nullcontext() if self.policy.allows("use keys") else refusals_for_visitors(pinned.hub):
                    facts = inspect_download(self.connector(pinned.hub).locate(pinned))
            self.catalog.remember_facts(keys[0], facts.encode(), pinned)
            self._add_header(pinned, facts)
        return facts

    def check_shown(self, ref: Ref) -> None:
        """Raise Withheld if the catalog knows that this LoRA must not be shown."""
        try:
            self.catalog.lora(ref)
        except Withheld:
            raise
        except NotFound:
            pass

    def find_facts(self, file: WeightFile) -> Facts | None:
        """Return the stored facts of a file, or None if its header was not read."""
        return self._find_facts(facts_keys(file.ref, file.sha256))

    def with_known_headers(self, lora: Lora) -> Lora:
        """Add the stored facts of all files to the LoRA."""
        for file in [file for version in lora.versions for file in version.files]:
            facts = self.find_facts(file)
            if facts is not None:
                lora = with_header(lora, file.ref, facts.adapter)
        return lora

    def write_user_values(self, changed: Mapping[Ref, Collection[str]]) -> None:
        """Write the `changed` fields into the lock file, because Try, exports and sidecars read it."""
        if any(changed.values()):
            entries = [entry for entry in self.library.entries() if changed.get(entry.ref.lora)]
            self.library.change(self.with_user_values(entry, changed[entry.ref.lora]) for entry in entries)

    def with_user_values(self, entry: Entry, changed: Collection[str]) -> Entry:
        """Return the entry with the `changed` fields set to the user's values.

        If the user has no value, or has removed it, use the value of the hub or the file's header. Without any of
        these, keep the entry's value.
        """
        annotation = self.annotations.get(entry.ref)
        base = base_models.by_id(annotation.base_model) if annotation.base_model else None
        facts = self._find_facts(facts_keys(entry.ref, entry.sha256))
        try:
            lora = self.catalog.lora(entry.ref)
            source: Record | Entry = record_of(
                with_header(lora, entry.ref, facts.adapter) if facts else lora, entry.ref
            )
        except NotFound:
            source = entry
            if facts is not None:
                adapter = facts.adapter
                names = ("trigger_words", "base_model", "architecture")
                source = replace(entry, weight=None, **{name: getattr(adapter, name) for name in names})
        values: dict[str, Any] = {
            "trigger_words": source.trigger_words if annotation.trigger_words is None else annotation.trigger_words,
            "weight": source.weight if annotation.weight is None else annotation.weight,
            "base_model": annotation.base_model or source.base_model,
        }
        changes = {name: value for name, value in values.items() if name in changed}
        if "base_model" in changes:
            changes["architecture"] = base.architecture if base else source.architecture
        return replace(entry, **changes)

    def remember_header(self, entry: Entry, path: Path) -> None:
        """Store the facts of an entry's file, by its sha256 and also by its ref if no hub publishes the sha256."""
        keys = facts_keys(entry.ref, entry.sha256)
        try:
            facts = self._find_facts(keys) or inspect_path(path)
        # Ignore an unreadable header: a download was checked before, and needs no facts.
        except HubUiError:
            return
        text = facts.encode()
        for key in keys:
            # Skip needless writes, because every generation calls this and the catalog has a single writer.
            if self.catalog.facts(key) != text:
                self.catalog.remember_facts(key, text, entry.ref)
        self._add_header(entry.ref, facts)

    def _find_facts(self, keys: Iterable[str]) -> Facts | None:
        stored = (self.catalog.facts(key) for key in keys)
        return next(filter(None, (decode_facts(text) for text in stored if text is not None)), None)

    def _add_header(self, pinned: Ref, facts: Facts) -> None:
        """Add the facts to the LoRA in the catalog, so that filters use its real rank and base model."""
        lora = self.catalog.find(pinned)
        if lora is not None and (changed := with_header(lora, pinned, facts.adapter)) != lora:
            self.catalog.add([changed])

    def explain(self, error: HubUiError, ref: Ref) -> HubUiError:
        """Add alternatives to a refusal: the LoRA's page, its other versions, or open mirrors of the file.

        Return other errors unchanged.
        """
        # A local file has no alternatives.
        if ref.hub == LOCAL or isinstance(error, Withheld) or not isinstance(error, NotFound | AccessError):
            return error
        lora = self.catalog.find(ref)
        if lora is None:
            try:
                lora = self.fetch(ref.lora if ref.id else ref)
            except HubUiError:
                return error
        version = lora.version(ref.version)
        file = version.find_file(ref) if version else None
        refs = self.catalog.by_sha256(file.sha256) if file and file.sha256 else ()
        return explain(error, ref, lora, open_mirrors(ref, refs, self.catalog.lora))

    def find_by_hash(self, value: str) -> tuple[Lora, Ref]:
        """Return the LoRA and the ref of the file with this hash, in as much detail as its hub has.

        Raise NotFound, or the error of the hub that finds files by hash.
        """
        lora, ref = self.request_by_hash(value)
        # The response to a hash has only one version and no permissions, so fetch the whole LoRA.
        with suppress(HubUiError):
            return self.get(ref), ref
        return lora, ref

    def request_by_hash(self, value: str) -> tuple[Lora, Ref]:
        """Return the LoRA and the ref of the file with this hash in one request. The LoRA has only that version."""
        for hub in self.connectors:
            if isinstance(hub, FindsByHash):
                lora, ref = hub.by_hash(value)
                self.catalog.add([lora])
                return lora, ref
        raise NotFound("No hub here finds files by their hash.")

    def entry_of(self, found: IdentifiedFile, file: str) -> Entry | None:
        """Return an entry for the identified file at this path below the library.

        Return None if the file is not a LoRA, or its path is unsafe.
        """
        if not is_safe_path(file):
            return None
        if found.state == "recognised" and found.ref is not None:
            return found.entry(file, self.file_url(found.ref))
        return found.entry(file) if found.is_own_lora else None

    def file_url(self, ref: Ref) -> str:
        """Return the URL of a hub's file for the lock file. It is built without a request, so the hub may be down."""
        return source_of(without_guard(self._hub(ref.hub)).locate(ref))

    def identifier(
        self,
        by_hash: Callable[[str], tuple[Lora, Ref]] | None = None,
        failure: Callable[[HubUiError], None] = lambda error: None,
    ) -> Identifier:
        """Return an Identifier of local files by their bytes. It sends no requests if `by_hash` is None."""
        return Identifier(
            entries=self.library.entries(),
            seen=self.catalog.by_sha256,
            lora=self.catalog.lora,
            inspect=partial(read_facts, self.catalog),
            by_hash=by_hash,
            failure=failure,
        )


def read_facts(catalog: Catalog, path: Path, sha256: str) -> Facts:
    """Return the facts of a file from its header. It is read once, and its facts are stored by the file's sha256."""
    stored = catalog.facts(sha256)
    facts = decode_facts(stored) if stored is not None else None
    if facts is None:
        facts = inspect_path(path)
        catalog.remember_facts(sha256, facts.encode())
    return facts
