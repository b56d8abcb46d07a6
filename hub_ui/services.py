"""The object graph, built once and passed down, and what a person does with it: search, open, pull, make a pair."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import connectors
from connectors import federation
from connectors.claims.resolve import record_of as record_of
from connectors.claims.resolve import with_header
from connectors.connector import Connector, LoraSource
from connectors.errors import AccessError, HubUiError, NeedsFetching, NetworkError, NotFound, RateLimited
from connectors.federation import TIMEOUT_SECONDS, Answer, HubQueues
from connectors.http.session import Endpoint
from connectors.query import Query
from connectors.record import Lora, Record, WeightFile
from connectors.ref import LOCAL, HubName, Origin, Ref
from connectors.weights import inspect
from connectors.weights.inspect import Facts
from connectors.weights.wan_experts import other_half
from hub_ui.catalog.catalog import Catalog, facts_keys
from hub_ui.generate import settings as generate_settings
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.replicate import ReplicateBackend
from hub_ui.generate.request import GenerationRequest, GenerationResult, LoraInput, Step, spread, with_other_halves
from hub_ui.images.history import History
from hub_ui.library.download.http import DownloadOptions
from hub_ui.library.download.progress import Progress
from hub_ui.library.file_names import FileNameTemplate
from hub_ui.library.identify import Identifier, entry_of_file, facts_of
from hub_ui.library.library import Library
from hub_ui.library.local_files import LocalFiles
from hub_ui.library.lockfile import Entry
from hub_ui.library.mirrors import explain, open_mirrors, pull_from_mirror
from hub_ui.library.queue import Queue, Task
from hub_ui.policy import Policy
from hub_ui.settings import Settings
from hub_ui.visitors import VisitorConnector, VisitorLibrary


@dataclass(frozen=True, kw_only=True)
class Services:
    settings: Settings
    connectors: tuple[Connector, ...]
    catalog: Catalog
    library: Library
    studio: Engine
    history: History
    turns: tuple[threading.Lock, ...] = field(default_factory=lambda: tuple(threading.Lock() for _ in range(64)))
    room: VisitorLibrary | None = None
    queues: HubQueues = field(default_factory=HubQueues)
    queue: Queue = field(init=False)
    elsewhere: ReplicateBackend = field(init=False)

    def __post_init__(self) -> None:
        queue = Queue(self.settings.queue, self._queued, forget=self.library.forget)
        object.__setattr__(self, "queue", queue)
        elsewhere = ReplicateBackend(
            self.replicate, access=lambda ref: "open" if ref.hub == LOCAL else self.record(ref).access
        )
        object.__setattr__(self, "elsewhere", elsewhere)

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    @property
    def replicate(self) -> Endpoint:
        """Where things run for money, with this person's key."""
        url, token = self.settings.endpoints["replicate"], self.settings.tokens.get("replicate")
        return Endpoint(hub="replicate", label="Replicate", url=url, token=token)

    def connector(self, hub: Origin) -> LoraSource:
        if hub == LOCAL:
            self.policy.check("use own files")
            return LocalFiles(library=self.library)
        return next(connector for connector in self.connectors if connector.name == hub)

    def search(
        self, query: Query, cursors: Mapping[HubName, str] | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> Iterator[Answer]:
        """One Answer a hub, as it arrives: what came is in the catalog, and stands beside what was known before."""
        asked = federation.search(self.connectors, query, cursors=cursors, timeout=timeout, queues=self.queues)
        for answer in asked:
            if answer.page is not None:
                self.catalog.add(answer.page.loras)
                known = self.catalog.complete(answer.page.loras, query.nsfw)
                answer = replace(answer, page=replace(answer.page, loras=known))
            yield answer

    def open(self, ref: Ref) -> Lora:
        """The LoRA as its hub has it now. While the hub can't answer, or once it is gone there: as remembered.

        What the headers of its files say leads, of those that were ever read.
        """
        try:
            found = self._asked(ref)
        except NotFound:
            found = self._gone(ref)
        except (NetworkError, RateLimited) as error:
            found = self._remembered(ref, error)
        return self._proved(found)

    def record(self, ref: Ref) -> Record:
        """One file of the LoRA: the one `ref` names, else the main file of the default version."""
        return record_of(self.open(ref), ref)

    def inspect(self, ref: Ref) -> Facts:
        """What the file itself proves: as known, else from its header, which is read once and then remembered."""
        pinned = self.connector(ref.hub).pin(ref)
        keys = self._facts_keys(pinned)
        # Whoever asks for the same file meanwhile waits for the answer instead of reading it too.
        with self.turns[hash(pinned) % len(self.turns)]:
            known = self._known_facts(keys)
            if known is not None:
                return known
            found = self._inspected(pinned)
            self.catalog.remember_facts(keys[0], found.encode())
            self._keep(pinned, found)
        return found

    def _keep(self, pinned: Ref, found: Facts) -> None:
        """What the file says is searched by from now on: its rank, the base model it is really for."""
        try:
            known = self.catalog.lora(pinned)
        except NotFound:
            return
        self.catalog.add([with_header(known, pinned, found.adapter)])

    def _inspected(self, pinned: Ref) -> Facts:
        entry = self.held(pinned)
        if entry is not None:
            return inspect.inspect_path(self.library.path(entry))
        return inspect.inspect_download(self.connector(pinned.hub).locate(pinned))

    def facts_known(self, file: WeightFile) -> Facts | None:
        """The same without asking anyone: None if its header was never read."""
        return self._known_facts(facts_keys(file.ref, file.sha256))

    def _facts_keys(self, pinned: Ref) -> tuple[str, ...]:
        try:
            return facts_keys(pinned, self.catalog.file(pinned).sha256)
        except NotFound:
            return facts_keys(pinned, None)

    def _known_facts(self, keys: Iterable[str]) -> Facts | None:
        stored = (self.catalog.facts(key) for key in keys)
        return next(filter(None, (inspect.decode_facts(text) for text in stored if text is not None)), None)

    def _proved(self, lora: Lora) -> Lora:
        for file in [file for version in lora.versions for file in version.files]:
            known = self.facts_known(file)
            if known is not None:
                lora = with_header(lora, file.ref, known.adapter)
        return lora

    def pull(
        self,
        ref: Ref,
        *,
        report: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Entry:
        """Pins `ref`, and brings its file into the library. What lies there already asks nobody."""
        entry = self.library.find_installed(ref) or self._pulled(ref, report, cancelled)
        half = self.other_half(entry.ref)
        if half is not None and self.library.find_installed(half) is None:
            self._pulled(half, report, cancelled)
        return entry

    def other_half(self, ref: Ref) -> Ref | None:
        """The file that belongs to this one, of a LoRA in two files, as far as the catalog knows."""
        try:
            return other_half(self.catalog.lora(ref), ref)
        except NotFound:
            return None

    def _pulled(
        self, ref: Ref, report: Callable[[Progress], None] | None, cancelled: Callable[[], bool] | None
    ) -> Entry:
        try:
            entry = self._fetched(ref, report, cancelled)
        except (NotFound, AccessError) as error:
            raise self.explain(error, ref) from error
        self._learn(entry)
        return entry

    def _fetched(
        self, ref: Ref, report: Callable[[Progress], None] | None, cancelled: Callable[[], bool] | None
    ) -> Entry:
        """The hub is asked about the LoRA once: what it answers pins the ref, finds the bytes and fills the entry."""
        connector = self.connector(ref.hub)
        try:
            lora = self._asked(ref)
        except (NetworkError, RateLimited) as error:
            # A pinned file may still come from a hub whose API is down. The newest version is not known then.
            if not ref.pinned:
                raise
            lora = self._remembered(ref, error)
        pinned = lora.pin(ref)
        if ref.hub == LOCAL and (held := self.library.find_installed(pinned)) is not None:
            return held
        download = connector.download(pinned, lora)
        record = record_of(self._proved(lora), pinned)

        def pull(most: int | None = None) -> Entry:
            return self.library.pull(
                download,
                record,
                on_progress=report,
                is_cancelled=cancelled,
                renew=lambda: connector.download(pinned, lora),
                most=most,
            )

        return pull() if self.room is None else self.room.pull(download, connector.label, pull)

    def _learn(self, entry: Entry) -> None:
        """What the file's header says is known from now on, also under its ref where no hub names its hash."""
        keys = facts_keys(entry.ref, entry.sha256)
        try:
            found = self._known_facts(keys) or inspect.inspect_path(self.library.path(entry))
        # It is whole and has a readable header; that is what a pull promises.
        except HubUiError:
            return
        for key in keys:
            self.catalog.remember_facts(key, found.encode())
        self._keep(entry.ref, found)

    def explain(self, error: HubUiError, ref: Ref) -> HubUiError:
        """A refused file's page, versions and bytes are no secret: what was never seen is asked about once."""
        if not isinstance(error, NotFound | AccessError):
            return error
        try:
            known = self.catalog.lora(ref)
        except NotFound:
            try:
                known = self._asked(ref.lora if ref.id else ref)
            except HubUiError:
                return error
        version = known.version(ref.version)
        file = version.find_file(ref) if version else None
        refs = self.catalog.by_sha256(file.sha256) if file and file.sha256 else ()
        return explain(error, ref, known, open_mirrors(ref, refs, self.catalog.lora))

    def enqueue(self, ref: Ref, title: str = "") -> Task:
        """Into the queue of downloads. A pinned ref goes in under the full name of its file, where that is known."""
        waiting = sum(not task.rests for task in self.queue.tasks()) if self.policy.bounds else 0
        if self.policy.bounds and waiting >= self.policy.bounds.downloads:
            raise HubUiError("Many LoRAs are being fetched for this shared page just now. Try again in some minutes.")
        try:
            record = record_of(self.catalog.lora(ref), ref)
        except NotFound:
            return self.queue.add(ref, title)
        named = record.file.ref if ref.pinned and record.file is not None else ref
        return self.queue.add(named, title or record.title)

    def _queued(self, ref: Ref, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Entry:
        """What the lock file pins may come from any hub that is known to hold the same bytes."""
        try:
            return self.pull(ref, report=report, cancelled=cancelled)
        except (NotFound, AccessError):
            entry = next((entry for entry in self.library.entries() if entry.ref == ref), None)
            if entry is None:
                raise
            mirrors, download = self.catalog.by_sha256(entry.sha256), lambda ref: self.connector(ref.hub).download(ref)
            if not pull_from_mirror(self.library, entry, mirrors, download, on_progress=report, is_cancelled=cancelled):
                raise
            return entry

    def recogniser(self, **fields: Any) -> Identifier:
        """Tells files on this disk by their bytes. Without `by_hash` among the `fields`, no hub is asked."""
        catalog = self.catalog
        return Identifier(
            entries=self.library.entries(),
            seen=catalog.by_sha256,
            lora=catalog.lora,
            inspect=lambda path, read: facts_of(path, read, catalog.facts, catalog.remember_facts),
            **fields,
        )

    def job(
        self,
        refs: Sequence[Ref | Path],
        weights: Sequence[float] = (),
        *,
        report: Callable[[Progress | Step], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        **fields: Any,
    ) -> GenerationRequest:
        """A job for the preview; `fields` are those of Job. What isn't in the library is pulled first."""
        return GenerationRequest(adapters=self.adapters(refs, weights, report=report, cancelled=cancelled), **fields)

    def planned(self, refs: Sequence[Ref | Path], weights: Sequence[float] = (), **fields: Any) -> GenerationRequest:
        """The same without any file: enough to say how long it takes, and to run it elsewhere."""
        return GenerationRequest(adapters=self._whole(refs, weights, self._planned), **fields)

    def _whole(
        self,
        refs: Sequence[Ref | Path],
        weights: Sequence[float],
        adapter: Callable[[Ref | Path, float | None], LoraInput],
    ) -> tuple[LoraInput, ...]:
        self.policy.check_bounds(loras=len(refs))
        if any(isinstance(ref, Path) or ref.hub == LOCAL for ref in refs):
            self.policy.check("use own files")
        given = [adapter(ref, weight) for ref, weight in zip(refs, spread(weights, len(refs)), strict=True)]
        return with_other_halves(given, self.other_half, adapter)

    def _planned(self, ref: Ref | Path, weight: float | None) -> LoraInput:
        if isinstance(ref, Path):
            return self._of_file(ref, weight)
        entry = self.held(ref)
        if entry is not None:
            return self._adapter(entry, weight)
        record = self._known_record(ref) or self.record(ref)
        usual = 1.0 if record.weight is None else record.weight
        return LoraInput(
            ref=record.ref if record.ref.pinned else self.connector(ref.hub).pin(ref),
            path=Path(),
            title=record.title,
            weight=usual if weight is None else weight,
            trigger_words=record.trigger_words,
            architecture=record.architecture,
            base_model=record.base_model,
        )

    def make(
        self,
        job: GenerationRequest,
        sheet: Comparison,
        *,
        place: str = "local",
        report: Callable[[Progress | Step], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> GenerationResult:
        """The pictures of a sheet, kept in the history where the policy says so."""
        generate_settings.check_policy(self.policy, place, job, images=len(sheet.cells))
        where = self.elsewhere if place == "replicate" else self.studio
        job = job if self.policy.allows("fetch bases") else replace(job, may_fetch=False)
        try:
            made = where.generate(job, sheet, on_progress=report, is_cancelled=cancelled)
        except NeedsFetching as need:
            self.policy.check("fetch bases", need.label)
            raise
        return self._kept(made) if self.policy.allows("keep history") else made

    def _kept(self, made: GenerationResult) -> GenerationResult:
        """A full disk must not cost what took minutes to draw."""
        try:
            self.history.add(made)
        except HubUiError as error:
            return replace(made, report=replace(made.report, notes=(*made.report.notes, error.message)))
        return made

    def estimate(self, job: GenerationRequest, sheet: Comparison, *, place: str = "local") -> str:
        """How long a sheet will take, and for how much money, in a sentence."""
        generate_settings.check_policy(self.policy, place, job, images=len(sheet.cells))
        if place == "replicate":
            return self.elsewhere.estimate(job, sheet).sentence
        return self.studio.estimate(job, sheet).sentence

    def runs_elsewhere(self, refs: Sequence[Ref]) -> bool:
        """Whether Replicate can run these with the key at hand: its own fine-tunes, and LoRAs for FLUX.1."""
        if not refs or not self.policy.allows("run on Replicate") or not self.settings.tokens.get("replicate"):
            return False
        records = [self._known_record(ref) for ref in refs if ref.hub != "replicate"]
        return all(record is not None and record.architecture == "flux1" for record in records)

    def usual_weight(self, ref: Ref) -> float:
        """The lock file's, else its author's, as remembered, within what the page allows; else the full effect."""
        known = self.held(ref) or self._known_record(ref)
        return 1.0 if known is None or known.weight is None else max(-1.0, min(2.0, known.weight))

    def _known_record(self, ref: Ref) -> Record | None:
        """As remembered; None for what was never seen."""
        try:
            return record_of(self.catalog.lora(ref.lora), ref)
        except NotFound:
            return None

    def adapters(
        self,
        refs: Sequence[Ref | Path],
        weights: Sequence[float] = (),
        *,
        report: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[LoraInput, ...]:
        """Files for the preview. No weights: each author's own, else 1. One weight: for all of them."""

        def adapter(ref: Ref | Path, weight: float | None) -> LoraInput:
            if isinstance(ref, Path):
                return self._of_file(ref, weight)
            return self._adapter(self.held(ref) or self.pull(ref, report=report, cancelled=cancelled), weight)

        return self._whole(refs, weights, adapter)

    def _of_file(self, path: Path, weight: float | None) -> LoraInput:
        """A file anywhere on this disk: with the words of its entry or its hub where its bytes are known."""
        return self._adapter(entry_of_file(self.recogniser().one(path), self.library.entries()), weight, path)

    def _adapter(self, entry: Entry, weight: float | None, path: Path | None = None) -> LoraInput:
        usual = 1.0 if entry.weight is None else entry.weight
        return LoraInput(
            ref=entry.ref,
            path=path or self.library.path(entry),
            title=entry.title,
            weight=usual if weight is None else weight,
            trigger_words=entry.trigger_words,
            architecture=entry.architecture,
            base_model=entry.base_model,
            sha256=entry.sha256,
        )

    def held(self, ref: Ref) -> Entry | None:
        """The entry a ref means, if its file is there. Of several that it may mean, its hub says which."""
        fitting = [entry for entry in self.library.entries() if entry.answers_to(ref)]
        if self.room is not None and fitting:
            self.room.use(fitting[0].ref)
        return fitting[0] if len(fitting) == 1 and self.library.path(fitting[0]).exists() else None

    def _asked(self, ref: Ref) -> Lora:
        lora = self.connector(ref.hub).get(ref)
        # The catalog is of the hubs: who searches it looks for what can be had there.
        if ref.hub != LOCAL:
            self.catalog.add([lora])
        return lora

    def _gone(self, ref: Ref) -> Lora:
        """What a person saw yesterday does not become a bare error today: it stays, marked as removed."""
        missing = NotFound(f"{self.connector(ref.hub).label} has no LoRA {ref} (any more).", hub=ref.hub)
        self._remembered(ref, missing)
        self.catalog.mark_removed(ref if ref.version and self._still_there(ref.lora) else ref.lora)
        return self.catalog.lora(ref)

    def _still_there(self, ref: Ref) -> bool:
        """Whether only a version is gone. A hub that can't say does not make us drop the whole."""
        try:
            self._asked(ref)
        except NotFound:
            return False
        except (NetworkError, RateLimited):
            pass
        return True

    def _remembered(self, ref: Ref, error: Exception) -> Lora:
        """Raises `error` for what was never seen. Another version than the one that `ref` names is no answer."""
        try:
            known = self.catalog.lora(ref)
        except NotFound:
            raise error from None
        if ref.version is not None and known.version(ref.version) is None:
            raise error
        return known


@contextmanager
def build(settings: Settings) -> Iterator[Services]:
    """Everything a run needs. What it opened is closed when the block ends."""
    names = FileNameTemplate.parse(settings.names) if settings.names else None
    library = Library(
        settings.library, settings.lock, manner=DownloadOptions(connections=settings.connections), names=names
    )
    with Catalog.open(settings.catalog) as catalog:
        built = Services(
            settings=settings,
            connectors=_connectors(settings),
            catalog=catalog,
            library=library,
            room=VisitorLibrary.of(library, settings.policy.bounds),
            studio=_studio(settings),
            history=History(settings.home / "pictures"),
        )
        try:
            yield built
        finally:
            built.queue.stop()


def _connectors(settings: Settings) -> tuple[Connector, ...]:
    built = connectors.build(settings.endpoints, settings.tokens)
    return built if settings.policy.allows("use keys") else tuple(VisitorConnector(each) for each in built)


def _studio(settings: Settings) -> Engine:
    source = Source(endpoint=settings.endpoints["huggingface"], token=settings.tokens.get("huggingface"), cache=None)
    return Engine(source, timings=settings.home / "timings.json")
