"""The choices and keys of the Settings page. The environment takes precedence.

Choices are in `settings.toml`, which the next start reads:

    proxy = "http://10.0.0.1:3128"
    library = "/data/loras"
    home = "/data/hub-ui"            only in the default home

    [endpoints]
    civitai = "https://civitai.red"

The keys of hubs take effect at once. They are in the operating system's keyring or in `keys.json`:

    {"civitai": null, "replicate": "r8_..."}

null means that the key is in the keyring. The keyring is only loaded then, because its import takes a third of a
second. Without a keyring the key itself is in the file, which only its owner can read.
"""

import json
import os
import pkgutil
import re
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import tomlkit
from platformdirs import user_data_path
from tomlkit.exceptions import TOMLKitError

from connectors.errors import HubUiError, UsageError
from connectors.registry import HUBS, HubName
from hub_ui.access.visitor import LiveKeys
from hub_ui.base.i18n import _

FILE = "settings.toml"
_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class SavedSettings:
    """The saved choices. An empty text means the default. The proxy is not part of `repr`: it may have a password."""

    endpoints: Mapping[HubName, str] = field(default_factory=dict)
    proxy: str = field(default="", repr=False)
    library: str = ""
    home: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SavedSettings":
        """Check typed values. Raises UsageError with a valid example."""
        given = values.get("endpoints")
        endpoints = {
            hub: _address(_text(url), HUBS[hub].label, HUBS[hub].endpoint)
            for hub, url in (given.items() if isinstance(given, dict) else ())
            if hub in HUBS and _text(url)
        }
        proxy = _text(values.get("proxy"))
        return cls(
            endpoints={hub: url for hub, url in endpoints.items() if url != HUBS[hub].endpoint},
            proxy=_address(proxy, _("The proxy"), "http://10.0.0.1:3128") if proxy else "",
            library=_folder(_text(values.get("library")), _("The library")),
            home=_folder(_text(values.get("home")), _("The home folder")),
        )


def read(folder: Path) -> SavedSettings:
    """Read the choices in a home. Raises UsageError if it is unreadable: the defaults may be other hubs."""
    file = folder / FILE
    try:
        return SavedSettings.of(tomlkit.parse(file.read_text(encoding="utf-8")).unwrap())
    # If the folder is a file, the first write reports it.
    except (FileNotFoundError, NotADirectoryError):
        return SavedSettings()
    except (OSError, UnicodeError, TOMLKitError) as error:
        raise UsageError(f"{file} can't be read. Mend it, or remove it.") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error.message}") from error


def write(folder: Path, saved: SavedSettings) -> None:
    """Write the choices atomically to a file that only its owner can read. Raises HubUiError."""
    values = {"proxy": saved.proxy, "library": saved.library, "home": saved.home, "endpoints": dict(saved.endpoints)}
    text = tomlkit.dumps({name: value for name, value in values.items() if value})
    write_private(folder / FILE, text)


def change(home: Path, typed: SavedSettings, fixed: Collection[str]) -> None:
    """Save typed choices for the next start, except choices that the environment decides (Settings.fixed)."""
    before = read(home)
    own = {hub: url for hub, url in typed.endpoints.items() if hub not in fixed}
    kept = {hub: url for hub, url in before.endpoints.items() if hub in fixed}
    # The page shows the proxy without its password, so an unchanged field keeps the saved one.
    is_same_proxy = "proxy" in fixed or typed.proxy == hide_password(before.proxy)
    changed = SavedSettings(
        endpoints={**own, **kept},
        proxy=before.proxy if is_same_proxy else typed.proxy,
        library=before.library if "library" in fixed else typed.library,
        home=before.home,
    )
    write(home, changed)
    if "home" not in fixed:
        usual = usual_home()
        write(usual, replace(read(usual), home="" if typed.home == str(usual) else typed.home))


def usual_home() -> Path:
    """Return the default home, whose settings may name another home."""
    return user_data_path("hub-ui", appauthor=False)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read. On Windows the user's folders are private, so the mode is ignored."""
    part = file.with_name(f".{secrets.token_hex(6)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        # Hide the cause, because its text may contain a key.
        raise HubUiError(f"{file.name} can't be written in {file.parent}: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    # The port is not a number, or a bracket does not open an IPv6 address.
    except ValueError:
        return False
    return known and url.isprintable() and " " not in url


def _address(url: str, what: str, example: str) -> str:
    """Check a web address. The message does not show it, because a proxy's address may have a password."""
    if not is_address(url):
        raise UsageError(_("{what} needs a web address, such as {example}.").format(what=what, example=example))
    return url.rstrip("/")


def hide_password(url: str) -> str:
    """Return `url` without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.username else url


def _folder(text: str, what: str) -> str:
    if text and not (os.path.isabs(text) and text.isprintable()):
        raise UsageError(
            _("{what} needs a full path, such as {example}.").format(what=what, example=Path.home() / "loras")
        )
    return text


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) and len(value) < _LONGEST else ""


def names_proxy(environ: Mapping[str, str]) -> bool:
    return any(value and name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name, value in environ.items())


@contextmanager
def use_proxy(proxy: str) -> Iterator[None]:
    """Set the environment's proxy variables for the block, unless one is set. requests, httpx and Gradio read them."""
    wanted = {} if names_proxy(os.environ) or not proxy else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    if wanted and not any(name.lower() == "no_proxy" for name in os.environ):
        # Local requests bypass the proxy, because Gradio sends requests to itself.
        wanted["NO_PROXY"] = "localhost,127.0.0.1,::1"
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            os.environ.pop(name, None)


# "visit" is a visitor's key in memory.
KeyPlace = Literal["given", "keyring", "file", "visit"]
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_LONGEST_KEY = 1000
SERVICE = "hub-ui"
# Backends of keyring raise the errors of D-Bus, ctypes and others.
_FAILURES = (OSError, RuntimeError, ValueError, TypeError, AttributeError, ImportError)


@contextmanager
def _system_keyring() -> Iterator[Any]:
    """Load the keyring. Call this only if a key is stored in it or will be, because the import is slow.

    Failures end the block: a headless computer has no keyring, and a locked keyring fails.
    """
    keyring: Any = pkgutil.resolve_name("keyring")
    with suppress(keyring.errors.KeyringError, *_FAILURES):
        yield keyring


class Keys(LiveKeys):
    """The keys of the environment, and the keys that were typed on the Settings page.

    A new key takes effect at once. The class is thread-safe, and several processes may use the file.
    """

    def __init__(self, given: Mapping[HubName, str], file: Path, *, has_keyring: bool = True) -> None:
        """Use the file alone if `has_keyring` is false: a demo's keys don't belong in the user's keyring."""
        self._given = dict(given)
        self._file = file
        self._has_keyring = has_keyring
        self._lock = threading.Lock()
        self._read_at = 0
        self._typed: dict[HubName, tuple[str, KeyPlace]] = {}

    def now(self) -> Mapping[HubName, str]:
        return {**{hub: key for hub, (key, _) in self._read().items() if key}, **self._given}

    def place(self, hub: HubName) -> KeyPlace | None:
        """Return the place of a hub's key, or None if it has no key."""
        if hub in self._given:
            return "given"
        typed = self._read().get(hub)
        return typed[1] if typed else None

    def put(self, hub: HubName, text: str) -> None:
        """Store a key. Raises UsageError for an invalid key, and if the environment has one.

        Raises HubUiError if it can't be stored.
        """
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
            in_keyring = False
            if self._has_keyring:
                with _system_keyring() as keyring:
                    keyring.set_password(SERVICE, hub, key)
                    # The null backend of keyring stores nothing, without an error.
                    in_keyring = keyring.get_password(SERVICE, hub) == key
            self._write({**self._entries(), hub: None if in_keyring else key})

    def remove(self, hub: HubName) -> None:
        with self._lock:
            entries = self._entries()
            if entries.pop(hub, "") is None:
                with _system_keyring() as keyring:
                    keyring.delete_password(SERVICE, hub)
            self._write(entries)

    def _read(self) -> dict[HubName, tuple[str, KeyPlace]]:
        """Return the typed keys with their places, read again if the file has changed.

        A key is empty if the keyring does not return it.
        """
        with self._lock:
            try:
                version = self._file.stat().st_mtime_ns
            except OSError:
                version = 0
            if not version or version != self._read_at:
                self._typed, self._read_at = {}, version
                for hub, key in self._entries().items():
                    self._typed[hub] = ("", "keyring") if key is None else (key, "file")
                    if key is None:
                        with _system_keyring() as keyring:
                            self._typed[hub] = (keyring.get_password(SERVICE, hub) or "", "keyring")
            return self._typed

    def _entries(self) -> dict[HubName, str | None]:
        """Read the file. A missing or damaged file has no entries."""
        with suppress(OSError, ValueError, TypeError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            return {hub: key for hub, key in dict(entries).items() if hub in HUBS and isinstance(key, str | None)}
        return {}

    def _write(self, entries: Mapping[HubName, str | None]) -> None:
        write_private(self._file, json.dumps(entries))
        self._read_at = 0


def check_key(text: str, what: str = "") -> str:
    """Return a key without surrounding white space. Raises UsageError without the key if it is invalid."""
    key = text.strip()
    if _UNPRINTABLE.search(key) or not key.isascii() or len(key) > _LONGEST_KEY:
        raise UsageError(
            _("{what} holds characters that no key has. Copy the key again.").format(what=what or _("This"))
        )
    return key


def key_place(keys: Mapping[HubName, str], hub: HubName) -> KeyPlace | None:
    """Return the place of a hub's key. Tests and shared pages have a plain mapping of `keys`."""
    if isinstance(keys, Keys):
        return keys.place(hub)
    return "given" if hub in keys else None


def require_keys(keys: Any) -> Keys:
    """Return the keys if they can be changed. Raises UsageError otherwise."""
    if not isinstance(keys, Keys):
        raise UsageError("No key can be kept here.")
    return keys
