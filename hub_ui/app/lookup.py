"""Looks LoRAs up: at their hubs, in the catalog, and in the headers of their files."""

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
# Locks that keep two threads from reading the same header: enough that different files rarely share one.
_LOCKS = 64


@dataclass(kw_only=True, eq=False, repr=False)
class Lookup:
    """Any thread may call any method.

    `seconds` is how long each hub took to answer the last search, and `down_since` since when it has not answered any,
    of those that don't.
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
        self.annotations.on_change = self.write_own_values
        self._histories: LRUCache[Ref, tuple[Version, ...]] = LRUCache(_MOST_HISTORIES)
        self._used: TTLCache[Ref, tuple[Used, ...]] = TTLCache(_MOST_HISTORIES, _USAGE_SECONDS)
        self._added: LRUCache[tuple[HubName, Query] | Ref, tuple[Lora, ...]] = LRUCache(_MOST_ADDED)
        # Of what a hub did not answer in time, for as long as its request may still run.
        self._silent: TTLCache[Ref, str] = TTLCache(_MOST_HISTORIES, TIMEOUT_SECONDS)
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
        """As `federation.search`: what the hubs list of LoRAs, of which the catalog knows more once they are there.

        Raises LimitReached at once.
        """
        self.quotas.spend("searches")
        self.metrics.searches.inc()
        groups = federation.search(self.connectors, query, pause=pause, cursors=cursors, timeout=timeout)
        return (tuple(self._remember(answer, query) for answer in group) for group in groups)

    def collect(self, query: Query) -> SearchResults:
        """As `federation.collect`: the catalog knows what it finds. It is counted by who asks for it."""
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

    def _add(self, asked: tuple[HubName, Query] | Ref, loras: tuple[Lora, ...], found_by: str = "") -> None:
        """Who asks for the same soon shares a hub's answer, which says nothing new the second time."""
        with self._cache_lock:
            known = self._added.get(asked, ())
        if len(known) != len(loras) or any(a is not b for a, b in zip(known, loras, strict=True)):
            self.catalog.add(loras, found_by=found_by)
            with self._cache_lock:
                self._added[asked] = loras

    def marks(self) -> Marks:
        """What filters by yes and no speak of. Visitors of a shared page must not hear what its owner has."""
        owned = self.library.entries() if self.policy.allows("see library") else ()
        favorites = self.annotations.favorites() if self.policy.allows("annotate") else ()
        return {"installed": [entry.ref.lora for entry in owned], "favorite": favorites}

    def ask_again(self, hub: HubName) -> None:
        """The next request goes to the hub even while it is left alone, because a person wants it to."""
        with self._cache_lock:
            self._silent.clear()
        if hub in self.guards:
            self.guards[hub].breaker.ask_again()

    def get(self, ref: Ref) -> Lora:
        """The LoRA as its hub has it now, or as remembered. Raises the hub's error for one that was never seen."""
        return self.get_or_recall(ref)[0]

    def get_or_recall(self, ref: Ref) -> tuple[Lora, HubUiError | None]:
        """The same, and why it is only as remembered."""
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
        """The LoRA as remembered, without asking anyone. Raises NotFound, or Withheld."""
        return self.with_known_values(self.catalog.lora(ref))

    def with_known_values(self, lora: Lora) -> Lora:
        """With what the headers of its files prove, and what the person says of it (see library/annotations.py)."""
        own, lora = self.annotations.get(lora.ref), self.with_known_headers(lora)
        if not own.has_own_values:
            return lora
        return with_own_claims(lora, base_model=own.base_model, trigger_words=own.trigger_words, weight=own.weight)

    def fetch(self, ref: Ref, *, is_patient: bool = False) -> Lora:
        """The LoRA as its hub has it now, which the catalog remembers. Raises the hub's error.

        Only who `is_patient` waits as long as a hub takes that does not answer.
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
                self._silent.setdefault(ref.lora, error.message)
            raise
        # The catalog is of the hubs: who searches it looks for what can be had there.
        if ref.hub != LOCAL:
            self._add(ref, (lora,))
        return lora

    def was_fetched(self, ref: Ref) -> bool:
        """Whether its hub was asked about this LoRA lately: a hub's list says less."""
        with self._cache_lock:
            return ref in self._added

    def check_answers(self, ref: Ref) -> None:
        """Raises HubTimeout for a LoRA of which somebody has just waited in vain: nobody else waits for it as long."""
        with self._cache_lock:
            message = self._silent.get(ref.lora)
        if message is not None:
            raise HubTimeout(message, hub=ref.hub)

    def fetch_history(self, ref: Ref) -> None:
        """Asks a hub that lists the newest versions apart from the LoRA, for `find_history`."""
        hub = self.connector(ref.hub)
        if isinstance(hub, HasHistory):
            with suppress(HubUiError):
                found = hub.history(ref)
                with self._cache_lock:
                    self._histories[ref.lora] = found

    def find_history(self, ref: Ref) -> tuple[Version, ...]:
        """What was fetched last, without asking."""
        with self._cache_lock:
            return self._histories.get(ref.lora, ())

    def fetch_usage(self, version: Version) -> tuple[Used, ...]:
        """What people do with it, of a hub where they show that, which is asked once a day. Raises the hub's error."""
        found, hub = self.find_usage(version), self.connector(version.ref.hub)
        if found is None:
            found = usage(version, hub.images(version.ref)) if isinstance(hub, HasImages) else ()
            with self._cache_lock:
                self._used[version.ref] = found
        return found

    def find_usage(self, version: Version) -> tuple[Used, ...] | None:
        """The same without asking; None where it was not asked for."""
        with self._cache_lock:
            return self._used.get(version.ref)

    def record(self, ref: Ref) -> Record:
        """One file of the LoRA: the one that `ref` names, else the main file of the default version."""
        return record_of(self.get(ref), ref)

    def find_record(self, ref: Ref, *, asks: bool = False) -> Record | None:
        """The same as remembered, or where it `asks`, of its hub; None for what was not found."""
        with suppress(NotFound):
            return record_of(self.known(ref.lora), ref)
        if asks:
            with suppress(HubUiError):
                return self.record(ref)
        return None

    def with_header_facts(self, record: Record) -> tuple[Record, Facts | None]:
        """`record` with what its file proves, if that was ever read."""
        facts = self.find_facts(record.file) if record.file else None
        return (record if facts is None else record_with_header(record, facts.adapter)), facts

    def recall(self, ref: Ref, error: HubUiError) -> Lora:
        """Raises `error` for what was never seen. Another version than the one that `ref` names is no answer."""
        known = self.catalog.find(ref)
        if known is None or (ref.version is not None and known.version(ref.version) is None):
            raise error
        return known

    def _recall_removed(self, ref: Ref, error: NotFound) -> Lora:
        """What a person saw yesterday does not become a bare error today: it stays, marked as removed."""
        missing = NotFound(f"{origin_label(ref.hub)} has no LoRA {ref}. It may have been removed.", hub=ref.hub)
        # A visitor is told what they may see, which is not what there is.
        self.recall(ref, missing if self.policy.allows("use keys") else error)
        gone = ref if ref.version else ref.lora
        if ref.version:
            # A hub that can't say whether only the version is gone does not make us drop the whole.
            try:
                with suppress(NetworkError, RateLimited):
                    self.fetch(ref.lora)
            except NotFound:
                gone = ref.lora
        self.catalog.mark_removed(gone)
        return self.catalog.lora(ref)

    def inspect(self, ref: Ref) -> Facts:
        """What the file itself proves: as known, else from its header, which is read once and then remembered."""
        pinned = pin(self.connector(ref.hub), ref)
        self.check_shown(pinned)
        try:
            keys = facts_keys(pinned, self.catalog.file(pinned).sha256)
        except NotFound:
            keys = facts_keys(pinned, None)
        # Whoever asks for the same file meanwhile waits for the answer instead of reading it too.
        with self._locks[hash(pinned) % len(self._locks)]:
            known = self._find_facts(keys)
            if known is not None:
                return known
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
        """Raises Withheld for a LoRA that nobody is shown, as far as was seen."""
        try:
            self.catalog.lora(ref)
        except Withheld:
            raise
        except NotFound:
            pass

    def find_facts(self, file: WeightFile) -> Facts | None:
        """The same without asking anyone: None if its header was never read."""
        return self._find_facts(facts_keys(file.ref, file.sha256))

    def with_known_headers(self, lora: Lora) -> Lora:
        """With what the headers of its files prove, of those that were ever read."""
        for file in [file for version in lora.versions for file in version.files]:
            known = self.find_facts(file)
            if known is not None:
                lora = with_header(lora, file.ref, known.adapter)
        return lora

    def write_own_values(self, changed: Mapping[Ref, Collection[str]]) -> None:
        """Writes the `changed` fields into the lock file, which Try, exports and sidecars read."""
        if any(changed.values()):
            entries = [entry for entry in self.library.entries() if changed.get(entry.ref.lora)]
            self.library.change(self.own_entry(entry, changed[entry.ref.lora]) for entry in entries)

    def own_entry(self, entry: Entry, changed: Collection[str]) -> Entry:
        """The entry with the person's values in the `changed` fields, and with the hub's and the file's own where the
        person has none, or none now. What nobody says stays as it is.
        """
        own = self.annotations.get(entry.ref)
        base = base_models.by_id(own.base_model) if own.base_model else None
        facts = self._find_facts(facts_keys(entry.ref, entry.sha256))
        try:
            lora = self.catalog.lora(entry.ref)
            said: Record | Entry = record_of(with_header(lora, entry.ref, facts.adapter) if facts else lora, entry.ref)
        except NotFound:
            said = entry
            if facts is not None:
                adapter = facts.adapter
                names = ("trigger_words", "base_model", "architecture")
                said = replace(entry, weight=None, **{name: getattr(adapter, name) for name in names})
        values: dict[str, Any] = {
            "trigger_words": said.trigger_words if own.trigger_words is None else own.trigger_words,
            "weight": said.weight if own.weight is None else own.weight,
            "base_model": own.base_model or said.base_model,
        }
        then = {name: value for name, value in values.items() if name in changed}
        if "base_model" in then:
            then["architecture"] = base.architecture if base else said.architecture
        return replace(entry, **then)

    def remember_header(self, entry: Entry, path: Path) -> None:
        """What the header of its file says is known from now on, also under its ref where no hub names its hash."""
        keys = facts_keys(entry.ref, entry.sha256)
        try:
            facts = self._find_facts(keys) or inspect_path(path)
        # It is whole and has a readable header; that is what a pull promises.
        except HubUiError:
            return
        text = facts.encode()
        for key in keys:
            # Every try of a LoRA comes by here, and the catalog is written by one thread at a time.
            if self.catalog.facts(key) != text:
                self.catalog.remember_facts(key, text, entry.ref)
        self._add_header(entry.ref, facts)

    def _find_facts(self, keys: Iterable[str]) -> Facts | None:
        stored = (self.catalog.facts(key) for key in keys)
        return next(filter(None, (decode_facts(text) for text in stored if text is not None)), None)

    def _add_header(self, pinned: Ref, facts: Facts) -> None:
        """The catalog finds the LoRA by what its file says: its rank, the base model it is really for."""
        known = self.catalog.find(pinned)
        if known is not None and (told := with_header(known, pinned, facts.adapter)) != known:
            self.catalog.add([told])

    def explain(self, error: HubUiError, ref: Ref) -> HubUiError:
        """Adds to a refusal what else can be done: the LoRA's page, its other versions, open mirrors of the file."""
        # What is said of a file that no hub has is all there is.
        if ref.hub == LOCAL or isinstance(error, Withheld) or not isinstance(error, NotFound | AccessError):
            return error
        known = self.catalog.find(ref)
        if known is None:
            try:
                known = self.fetch(ref.lora if ref.id else ref)
            except HubUiError:
                return error
        version = known.version(ref.version)
        file = version.find_file(ref) if version else None
        refs = self.catalog.by_sha256(file.sha256) if file and file.sha256 else ()
        return explain(error, ref, known, open_mirrors(ref, refs, self.catalog.lora))

    def find_by_hash(self, value: str) -> tuple[Lora, Ref]:
        """The LoRA of a file by any hash of it, from the hub that knows hashes. Raises NotFound or its errors."""
        lora, ref = self.ask_by_hash(value)
        # It has one version, without the permissions.
        with suppress(HubUiError):
            return self.get(ref), ref
        return lora, ref

    def ask_by_hash(self, value: str) -> tuple[Lora, Ref]:
        """The same in one request: with the one version that has the file."""
        for hub in self.connectors:
            if isinstance(hub, FindsByHash):
                lora, ref = hub.by_hash(value)
                self.catalog.add([lora])
                return lora, ref
        raise NotFound("No hub here finds files by their hash.")

    def entry_of(self, found: IdentifiedFile, file: str) -> Entry | None:
        """Of a file at this path below the library; None for what is no LoRA, or no lock file may hold the name of."""
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
        """Identifies files on this disk by their bytes. Without `by_hash`, no hub is asked."""
        return Identifier(
            entries=self.library.entries(),
            seen=self.catalog.by_sha256,
            lora=self.catalog.lora,
            inspect=partial(read_facts, self.catalog),
            by_hash=by_hash,
            failure=failure,
        )


def read_facts(catalog: Catalog, path: Path, sha256: str) -> Facts:
    """From a file's header, which is read once and then remembered under its bytes, wherever they lie."""
    stored = catalog.facts(sha256)
    facts = decode_facts(stored) if stored is not None else None
    if facts is None:
        facts = inspect_path(path)
        catalog.remember_facts(sha256, facts.encode())
    return facts
