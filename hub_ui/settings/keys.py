"""The keys of hubs: given by the environment, or kept in the operating system's keyring or a file of one's own.

    <home>/keys.json    {"civitai": null, "replicate": "r8_..."}

null: the keyring has it, so that the keyring is only loaded (a third of a second) where it has something. Without a
keyring the key itself is in the file, which nobody but its owner can read.
"""

import json
import pkgutil
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from connectors.errors import UsageError
from connectors.registry import HUBS, HubName
from hub_ui.i18n import _
from hub_ui.settings.saved_settings import write_private

# "visit": a visitor's own, in memory.
KeyPlace = Literal["given", "keyring", "file", "visit"]
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_LONGEST = 1000
SERVICE = "hub-ui"
# Backends raise what their system raises: D-Bus, ctypes, and worse.
_FAILURES = (OSError, RuntimeError, ValueError, TypeError, AttributeError, ImportError)


@contextmanager
def _system_keyring() -> Iterator[Any]:
    """Loaded only where a key is in it or goes there, because its import takes long.

    Failures read as "there is none": a headless computer has no keyring, a locked one gives nothing.
    """
    keyring: Any = pkgutil.resolve_name("keyring")
    with suppress(keyring.errors.KeyringError, *_FAILURES):
        yield keyring


class KeyStore:
    """What a person typed once. Several processes may use the file."""

    def __init__(self, file: Path, *, has_keyring: bool = True) -> None:
        """Without `has_keyring` keys go into the file: those of a demo are not for the person's keyring."""
        self._file = file
        self._has_keyring = has_keyring

    def version(self) -> int:
        """A number that differs after each change."""
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0

    def read(self) -> dict[HubName, tuple[str, KeyPlace]]:
        """All keys with their places; a key is empty where the keyring does not give it."""
        found: dict[HubName, tuple[str, KeyPlace]] = {}
        for hub, key in self._entries().items():
            found[hub] = ("", "keyring") if key is None else (key, "file")
            if key is None:
                with _system_keyring() as keyring:
                    found[hub] = (keyring.get_password(SERVICE, hub) or "", "keyring")
        return found

    def put(self, hub: HubName, key: str) -> None:
        """Raises HubUiError if it can be kept nowhere."""
        in_keyring = False
        if self._has_keyring:
            with _system_keyring() as keyring:
                keyring.set_password(SERVICE, hub, key)
                # One backend takes everything and keeps nothing.
                in_keyring = keyring.get_password(SERVICE, hub) == key
        write_private(self._file, json.dumps({**self._entries(), hub: None if in_keyring else key}))

    def remove(self, hub: HubName) -> None:
        entries = self._entries()
        if entries.pop(hub, "") is None:
            with _system_keyring() as keyring:
                keyring.delete_password(SERVICE, hub)
        write_private(self._file, json.dumps(entries))

    def _entries(self) -> dict[HubName, str | None]:
        """A damaged file is as if there were none."""
        with suppress(OSError, ValueError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            return {hub: key for hub, key in dict(entries).items() if hub in HUBS and isinstance(key, str | None)}
        return {}


class Keys(Mapping[HubName, str]):
    """The keys at hand. Connectors read them at each request, so a new one counts at once. Any thread may use it.

    What the environment gives comes first.
    """

    def __init__(self, given: Mapping[HubName, str], store: KeyStore) -> None:
        self._given = dict(given)
        self._store = store
        self._lock = threading.Lock()
        self._read_at = 0
        self._stored: dict[HubName, tuple[str, KeyPlace]] = {}

    def __getitem__(self, hub: HubName) -> str:
        if hub in self._given:
            return self._given[hub]
        key = self._entries().get(hub, ("", "file"))[0]
        if not key:
            raise KeyError(hub)
        return key

    def __iter__(self) -> Iterator[HubName]:
        return iter({**self._given, **{hub: key for hub, (key, _) in self._entries().items() if key}})

    def __len__(self) -> int:
        # Not of a list: that would ask for the length.
        return sum(1 for each in self if each)

    def __repr__(self) -> str:
        return f"Keys({', '.join(self)})"

    def place(self, hub: HubName) -> KeyPlace | None:
        """Where the key is; None for a hub without one."""
        if hub in self._given:
            return "given"
        kept = self._entries().get(hub)
        return kept[1] if kept else None

    def put(self, hub: HubName, text: str) -> None:
        """Keeps a key. Raises UsageError for what can be none, and where the environment's comes first."""
        if hub in self._given:
            raise UsageError(
                _("{variable} is set, and comes first. Unset it to use another key.").format(
                    variable=HUBS[hub].token_variable
                )
            )
        key = check_key(text)
        if not key:
            raise UsageError(_("This is empty. Paste the key."))
        with self._lock:
            self._store.put(hub, key)
            self._read_at = 0

    def remove(self, hub: HubName) -> None:
        with self._lock:
            self._store.remove(hub)
            self._read_at = 0

    def _entries(self) -> dict[HubName, tuple[str, KeyPlace]]:
        with self._lock:
            version = self._store.version()
            if version != self._read_at:
                self._stored, self._read_at = self._store.read(), version
            elif not version:
                self._stored = {}
            return self._stored


def check_key(text: str, what: str = "") -> str:
    """Without white space around it, which copying may leave. Raises UsageError, without the key, for other texts."""
    key = text.strip()
    if _UNPRINTABLE.search(key) or not key.isascii() or len(key) > _LONGEST:
        raise UsageError(
            _("{what} holds characters that no key has. Copy the key again.").format(what=what or _("This"))
        )
    return key


def key_place(keys: Mapping[HubName, str], hub: HubName) -> KeyPlace | None:
    """`keys` may be a plain mapping, as those of a test or a shared page are."""
    if isinstance(keys, Keys):
        return keys.place(hub)
    return "given" if hub in keys else None


def require_keys(keys: Any) -> Keys:
    """Raises UsageError where no key can be kept."""
    if not isinstance(keys, Keys):
        raise UsageError("No key can be kept here.")
    return keys
