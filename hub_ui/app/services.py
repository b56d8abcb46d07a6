"""The object graph of the app, which the commands and the pages build once and pass down."""

import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from types import MappingProxyType

import connectors
from connectors.connector import Connector
from connectors.errors import HubUiError, UsageError, suggestion
from connectors.guard import ANSWER_SECONDS, GuardedConnector, HubGuard
from connectors.http.adapter import restrict_requests
from connectors.http.session import Endpoint
from connectors.ref import LOCAL, HubName
from hub_ui.access.quotas import DUPLICATE, OWN_COMPUTER, PREFIX, Quotas
from hub_ui.access.visitor import VisitorKeys, Visitors, asker, owner
from hub_ui.app.downloads import Downloads
from hub_ui.app.generation import Backend, DeferredBackend, Generation
from hub_ui.app.hosting.connector import VisitorCatalog, VisitorConnector
from hub_ui.app.hosting.downloads import SessionLibraries, VisitorDownloads, read_shared_lock
from hub_ui.app.hosting.lora_cache import LoraCache
from hub_ui.app.lookup import Lookup, read_facts
from hub_ui.app.metrics import Metrics
from hub_ui.app.news import SearchFile
from hub_ui.base.lifecycle import Lifecycle
from hub_ui.catalog.catalog import Catalog
from hub_ui.generate.backends.replicate import ReplicateBackend
from hub_ui.generate.base_models import BASES, base_by_id
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.estimate import TIMINGS
from hub_ui.images.history import History, Uses
from hub_ui.images.media_store import MediaStore
from hub_ui.library.annotations import Annotations
from hub_ui.library.download.queue import Queue
from hub_ui.library.download.transfer import DownloadOptions
from hub_ui.library.file_names import DEFAULT, FileNameTemplate
from hub_ui.library.index import LibraryIndex
from hub_ui.library.library import Library
from hub_ui.library.search import LibrarySearch
from hub_ui.library.upkeep.changes import Changes
from hub_ui.library.upkeep.collections import Collections
from hub_ui.library.upkeep.identify import OwnFiles
from hub_ui.library.upkeep.outdated import UpdateRules
from hub_ui.settings import Settings
from hub_ui.settings.saved_settings import use_proxy


class Services:
    """All objects that a run needs. `replicate` is the paid API, with the key of this person."""

    def __init__(
        self,
        settings: Settings,
        hubs: Sequence[Connector],
        catalog: Catalog,
        guards: Mapping[HubName, HubGuard] = MappingProxyType({}),
        metrics: Metrics | None = None,
    ) -> None:
        """Build everything. `guards` are the guards of `hubs`, by hub."""
        home, self.settings, self.policy = settings.home, settings, settings.policy
        self.connectors, self.catalog = tuple(hubs), catalog
        self.metrics, self.lifecycle = metrics or Metrics(), Lifecycle(settings.stop_seconds)
        self.visitors = Visitors(can_sign_in=settings.sign_in, trusts_proxy=settings.trusts_proxy)
        advice = DUPLICATE if settings.space else OWN_COMPUTER
        self.quotas = Quotas(settings.limits, advice=advice, report=self.metrics.count_refusal)
        names = FileNameTemplate.parse(settings.names or DEFAULT)
        options = DownloadOptions(connections=settings.connections)
        self.library = Library(
            settings.library, settings.lock, options=options, names=names, inspect=partial(read_facts, catalog)
        )
        self.annotations = Annotations(home / "annotations.sqlite")
        self.lookup = Lookup(
            connectors=self.connectors, catalog=catalog, library=self.library, annotations=self.annotations,
            policy=self.policy, guards=guards, metrics=self.metrics, quotas=self.quotas,
        )  # fmt: skip
        self.library_index = LibraryIndex(self.library, catalog, self.annotations)
        self.library_search = LibrarySearch(self.library_index)
        self.changes = Changes(self.library, self.annotations)
        # If the disk is read-only now, the next change finishes the interrupted one.
        with suppress(HubUiError):
            self.changes.finish()
        self.update_rules = UpdateRules(home / "update_rules.sqlite")
        self.collections = Collections(home / "collections")
        self.searches = SearchFile(path=home / "searches.json")
        self.own_files = OwnFiles(self.library)
        self.visitor_downloads = None if self.policy.allows("pull") else self._visitor_downloads(options)
        self.downloads = self.visitor_downloads or Downloads(
            settings=settings, lookup=self.lookup, lifecycle=self.lifecycle
        )
        self.history = History(home / "pictures")
        self.uses = Uses(self.history)
        self.media = MediaStore(home / "hub-images", settings.media_budget)
        self.metrics.caches.labels("images").set_function(self.media.size)
        self.metrics.caches.labels("loras").set_function(self.downloads.size)
        self.replicate = Endpoint(hub="replicate", url=settings.endpoints["replicate"], keys=settings.tokens)
        self.generation = self._generation()

    @property
    def queue(self) -> Queue:
        return self.downloads.queue

    def _visitor_downloads(self, options: DownloadOptions) -> VisitorDownloads:
        """Build the downloads of a hosted page, on which each visitor has a separate library."""
        settings, limits = self.settings, self.settings.limits
        cache = LoraCache(
            settings.home / "lora-cache",
            most=limits.cache_bytes,
            largest=limits.lora_bytes,
            at_once=limits.downloads,
            options=options,
        )
        sessions = SessionLibraries(shared=read_shared_lock(settings.shared_lock))
        return VisitorDownloads(
            settings=settings, lookup=self.lookup, lifecycle=self.lifecycle, cache=cache, sessions=sessions
        )

    def _generation(self) -> Generation:
        settings, lookup = self.settings, self.lookup
        for name in settings.limits.bases:
            if base_by_id(name) is None:
                near = suggestion(name, [base.id for base in BASES])
                raise UsageError(
                    f"{PREFIX}BASES: {name} is none of the base models of docs/base-models.md.{near} Mend it."
                )
        return Generation(
            downloads=self.downloads,
            local=DeferredBackend(lambda: build_backend(settings)),
            replicate=ReplicateBackend(
                self.replicate, access=lambda ref: "open" if ref.hub == LOCAL else lookup.record(ref).access
            ),
            history=self.history,
            unfinished=settings.home / "pictures" / "unfinished",
        )

    def close(self) -> None:
        self.queue.stop()
        self.downloads.close()
        self.generation.close()
        self.annotations.close()
        self.update_rules.close()


@contextmanager
def build(settings: Settings) -> Iterator[Services]:
    """Build the services, and close them and the catalog when the block ends."""
    uses_keys = settings.policy.allows("use keys")
    kind = Catalog if uses_keys else VisitorCatalog
    only = None if settings.policy.allows("ask other hosts") else settings.destinations
    with (
        use_proxy(settings.proxy),
        restrict_requests(only),
        kind.open(settings.catalog, settings.database) as catalog,
    ):
        metrics = Metrics()
        guards = {hub: build_guard(settings, hub, metrics) for hub in settings.endpoints}
        with closing(Services(settings, build_hubs(settings, guards), catalog, guards, metrics)) as services:
            yield services


def build_hubs(settings: Settings, guards: Mapping[HubName, HubGuard]) -> tuple[Connector, ...]:
    uses_keys, shared = settings.policy.allows("use keys"), settings.shared_keys
    keys = settings.tokens if uses_keys else VisitorKeys(shared.keys)
    hubs = tuple(GuardedConnector(hub, guards[hub.name]) for hub in connectors.build(settings.endpoints, keys))
    return hubs if uses_keys else tuple(VisitorConnector(hub, shared) for hub in hubs)


def build_guard(settings: Settings, hub: HubName, metrics: Metrics) -> HubGuard:
    """Build the guard of one hub, which all sessions of a page share."""
    guard = HubGuard(
        hub,
        rate=settings.rate(hub),
        seconds=ANSWER_SECONDS,
        asker=partial(owner, settings.tokens) if settings.policy.allows("use keys") else asker,
        report=metrics.count_hub_request,
    )
    metrics.watch_breaker(hub, guard.breaker)
    return guard


def build_backend(settings: Settings) -> Backend:
    """Build the backend for every generation that does not run on Replicate."""
    timings = settings.home / TIMINGS
    if settings.workers:
        return _backend("backends.cluster.backend:ClusterBackend", settings.workers)
    source = Source(endpoint=settings.endpoints["huggingface"], keys=settings.tokens, cache=None)
    if settings.zero_gpu:
        return _backend("backends.zero_gpu:build", source, timings, settings.limits.bases)
    return _backend("engine:Engine", source, timings)


def _backend(name: str, *arguments: object) -> Backend:
    """Build a backend of hub_ui.generate. Import it only here, because the import is slow."""
    backend: Backend = pkgutil.resolve_name(f"hub_ui.generate.{name}")(*arguments)
    return backend
