"""Downloads of a hosted page, into a cache that all visitors share.

Each visitor has a library in memory, which is deleted when the visit ends. Every download is checked against the
visitor's right to have the file.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlencode

from cachetools import LRUCache

from connectors.claims.resolve import record_of
from connectors.connector import Download, HttpDownload, over_http
from connectors.errors import HubUiError, NetworkError, NotFound, RateLimited, UsageError
from connectors.http.adapter import file_http
from connectors.http.ranges import Range, RangedSource
from connectors.record import Record
from connectors.ref import Ref
from connectors.registry import HUBS
from hub_ui.access.visitor import current_visitor
from hub_ui.app.downloads import Downloads, check_scan
from hub_ui.app.hosting.connector import VisitorConnector, refusals_for_visitors
from hub_ui.app.hosting.lora_cache import LoraCache
from hub_ui.base.i18n import _
from hub_ui.library import lockfile
from hub_ui.library.download.partial_file import Meter
from hub_ui.library.download.transfer import check_first_bytes
from hub_ui.library.file_names import free_path, target
from hub_ui.library.library import Locate, source_of
from hub_ui.library.lockfile import Entry, entry_about

MOST_ENTRIES = 200


@dataclass(frozen=True, kw_only=True)
class SessionEntry:
    """An entry of a visitor's library, and the right that opened its file: "anyone", "owner" or "visitor".

    `is_shared` is set for entries of the operator's lock file.
    """

    entry: Entry
    right: str = "anyone"
    is_shared: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionLibraries:
    """The libraries of all visitors. Each method works on the library of the current visitor. Thread-safe.

    `shared` are the entries of the operator's lock file.
    """

    shared: tuple[Entry, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self) -> tuple[SessionEntry, ...]:
        """Return the visitor's entries, newest first, and then the other entries of the operator's lock file."""
        with self._lock:
            items = tuple(reversed(self._visitor_items().values()))
        refs = {item.entry.ref for item in items}
        return items + tuple(
            SessionEntry(entry=entry, is_shared=True) for entry in self.shared if entry.ref not in refs
        )

    def find(self, ref: Ref) -> SessionEntry | None:
        """Return the visitor's entry that `ref` matches. Return None if there is none, or more than one."""
        with self._lock:
            matches = [item for item in self._visitor_items().values() if item.entry.answers_to(ref)]
        return matches[0] if len(matches) == 1 else None

    def holds(self, ref: Ref) -> bool:
        return any(item.entry.answers_to(ref) for item in self.entries())

    def add(self, entry: Entry, right: str) -> Entry:
        """Store and return the entry, with a unique file name. Drop the oldest entries beyond MOST_ENTRIES."""
        with self._lock:
            items = self._visitor_items()
            items.pop(entry.ref, None)
            taken = [item.entry.file for item in items.values()] + [shared.file for shared in self.shared]
            entry = replace(entry, file=free_path(entry.file, entry.ref, taken))
            items[entry.ref] = SessionEntry(entry=entry, right=right)
            while len(items) > MOST_ENTRIES:
                del items[next(iter(items))]
        return entry

    def remove(self, ref: Ref) -> None:
        with self._lock:
            if self._visitor_items().pop(ref, None) is None:
                raise NotFound(_("This LoRA is not in your library any more. Load the page again."), hub=ref.hub)

    def lock_text(self) -> str:
        """Return the library as a lock file, so that `hub-ui sync` can download it on another computer."""
        return lockfile.dumps(item.entry for item in self.entries())

    def _visitor_items(self) -> dict[Ref, SessionEntry]:
        visitor = current_visitor()
        return {} if visitor is None else visitor.tried


def read_shared_lock(path: Path | None) -> tuple[Entry, ...]:
    """Read the entries of the operator's lock file; no path means no entries.

    Raise LockError if it is invalid, and UsageError if it can't be read or an entry has no source.
    """
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"HUB_UI_SHARED_LOCK: {path} can't be read ({error}). Name a lock file, or unset it."
        ) from error
    entries = lockfile.loads(text, path.name)
    local = next((entry.title for entry in entries if not entry.source), None)
    if local is not None:
        raise UsageError(f"HUB_UI_SHARED_LOCK: no hub has “{local}” of {path.name}. Take it out of that file.")
    return entries


MOST_OPEN = 10_000
# See web/visit/__init__.py.
FILE_PATH, LOCK_PATH = "visit/file", "visit/loras.lock"


@dataclass(kw_only=True, eq=False, repr=False)
class VisitorDownloads(Downloads):
    """Downloads for visitors, each with a library of their own.

    The `queue` is unused, because a file is downloaded when a visitor generates with it.
    """

    cache: LoraCache
    sessions: SessionLibraries

    def __post_init__(self) -> None:
        super().__post_init__()
        self._find_file, self._fetch = self._find_own_file, self._fetch_for_visitor
        # The sha256 of each file that this process has downloaded without a key.
        self._open: LRUCache[str, None] = LRUCache(MOST_OPEN)
        self._lock = threading.Lock()

    def holds(self, ref: Ref) -> bool:
        return self.sessions.holds(ref)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(item.entry for item in self.sessions.entries())

    def path(self, entry: Entry) -> Path:
        item = self.sessions.find(entry.ref)
        path = self.cache.find(entry.sha256, shared=is_shared(item.right if item else "anyone"))
        if path is None:
            raise UsageError(_("The file is no longer on this page's disk. Try the LoRA again."))
        return path

    @contextmanager
    def hold(self, paths: Iterable[Path]) -> Iterator[None]:
        with self.cache.hold(paths):
            yield

    def size(self) -> int:
        return self.cache.total_bytes()

    def close(self) -> None:
        self.cache.close()

    def find_installed(self, ref: Ref) -> Entry | None:
        """Return the visitor's entry for `ref` if its file is cached and the visitor may still use it."""
        copies = [] if self.sessions.holds(ref) else self.entries_of_copies(ref, self.entries())
        item = self.sessions.find(copies[0].ref if copies else ref)
        return item.entry if item is not None and self._may_use(item) else None

    def find_listed(self, ref: Ref) -> Entry | None:
        item = self.sessions.find(ref)
        return item.entry if item is not None else None

    def check_access(self, ref: Ref) -> str:
        """Return the right that opens a pinned file: "anyone", "owner" or "visitor". Raise the hub's refusal."""
        hub = self.lookup.connector(ref.hub)
        return hub.check_access(ref) if isinstance(hub, VisitorConnector) else "anyone"

    def locate(self, ref: Ref) -> tuple[Entry, HttpDownload, str]:
        """Return an entry for the file, its download, and the right that opens it.

        The sha256 is empty if the hub does not publish it. Raise the hub's error or refusal.
        """
        hub = self.lookup.connector(ref.hub)
        lora = self.lookup.get(ref)
        pinned = lora.pin(ref)
        self.lookup.check_answers(ref)
        download = over_http(hub.download(pinned, lora))
        record = record_of(self.lookup.with_known_headers(lora), pinned)
        check_scan(record)
        sha256 = download.sha256 or (record.file.sha256 if record.file else None) or ""
        size = download.size or (record.file.size if record.file else None) or 0
        return entry_of(download, record, sha256.lower(), size), download, self.check_access(download.ref)

    def add(self, ref: Ref) -> Entry:
        """Add a LoRA to the visitor's library without downloading its file.

        Raise UsageError if the hub does not publish its hash and size, or the hub's error.
        """
        entry, _download, right = self.locate(ref)
        if not entry.sha256 or not entry.size:
            raise UsageError(_("Its hub tells no hash of the file, so only a download can pin it. Try it first."))
        return self.sessions.add(entry, right)

    def link(self, ref: Ref, *, is_open: bool) -> str:
        """Return the URL of a file for a browser: on its hub if anyone may download it, otherwise on this page."""
        hub = self.lookup.connector(ref.hub)
        if is_open and ref.is_pinned and isinstance(hub, VisitorConnector) and not HUBS[ref.hub].needs_key:
            return source_of(hub.address(ref))
        return f"{FILE_PATH}?{urlencode({'ref': str(ref)})}"

    def _may_use(self, item: SessionEntry) -> bool:
        try:
            right = item.right if item.right == "anyone" else self.check_access(item.entry.ref)
        except HubUiError:
            return False
        return self.cache.find(item.entry.sha256, shared=is_shared(right)) is not None

    def _find_own_file(self, ref: Ref) -> Entry | None:
        entry = self.find_installed(ref) if ref.is_pinned else None
        return entry if entry is not None and entry.ref == ref else None

    def _fetch_for_visitor(self, locate: Locate, record: Record, meter: Meter) -> Entry:
        """Fetch a file from the cache or the hub, after the hub has confirmed that this visitor may have it.

        If the hub is down, use a cached file that this process has downloaded without a key.
        """
        try:
            self.lookup.check_answers(record.ref)
            download = over_http(locate())
            right = self.check_access(download.ref)
        except (NetworkError, RateLimited):
            entry = self._find_open(record)
            if entry is None:
                raise
            return self.sessions.add(entry, "anyone")
        with refusals_for_visitors(download.ref.hub):
            fetched = self.cache.fetch(
                download,
                meter,
                shared=is_shared(right),
                renew=lambda: over_http(locate()),
                before=lambda size: self.lookup.quotas.spend("bytes", size),
            )
        if right == "anyone":
            with self._lock:
                self._open[fetched.sha256] = None
        return self.sessions.add(entry_of(download, record, fetched.sha256, fetched.size), right)

    def _find_open(self, record: Record) -> Entry | None:
        """Return an entry for the cached file of an open LoRA, if this process has downloaded it without a key."""
        hub, file = self.lookup.connector(record.hub), record.file
        if file is None or file.sha256 is None or record.access != "open" or not isinstance(hub, VisitorConnector):
            return None
        with self._lock:
            is_open = file.sha256 in self._open
        # If a key may be used, the hub may have refused the request without a key before it failed.
        path = self.cache.find(file.sha256) if is_open and hub.is_anonymous(file.ref) else None
        if path is None:
            return None
        return entry_of(replace(hub.address(file.ref), name=file.name), record, file.sha256, path.stat().st_size)


def is_shared(right: str) -> bool:
    """Check whether all visitors may use a file that this right opened."""
    return right != "visitor"


def entry_of(download: Download, record: Record, sha256: str, size: int) -> Entry:
    file, source = target(record, download.ref, download.name), source_of(download)
    return entry_about(record, ref=download.ref, file=file, size=size, sha256=sha256, source=source)


def deliver(downloads: VisitorDownloads, ref: Ref) -> tuple[str, Path | Iterator[bytes], int | None]:
    """Return the name of a weight file, its cached path or else its bytes streamed from the hub, and its size.

    The size is None if the hub does not send it. The bytes count towards the visitor's quota. Raise the hub's refusal
    or LimitReached before the first byte.
    """
    entry, download, right = downloads.locate(ref)
    name = PurePosixPath(entry.file).name
    path = downloads.cache.find(entry.sha256, shared=is_shared(right)) if entry.sha256 else None
    if path is None and download.in_tar:
        # The position of the file inside the tar is unknown until the tar has been read.
        fetched = downloads.cache.fetch(download, shared=is_shared(right))
        path = downloads.cache.find(fetched.sha256, shared=is_shared(right))
    if path is not None:
        size = path.stat().st_size
        downloads.lookup.quotas.spend("bytes", size)
        return name, path, size
    with refusals_for_visitors(ref.hub), ExitStack() as undo:
        source = RangedSource.of(download)
        answer = source.open(undo.enter_context(file_http(retry_reads=False)), Range())
        undo.callback(answer.response.close)
        reported_size = answer.total if answer.total is not None else download.size
        size = downloads.cache.largest if reported_size is None else reported_size
        downloads.cache.check_size(size)
        downloads.lookup.quotas.spend("bytes", size)
        # Read the first bytes now, so that a web page sent instead of the file raises an error here.
        chunks = check_first_bytes(source.chunks(answer, most=downloads.cache.largest))
        return name, _stream(next(chunks), chunks, undo.pop_all()), answer.total


def _stream(head: bytes, chunks: Iterator[bytes], connection: ExitStack) -> Iterator[bytes]:
    with connection:
        yield head
        yield from chunks
