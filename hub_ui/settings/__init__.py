"""Settings from the environment: folders, endpoints, keys. They are read once and passed down.

`Policy` decides on permissions. The user of a local page may do everything; visitors of a shared page may not use
keys, folders, money or other people's data.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from connectors.errors import UsageError, suggestion
from connectors.http.adapter import Destinations
from connectors.registry import HUBS, HubName, Rate
from hub_ui.access.quotas import Limits, printable, read_limits
from hub_ui.access.visitor import VARIABLE, SharedKeys
from hub_ui.base.i18n import N_, _, language
from hub_ui.base.lifecycle import USUAL_SECONDS
from hub_ui.settings import saved_settings
from hub_ui.settings.saved_settings import Keys, check_key, is_address, names_proxy

Action = Literal[
    "use keys", "pull", "see library", "change library", "train", "run on Replicate", "fetch bases", "open paths",
    "use own files", "keep history", "change settings", "annotate", "ask other hosts",
]  # fmt: skip

REFUSALS: dict[Action, str] = {
    "use keys": N_(
        "A shared page uses nobody's keys. Choose a LoRA that is open to everyone, or run hub-ui on your own computer."
    ),
    "pull": N_("Nothing is downloaded for visitors of a shared page. Copy the ref and pull it at home."),
    "see library": N_("A shared page shows nobody's library. Run hub-ui on your own computer to have one."),
    "change library": N_("The library of a shared page can't be changed by its visitors."),
    "train": N_("A shared page trains nothing. Run hub-ui on your own computer to train with a key of your own."),
    "run on Replicate": N_("A shared page generates on its own computer only."),
    "fetch bases": N_(
        "This shared page does not have {what} on its disk. Choose another base, or run hub-ui on your own computer."
    ),
    "open paths": N_(
        "A shared page generates with the bases of its list. Choose one of those, or run hub-ui on your own computer."
    ),
    "use own files": N_(
        "A shared page tries what hubs have. Choose one of their LoRAs, or run hub-ui on your own computer."
    ),
    "change settings": N_("The settings of a shared page are its owner's."),
    "keep history": N_(
        "A shared page keeps no history. Save the images that you like, or run hub-ui on your own computer."
    ),
    "ask other hosts": N_("A shared page reads what hubs have. Give the address of a LoRA on one of them."),
    "annotate": N_("A shared page keeps nobody's notes and favourites. Run hub-ui on your own computer to have them."),
}


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """The resources of the serving computer that requests may use.

    `uploads_bytes` limits all stored uploads together. `pixels` limits an uploaded image, which is deleted after
    `keep_seconds`. `events` limits the pending requests of one visitor, `address_events` the pending requests of one
    network address. Up to `media_bytes` of the hubs' images and videos are cached on disk.
    """

    body_bytes: int
    upload_bytes: int
    uploads_bytes: int
    keep_seconds: int
    pixels: int
    events: int
    address_events: int
    media_bytes: int


_NAMES = {
    "loras": N_("LoRAs"),
    "images": N_("images"),
    "steps": N_("steps"),
    "side": N_("pixels a side"),
    "frames": N_("frames"),
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The permissions and limits of a page's users.

    `bounds` limit one generation; None leaves it to the engine's own limits. `frames` are the sites that may show the
    page in a frame.
    """

    allowed: frozenset[Action]
    limits: WebLimits
    bounds: Limits | None = None
    frames: str = "'self'"

    def allows(self, action: Action) -> bool:
        return action in self.allowed

    def check(self, action: Action, what: str = "") -> None:
        """Raise UsageError if `action` is forbidden. `what` fills the placeholder of the message, if it has one."""
        if action not in self.allowed:
            raise UsageError(_(REFUSALS[action]).format(what=what))

    def check_bounds(self, **requested: int | None) -> None:
        """Raise UsageError with the limit if a number is over it. None is the base's own value."""
        for name, number in requested.items() if self.bounds else ():
            most = getattr(self.bounds, name)
            if number is not None and number > most:
                text = _(
                    "A shared page takes at most {most} {things} at once, not {number}. Ask for less, or run hub-ui "
                    "on your own computer."
                )
                things = _(_NAMES.get(name, name))
                shown = language().number
                raise UsageError(text.format(most=shown(most), things=things, number=shown(number)))

    @property
    def allows_every_base(self) -> bool:
        return self.bounds is None or not self.bounds.bases

    def allows_base(self, base: str) -> bool:
        """Return whether images may be generated with the base model of this id."""
        return self.bounds is None or not self.bounds.bases or base in self.bounds.bases


LOCAL = Policy(
    allowed=frozenset(get_args(Action)),
    limits=WebLimits(
        body_bytes=16_000_000, upload_bytes=1_000_000_000, uploads_bytes=50_000_000_000, keep_seconds=86_400,
        pixels=80_000_000, events=500, address_events=500, media_bytes=500_000_000,
    ),
)  # fmt: skip


@cache
def hosted_policy(limits: Limits) -> Policy:
    """Return the policy of a hosted page whose operator has set `limits`."""
    web = WebLimits(
        body_bytes=1_000_000, upload_bytes=limits.upload_bytes, uploads_bytes=limits.uploads_bytes,
        keep_seconds=3_600, pixels=4096 * 4096, events=100, address_events=1_000, media_bytes=200_000_000,
    )  # fmt: skip
    # A Space is shown within a page of Hugging Face.
    frames = "'self' https://huggingface.co"
    return Policy(allowed=frozenset(), limits=web, bounds=limits, frames=frames)


# Hugging Face sets these variables in a Space with `hf_oauth`, and Gradio needs them for signing in.
SIGN_IN_VARIABLES = (
    "SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"
)  # fmt: skip
_PREFIX = "HUB_UI_"
# All variables without the prefix, except the limits of a hosted page, which read_limits checks.
VARIABLES = (
    "ALLOWED_HOSTS", "CONNECTIONS", "DATABASE", "DELIVERY_HOSTS", "HOME", "IMAGE_CACHE", "LOG", "LOG_LEVEL",
    "METRICS_TOKEN", "NAMES", *(f"RATE_{hub.upper()}" for hub in HUBS), "READ_HEADERS", "SHARED_KEYS", "SHARED_LOCK",
    "SNAPSHOT", "STOP_SECONDS", "TRUST_PROXY", "WORKERS",
)  # fmt: skip
_ON, _OFF = ("1", "yes", "on", "true"), ("0", "no", "off", "false")
_CLUSTER = re.compile(r"[A-Za-z0-9._-]{1,253}:[0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a process.

    `home` has the catalog, the queue and by default the library. Values that may contain a key or a password are not
    part of `repr`.

    Hosting: `hosted` opens the page to strangers, within `limits`. A hosted page never has `tokens`; `shared_keys` may
    hold keys for the LoRAs that the owner lists, and `shared_lock` is a lock file whose LoRAs are all shown. `sign_in`
    tells whether visitors can sign in to Hugging Face. `space` is the name of this Space, and `zero_gpu` tells whether
    it has ZeroGPU. `trusts_proxy` takes visitors' addresses from a proxy's X-Forwarded-For. `metrics_token` lets remote
    clients read the metrics.

    Hubs: `demo` means local hubs, with base models from this package only. `proxy` is for requests to hubs if the
    environment names no proxy. `delivery_hosts` are additional hosts of files, such as a mirror. `rates` replace the
    rate limits of hubs. `connections` is the number of connections for a large file. `read_headers` lets the page read
    the headers of the cards in view, about 100 kB each. `image_cache` is the size of the media cache in bytes, or None
    for the policy's.

    The rest: `database` is the address of a PostgreSQL database for the catalog, in place of a file. `workers` is the
    address (HOST:PORT) of a cluster that generates in place of this computer. `names` is the template for file names in
    the library (library/file_names.py). `allowed_hosts` are further names of this computer (web/middleware.py).
    `fixed` names the settings that the environment decides: hubs, "proxy", "library" and "home". `stop_seconds` is the
    time that a stop waits for running work.
    """

    home: Path
    library: Path
    lock: Path
    endpoints: Mapping[HubName, str] = field(default_factory=lambda: {name: hub.endpoint for name, hub in HUBS.items()})
    tokens: Mapping[HubName, str] = field(default_factory=dict, repr=False)
    hosted: bool = False
    limits: Limits = field(default_factory=Limits)
    shared_keys: SharedKeys = field(default_factory=SharedKeys)
    shared_lock: Path | None = None
    space: str = ""
    trusts_proxy: bool = False
    sign_in: bool = False
    demo: bool = False
    read_headers: bool = True
    image_cache: int | None = None
    proxy: str = field(default="", repr=False)
    fixed: frozenset[str] = frozenset()
    names: str | None = None
    connections: int = 4
    allowed_hosts: frozenset[str] = frozenset()
    delivery_hosts: frozenset[str] = frozenset()
    database: str = field(default="", repr=False)
    rates: Mapping[HubName, Rate] = field(default_factory=dict)
    workers: str = ""
    zero_gpu: bool = False
    stop_seconds: float = USUAL_SECONDS
    metrics_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.policy.allows("use keys"):
            object.__setattr__(self, "tokens", {})

    @property
    def policy(self) -> Policy:
        return hosted_policy(self.limits) if self.hosted else LOCAL

    def rate(self, hub: HubName) -> Rate | None:
        """Return the rate limit for requests to a hub, or None. By default only a hosted page has one."""
        usual = HUBS[hub].rate if self.hosted and not self.demo else None
        return self.rates.get(hub, usual)

    @property
    def media_budget(self) -> int:
        return self.policy.limits.media_bytes if self.image_cache is None else self.image_cache

    @property
    def destinations(self) -> Destinations:
        """The hosts of the hubs and of their files. Images, and on a hosted page all files, come from these hosts."""
        found = Destinations.of(self.endpoints)
        return replace(found, own=found.own | self.delivery_hosts)

    @property
    def image_destinations(self) -> Mapping[HubName, Destinations]:
        """The hosts of each hub's images. Other hubs' responses must not lead to a hub on the local network."""
        return {
            hub: replace(self.destinations, own=Destinations.of({hub: url}).own | self.delivery_hosts)
            for hub, url in self.endpoints.items()
        }

    @property
    def catalog(self) -> Path:
        return self.home / "catalog.sqlite"


def from_environment(
    environ: Mapping[str, str],
    *,
    library: Path | None = None,
    lock: Path | None = None,
    hosted: bool = False,
    names: str | None = None,
) -> Settings:
    """Read the settings. `lock` defaults to a file in the library. Raises UsageError for an invalid variable."""
    home = find_home(environ)
    saved = saved_settings.read(home)
    # A hosted page has a home of its own, so that it does not show its owner's LoRAs and images.
    home = home / "hosted" if hosted else home
    folder = library or (Path(saved.library) if saved.library and not hosted else home / "loras")
    keys = Keys(_environment_keys(environ), home / "keys.json")
    megabytes = _number(environ, "HUB_UI_IMAGE_CACHE", "[0-9]{1,7}", "whole number of megabytes")
    seconds = _number(environ, "HUB_UI_STOP_SECONDS", "[0-9]{1,4}", "whole number up to 9999")
    return Settings(
        home=home,
        library=folder,
        lock=lock or folder / "loras.lock",
        endpoints={
            name: _endpoint(environ, hub.endpoint_variable, saved.endpoints.get(name, hub.endpoint), hub.endpoint)
            for name, hub in HUBS.items()
        },
        tokens=keys,
        proxy=saved.proxy,
        fixed=_environment_names(environ, library),
        hosted=hosted,
        limits=read_limits(environ) if hosted else Limits(),
        shared_keys=SharedKeys.parse(environ.get(VARIABLE, ""), keys),
        shared_lock=Path(environ["HUB_UI_SHARED_LOCK"]) if hosted and environ.get("HUB_UI_SHARED_LOCK") else None,
        space=environ.get("SPACE_ID", ""),
        trusts_proxy=_switch(environ, "HUB_UI_TRUST_PROXY", is_on=bool(environ.get("SPACE_ID"))),
        sign_in=hosted and all(environ.get(name) for name in SIGN_IN_VARIABLES) and environ.get("SYSTEM") == "spaces",
        names=names or environ.get("HUB_UI_NAMES") or None,
        allowed_hosts=frozenset(environ.get("HUB_UI_ALLOWED_HOSTS", "").lower().replace(",", " ").split()),
        delivery_hosts=frozenset(environ.get("HUB_UI_DELIVERY_HOSTS", "").lower().replace(",", " ").split()),
        connections=_number(environ, "HUB_UI_CONNECTIONS", "0?[1-9]|1[0-6]", "whole number from 1 to 16") or 4,
        database=_database(environ.get("HUB_UI_DATABASE", "").strip()),
        read_headers=_switch(environ, "HUB_UI_READ_HEADERS", is_on=True),
        workers=check_workers(environ.get("HUB_UI_WORKERS", "")),
        # The package `spaces` reads the variable in the same way.
        zero_gpu=environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"),
        image_cache=None if megabytes is None else megabytes * 1_000_000,
        stop_seconds=USUAL_SECONDS if seconds is None else seconds,
        metrics_token=environ.get("HUB_UI_METRICS_TOKEN", "").strip(),
        rates=_rates(environ),
    )


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each unknown variable with our prefix."""
    names = sorted(name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX))
    return tuple(
        f"{_PREFIX}{printable(name)} is no variable that hub-ui reads."
        + suggestion(name, VARIABLES).replace("“", f"“{_PREFIX}")
        for name in names
        if name not in VARIABLES and not name.startswith("LIMIT_")
    )


def _environment_keys(environ: Mapping[str, str]) -> dict[HubName, str]:
    """Return the keys in the environment. check_key strips the line break of a key that was read from a file."""
    keys = {name: check_key(environ.get(hub.token_variable, ""), hub.token_variable) for name, hub in HUBS.items()}
    return {name: key for name, key in keys.items() if key}


def _rates(environ: Mapping[str, str]) -> dict[HubName, Rate]:
    rule = ("[1-9][0-9]{0,5}", "number of requests a minute", "a whole number from 1")
    numbers = {hub: _number(environ, f"HUB_UI_RATE_{hub.upper()}", *rule) for hub in HUBS}
    return {hub: Rate(keyless=number, keyed=number) for hub, number in numbers.items() if number is not None}


def _number(environ: Mapping[str, str], name: str, pattern: str, what: str, example: str = "one") -> int | None:
    """Parse a number, or return None if the variable is unset."""
    text = environ.get(name, "")
    if text and not re.fullmatch(pattern, text):
        raise UsageError(f"{name}={printable(text)} is no {what}. Write {example}, or unset it.")
    return int(text) if text else None


def _switch(environ: Mapping[str, str], name: str, *, is_on: bool) -> bool:
    """Parse a switch, or return `is_on` if the variable is unset."""
    value = environ.get(name)
    if value and value.lower() not in (*_ON, *_OFF):
        raise UsageError(f"{name}={printable(value)}: write 1 or 0, or unset it.")
    return value.lower() in _ON if value else is_on


def check_workers(address: str) -> str:
    """Return the stripped address of a cluster, or "". Raises UsageError if it is invalid."""
    address = address.strip()
    if address and not _CLUSTER.fullmatch(address):
        raise UsageError(f"{printable(address)} is no address of workers. Write one such as 10.0.0.5:6379.")
    return address


def _environment_names(environ: Mapping[str, str], library: Path | None) -> frozenset[str]:
    """Return the names of the settings that the environment decides (see Settings.fixed)."""
    decided = {
        **{name: bool(environ.get(hub.endpoint_variable)) for name, hub in HUBS.items()},
        "home": bool(environ.get("HUB_UI_HOME")),
        "library": library is not None,
        "proxy": names_proxy(environ),
    }
    return frozenset(name for name, is_decided in decided.items() if is_decided)


def _database(address: str) -> str:
    """Check an address of PostgreSQL. The message does not show the address, which may have a password."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("postgresql", "postgres") and len(parts.path) > 1 and (parts.port or 1) > 0
    except ValueError:
        known = False
    if address and not (known and address.isprintable() and " " not in address):
        raise UsageError(
            "HUB_UI_DATABASE is no address of a PostgreSQL database. Write one such as "
            "postgresql://name:password@host/database, or unset it for a file."
        )
    return address


def _endpoint(environ: Mapping[str, str], name: str, usual: str, example: str) -> str:
    url = environ.get(name) or usual
    if not is_address(url):
        raise UsageError(f"{name}={printable(url)} is no web address. Write one such as {example}, or unset it.")
    return url.rstrip("/")


def user_path(text: str | Path) -> Path:
    """Expand ~, because shells don't in --library=~/loras, nor do services in their variables."""
    return Path(os.path.expanduser(text))


def find_home(environ: Mapping[str, str]) -> Path:
    """Return HUB_UI_HOME, or else the home that is saved in the default home, or else the default home."""
    if environ.get("HUB_UI_HOME"):
        return user_path(environ["HUB_UI_HOME"])
    usual = saved_settings.usual_home()
    return Path(saved_settings.read(usual).home or usual)
