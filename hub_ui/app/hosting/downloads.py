"""Downloads of a hosted page: into the cache that all visitors share, with the right of the one who asks.

What a visitor has tried or added is a list of their own, in memory, and gone with their visit.
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
    """`right` is whose right opened it: "anyone", "owner" or "visitor". `is_shared`: the operator's lock has it."""

    entry: Entry
    right: str = "anyone"
    is_shared: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionLibraries:
    """Any thread may call any method; each is about the present visitor. `shared` is the operator's lock."""

    shared: tuple[Entry, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self) -> tuple[SessionEntry, ...]:
        """The visitor's, the last one first, then those of the operator's lock."""
        with self._lock:
            own = tuple(reversed(self._own().values()))
        refs = {item.entry.ref for item in own}
        return own + tuple(SessionEntry(entry=entry, is_shared=True) for entry in self.shared if entry.ref not in refs)

    def find(self, ref: Ref) -> SessionEntry | None:
        """The visitor's own entry that `ref` means; None of several."""
        with self._lock:
            found = [item for item in self._own().values() if item.entry.answers_to(ref)]
        return found[0] if len(found) == 1 else None

    def holds(self, ref: Ref) -> bool:
        return any(item.entry.answers_to(ref) for item in self.entries())

    def add(self, entry: Entry, right: str) -> Entry:
        """With a file name that no other entry has. The oldest one goes where there are too many."""
        with self._lock:
            own = self._own()
            own.pop(entry.ref, None)
            taken = [item.entry.file for item in own.values()] + [shared.file for shared in self.shared]
            entry = replace(entry, file=free_path(entry.file, entry.ref, taken))
            own[entry.ref] = SessionEntry(entry=entry, right=right)
            while len(own) > MOST_ENTRIES:
                del own[next(iter(own))]
        return entry

    def remove(self, ref: Ref) -> None:
        with self._lock:
            if self._own().pop(ref, None) is None:
                raise NotFound(_("This LoRA is not in your library any more. Load the page again."), hub=ref.hub)

    def lock_text(self) -> str:
        """As a lock file, which `hub-ui sync` brings to another computer."""
        return lockfile.dumps(item.entry for item in self.entries())

    def _own(self) -> dict[Ref, SessionEntry]:
        visitor = current_visitor()
        return {} if visitor is None else visitor.tried


def read_shared_lock(path: Path | None) -> tuple[Entry, ...]:
    """Raises LockError, and UsageError for a file that visitors could get nowhere."""
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"HUB_UI_SHARED_LOCK: {path} can't be read ({error}). Name a lock file, or unset it."
        ) from error
    entries = lockfile.loads(text, path.name)
    without = next((entry.title for entry in entries if not entry.source), None)
    if without is not None:
        raise UsageError(f"HUB_UI_SHARED_LOCK: no hub has “{without}” of {path.name}. Take it out of that file.")
    return entries


MOST_OPEN = 10_000
# See web/visit/__init__.py.
FILE_PATH, LOCK_PATH = "visit/file", "visit/loras.lock"


@dataclass(kw_only=True, eq=False, repr=False)
class VisitorDownloads(Downloads):
    """The library is the visitor's own list. Its `queue` is not used: a file comes with what needs it."""

    cache: LoraCache
    sessions: SessionLibraries

    def __post_init__(self) -> None:
        super().__post_init__()
        self._find_file, self._fetch = self._find_own_file, self._fetch_for_visitor
        # By sha256: files that a hub gave to anyone while this process ran.
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
        """What this visitor has tried, as long as they may have it and the file is still there."""
        elsewhere = [] if self.sessions.holds(ref) else self.of_other_homes(ref, self.entries())
        item = self.sessions.find(elsewhere[0].ref if elsewhere else ref)
        return item.entry if item is not None and self._may_use(item) else None

    def find_listed(self, ref: Ref) -> Entry | None:
        item = self.sessions.find(ref)
        return item.entry if item is not None else None

    def check_access(self, ref: Ref) -> str:
        """Whose right opens a pinned file: "anyone", "owner" or "visitor". Raises the hub's refusal."""
        hub = self.lookup.connector(ref.hub)
        return hub.check_access(ref) if isinstance(hub, VisitorConnector) else "anyone"

    def locate(self, ref: Ref) -> tuple[Entry, HttpDownload, str]:
        """An entry for the file, where it is, and whose right opens it. Its sha256 is empty where no hub tells it.

        Raises the hub's error, and its refusal.
        """
        hub = self.lookup.connector(ref.hub)
        lora = self.lookup.get(ref)
        pinned = lora.pin(ref)
        self.lookup.check_answers(ref)
        found = over_http(hub.download(pinned, lora))
        record = record_of(self.lookup.with_known_headers(lora), pinned)
        check_scan(record)
        sha256 = found.sha256 or (record.file.sha256 if record.file else None) or ""
        size = found.size or (record.file.size if record.file else None) or 0
        return entry_of(found, record, sha256.lower(), size), found, self.check_access(found.ref)

    def add(self, ref: Ref) -> Entry:
        """Puts a LoRA into the visitor's list without its file. Raises the hub's error."""
        entry, _found, right = self.locate(ref)
        if not entry.sha256 or not entry.size:
            raise UsageError(_("Its hub tells no hash of the file, so only a download can pin it. Try it first."))
        return self.sessions.add(entry, right)

    def link(self, ref: Ref, *, is_open: bool) -> str:
        """Where a browser gets a file: from its hub, pinned, or through this page, with the visitor's right."""
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
        found = self.find_installed(ref) if ref.is_pinned else None
        return found if found is not None and found.ref == ref else None

    def _fetch_for_visitor(self, locate: Locate, record: Record, meter: Meter) -> Entry:
        """The hub has answered where the file is, so that this visitor may have it, wherever it then comes from.

        A hub that does not answer has refused nobody: what it gave to anyone before comes from the cache then.
        """
        try:
            self.lookup.check_answers(record.ref)
            found = over_http(locate())
            right = self.check_access(found.ref)
        except (NetworkError, RateLimited):
            entry = self._find_open(record)
            if entry is None:
                raise
            return self.sessions.add(entry, "anyone")
        with refusals_for_visitors(found.ref.hub):
            fetched = self.cache.fetch(
                found,
                meter,
                shared=is_shared(right),
                renew=lambda: over_http(locate()),
                before=lambda size: self.lookup.quotas.spend("bytes", size),
            )
        if right == "anyone":
            with self._lock:
                self._open[fetched.sha256] = None
        return self.sessions.add(entry_of(found, record, fetched.sha256, fetched.size), right)

    def _find_open(self, record: Record) -> Entry | None:
        """The file of a LoRA that its hub last called open, if this process has had it for anyone."""
        hub, file = self.lookup.connector(record.hub), record.file
        if file is None or file.sha256 is None or record.access != "open" or not isinstance(hub, VisitorConnector):
            return None
        with self._lock:
            is_open = file.sha256 in self._open
        # With a key, the hub may have refused the file to anyone before it failed.
        path = self.cache.find(file.sha256) if is_open and hub.asks_as_anyone(file.ref) else None
        if path is None:
            return None
        return entry_of(replace(hub.address(file.ref), name=file.name), record, file.sha256, path.stat().st_size)


def is_shared(right: str) -> bool:
    """What only a visitor's own right opens is not for the others."""
    return right != "visitor"


def entry_of(found: Download, record: Record, sha256: str, size: int) -> Entry:
    file, source = target(record, found.ref, found.name), source_of(found)
    return entry_about(record, ref=found.ref, file=file, size=size, sha256=sha256, source=source)


def deliver(downloads: VisitorDownloads, ref: Ref) -> tuple[str, Path | Iterator[bytes], int | None]:
    """A weight file on its way through the page to who asks for it, with their right: its name, the file on
    this disk or else its bytes as the hub sends them, and their number.

    Counts its bytes. Raises the hub's refusal, or LimitReached, before the first one.
    """
    entry, found, right = downloads.locate(ref)
    name = PurePosixPath(entry.file).name
    path = downloads.cache.find(entry.sha256, shared=is_shared(right)) if entry.sha256 else None
    if path is None and found.in_tar:
        # Only the file within is wanted, and where it lies shows when the tar is read.
        fetched = downloads.cache.fetch(found, shared=is_shared(right))
        path = downloads.cache.find(fetched.sha256, shared=is_shared(right))
    if path is not None:
        size = path.stat().st_size
        downloads.lookup.quotas.spend("bytes", size)
        return name, path, size
    with refusals_for_visitors(ref.hub), ExitStack() as undo:
        source = RangedSource.of(found)
        answer = source.open(undo.enter_context(file_http(retry_reads=False)), Range())
        undo.callback(answer.response.close)
        told = answer.total if answer.total is not None else found.size
        size = downloads.cache.largest if told is None else told
        downloads.cache.check_size(size)
        downloads.lookup.quotas.spend("bytes", size)
        # A web page in place of the file is no download.
        chunks = check_first_bytes(source.chunks(answer, most=downloads.cache.largest))
        return name, _send(next(chunks), chunks, undo.pop_all()), answer.total


def _send(head: bytes, chunks: Iterator[bytes], open_: ExitStack) -> Iterator[bytes]:
    with open_:
        yield head
        yield from chunks
