"""What a person chose on the Settings page, in `settings.toml`. The environment comes first; the next start reads it.

proxy = "http://10.0.0.1:3128"
library = "/data/loras"
home = "/data/hub-ui"            only in the usual home, where it is looked for

[endpoints]
civitai = "https://civitai.red"
"""

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomlkit
from platformdirs import user_data_path
from tomlkit.exceptions import TOMLKitError

from connectors.errors import HubUiError, UsageError
from connectors.registry import HUBS, HubName
from hub_ui.i18n import _

FILE = "settings.toml"
_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class SavedSettings:
    """Empty text is no choice. The proxy is not part of `repr`, since it may have a password."""

    endpoints: Mapping[HubName, str] = field(default_factory=dict)
    proxy: str = field(default="", repr=False)
    library: str = ""
    home: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SavedSettings":
        """Checks what was typed. Raises UsageError, which says what to write instead."""
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
    """What is saved in a home. A file that can't be read is an error: silence would ask another hub than was chosen."""
    file = folder / FILE
    try:
        return SavedSettings.of(tomlkit.parse(file.read_text(encoding="utf-8")).unwrap())
    # The folder may be a file, which is said where something is to be written there.
    except (FileNotFoundError, NotADirectoryError):
        return SavedSettings()
    except (OSError, UnicodeError, TOMLKitError) as error:
        raise UsageError(f"{file} can't be read. Mend it, or remove it.") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error.message}") from error


def write(folder: Path, saved: SavedSettings) -> None:
    """For its owner alone, and whole or not at all. Raises HubUiError."""
    values = {"proxy": saved.proxy, "library": saved.library, "home": saved.home, "endpoints": dict(saved.endpoints)}
    text = tomlkit.dumps({name: value for name, value in values.items() if value})
    write_private(folder / FILE, text)


def change(home: Path, typed: SavedSettings, fixed: Collection[str]) -> None:
    """For the next start. What the environment decides (Settings.fixed) stays as it was saved."""
    before = read(home)
    own = {hub: url for hub, url in typed.endpoints.items() if hub not in fixed}
    kept = {hub: url for hub, url in before.endpoints.items() if hub in fixed}
    # It is shown without its password.
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
    """Where the next start looks for the name of another one."""
    return user_data_path("hub-ui", appauthor=False)


def write_private(file: Path, text: str) -> None:
    """On Windows the mode says nothing; there a person's own folders are closed to others."""
    part = file.with_name(f".{secrets.token_hex(6)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except OSError as error:
        # Without its cause: a text may hold a key.
        raise HubUiError(f"{file.name} can't be written in {file.parent}: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    # A port that is no number, or a bracket that opens no IPv6 address.
    except ValueError:
        return False
    return known and url.isprintable() and " " not in url


def _address(url: str, what: str, example: str) -> str:
    """The message does not show it: a proxy's may have a password."""
    if not is_address(url):
        raise UsageError(_("{what} needs a web address, such as {example}.").format(what=what, example=example))
    return url.rstrip("/")


def hide_password(url: str) -> str:
    """`url` without a name and a password."""
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
    """Until the block ends, by the variables that requests, httpx and Gradio read. One that is set comes first."""
    wanted = {} if names_proxy(os.environ) or not proxy else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    if wanted and not any(name.lower() == "no_proxy" for name in os.environ):
        # What runs here is reached directly: Gradio asks itself.
        wanted["NO_PROXY"] = "localhost,127.0.0.1,::1"
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            os.environ.pop(name, None)
