"""What visitors of a hosted page have tried or added: a list for each of them, in memory, and gone with their visit."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakKeyDictionary

from connectors.errors import NotFound, UsageError
from connectors.ref import Ref
from hub_ui.hosting.visitor import Visitor, current_visitor
from hub_ui.i18n import _
from hub_ui.library import lockfile
from hub_ui.library.file_names import free_path
from hub_ui.library.lockfile import Entry

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
    _lists: WeakKeyDictionary[Visitor, dict[Ref, SessionEntry]] = field(default_factory=WeakKeyDictionary)
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
        return {} if visitor is None else self._lists.setdefault(visitor, {})


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
