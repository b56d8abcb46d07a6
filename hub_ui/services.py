"""The object graph: everything that a run needs, built once and passed down."""

import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import connectors
from connectors.connector import Connector
from connectors.errors import HubUiError, UsageError, suggestion
from connectors.guard import ANSWER_SECONDS, GuardedConnector, HubGuard
from connectors.http.adapter import restrict_requests
from connectors.http.session import Endpoint
from connectors.ref import LOCAL, HubName
from hub_ui.catalog.catalog import Catalog
from hub_ui.downloads import Downloads
from hub_ui.generate.base_models import BASES, base_by_id
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.estimate import TIMINGS
from hub_ui.generate.replicate import ReplicateBackend
from hub_ui.generation import Backend, DeferredBackend, Generation
from hub_ui.hosting.connector import VisitorCatalog, VisitorConnector
from hub_ui.hosting.downloads import SessionLibraries, VisitorDownloads, read_shared_lock
from hub_ui.hosting.limits import DUPLICATE, OWN_COMPUTER, PREFIX, Quotas
from hub_ui.hosting.lora_cache import LoraCache
from hub_ui.hosting.visitor import VisitorKeys, Visitors, asker, owner
from hub_ui.images.history import History, Uses
from hub_ui.images.media_store import MediaStore
from hub_ui.library.annotations import Annotations
from hub_ui.library.changes import Changes
from hub_ui.library.collections import Collections
from hub_ui.library.download import DownloadOptions
from hub_ui.library.file_names import FileNameTemplate
from hub_ui.library.identify import OwnFiles
from hub_ui.library.index import LibraryIndex
from hub_ui.library.library import Library
from hub_ui.library.outdated import UpdateRules
from hub_ui.library.queue import Queue
from hub_ui.library.search import LibrarySearch
from hub_ui.lifecycle import Lifecycle
from hub_ui.lookup import Lookup
from hub_ui.metrics import Metrics
from hub_ui.news import SearchFile
from hub_ui.settings import Policy, Settings
from hub_ui.settings.saved_settings import use_proxy


@dataclass(frozen=True, kw_only=True)
class Services:
    """`replicate` is where things run for money, with this person's key."""

    settings: Settings
    connectors: tuple[Connector, ...]
    catalog: Catalog
    library: Library
    changes: Changes
    annotations: Annotations
    library_index: LibraryIndex
    library_search: LibrarySearch
    update_rules: UpdateRules
    collections: Collections
    searches: SearchFile
    own_files: OwnFiles
    history: History
    uses: Uses
    media: MediaStore
    lookup: Lookup
    downloads: Downloads
    generation: Generation
    replicate: Endpoint
    visitors: Visitors
    quotas: Quotas
    metrics: Metrics
    lifecycle: Lifecycle

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    @property
    def visitor_downloads(self) -> VisitorDownloads | None:
        """Those of a hosted page, where each visitor has a library of their own."""
        return self.downloads if isinstance(self.downloads, VisitorDownloads) else None

    @property
    def queue(self) -> Queue:
        return self.downloads.queue


@contextmanager
def build(settings: Settings) -> Iterator[Services]:
    """Everything a run needs. What it opened is closed when the block ends."""
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
        services = connect(settings, build_hubs(settings, guards), catalog, guards, metrics)
        try:
            yield services
        finally:
            services.queue.stop()
            services.downloads.close()
            services.generation.close()
            services.annotations.close()
            services.update_rules.close()


def build_hubs(settings: Settings, guards: Mapping[HubName, HubGuard]) -> tuple[Connector, ...]:
    uses_keys, shared = settings.policy.allows("use keys"), settings.shared_keys
    keys = settings.tokens if uses_keys else VisitorKeys(shared.keys)
    hubs = tuple(GuardedConnector(hub, guards[hub.name]) for hub in connectors.build(settings.endpoints, keys))
    return hubs if uses_keys else tuple(VisitorConnector(hub, shared) for hub in hubs)


def build_guard(settings: Settings, hub: HubName, metrics: Metrics) -> HubGuard:
    """All sessions of a page share it."""
    guard = HubGuard(
        hub,
        rate=settings.rate(hub),
        seconds=ANSWER_SECONDS,
        asker=partial(owner, settings.tokens) if settings.policy.allows("use keys") else asker,
        report=metrics.count_hub_request,
    )
    metrics.watch_breaker(hub, guard.breaker)
    return guard


def connect(
    settings: Settings,
    hubs: Sequence[Connector],
    catalog: Catalog,
    guards: Mapping[HubName, HubGuard] = MappingProxyType({}),
    metrics: Metrics | None = None,
) -> Services:
    """`guards` are those that stand before `hubs`."""
    metrics, lifecycle = metrics or Metrics(), Lifecycle(settings.stop_seconds)
    lookup = build_lookup(settings, hubs, catalog, guards, metrics)
    library, annotations = lookup.library, lookup.annotations
    library_index = LibraryIndex(library, catalog, annotations)
    changes = Changes(library, annotations)
    # What can't be ended now, on a disk that can't be written, is ended by the next change.
    with suppress(HubUiError):
        changes.finish()
    downloads = build_downloads(settings, lookup, lifecycle)
    history = History(settings.home / "pictures")
    url, keys = settings.endpoints["replicate"], settings.tokens
    replicate = Endpoint(hub="replicate", url=url, keys=keys)
    generation = build_generation(downloads, history, replicate)
    return Services(
        settings=settings,
        connectors=lookup.connectors,
        catalog=catalog,
        library=library,
        changes=changes,
        annotations=annotations,
        library_index=library_index,
        library_search=LibrarySearch(library_index),
        update_rules=UpdateRules(settings.home / "update_rules.sqlite"),
        collections=Collections(settings.home / "collections"),
        searches=SearchFile(path=settings.home / "searches.json"),
        own_files=OwnFiles(library),
        history=history,
        uses=Uses(history),
        media=build_media(settings, downloads, metrics),
        lookup=lookup,
        downloads=downloads,
        generation=generation,
        replicate=replicate,
        quotas=lookup.quotas,
        visitors=Visitors(can_sign_in=settings.sign_in, trusts_proxy=settings.trusts_proxy),
        metrics=metrics,
        lifecycle=lifecycle,
    )


def build_lookup(
    settings: Settings,
    hubs: Sequence[Connector],
    catalog: Catalog,
    guards: Mapping[HubName, HubGuard],
    metrics: Metrics,
) -> Lookup:
    advice = DUPLICATE if settings.space else OWN_COMPUTER
    return Lookup(
        connectors=tuple(hubs),
        catalog=catalog,
        library=open_library(settings),
        annotations=Annotations(settings.annotations),
        policy=settings.policy,
        guards=guards,
        metrics=metrics,
        quotas=Quotas(settings.limits, advice=advice, report=metrics.count_refusal),
    )


def build_media(settings: Settings, downloads: Downloads, metrics: Metrics) -> MediaStore:
    """The images of hubs. What is kept of them, and of LoRAs, is measured."""
    media = MediaStore(settings.home / "hub-images", settings.media_budget)
    metrics.caches.labels("images").set_function(media.size)
    metrics.caches.labels("loras").set_function(downloads.size)
    return media


def open_library(settings: Settings) -> Library:
    names = FileNameTemplate.parse(settings.names) if settings.names else None
    options = DownloadOptions(connections=settings.connections)
    return Library(settings.library, settings.lock, options=options, names=names)


def build_downloads(settings: Settings, lookup: Lookup, lifecycle: Lifecycle) -> Downloads:
    if settings.policy.allows("pull"):
        return Downloads(settings=settings, lookup=lookup, lifecycle=lifecycle)
    limits = settings.limits
    cache = LoraCache(
        settings.home / "lora-cache",
        most=limits.cache_bytes,
        largest=limits.lora_bytes,
        at_once=limits.downloads,
        options=DownloadOptions(connections=settings.connections),
    )
    sessions = SessionLibraries(shared=read_shared_lock(settings.shared_lock))
    return VisitorDownloads(settings=settings, lookup=lookup, lifecycle=lifecycle, cache=cache, sessions=sessions)


def build_generation(downloads: Downloads, history: History, replicate: Endpoint) -> Generation:
    settings, lookup = downloads.settings, downloads.lookup
    for name in settings.limits.bases:
        if base_by_id(name) is None:
            near = suggestion(name, [base.id for base in BASES])
            raise UsageError(f"{PREFIX}BASES: {name} is none of the base models of docs/base-models.md.{near} Mend it.")
    return Generation(
        downloads=downloads,
        local=DeferredBackend(lambda: build_backend(settings)),
        replicate=ReplicateBackend(
            replicate, access=lambda ref: "open" if ref.hub == LOCAL else lookup.record(ref).access
        ),
        history=history,
        unfinished=settings.home / "pictures" / "unfinished",
    )


def build_backend(settings: Settings) -> Backend:
    """Where images are generated that are not Replicate's."""
    timings = settings.home / TIMINGS
    if settings.workers:
        return _backend("cluster.backend:ClusterBackend", settings.workers)
    source = Source(endpoint=settings.endpoints["huggingface"], keys=settings.tokens, cache=None)
    if settings.zero_gpu:
        return _backend("generate.zero_gpu:build", source, timings, settings.limits.bases)
    return _backend("generate.engine:Engine", source, timings)


def _backend(name: str, *arguments: object) -> Backend:
    """One by its name below hub_ui: most commands need none, and it takes long to import."""
    backend: Backend = pkgutil.resolve_name(f"hub_ui.{name}")(*arguments)
    return backend
