"""Settings from the environment: folders, endpoints, keys. They are read once and passed down.

And what visitors may do: all on one's own computer; on a shared page no keys, folders, money or others' things.
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
    """What requests may take of the computer that serves the page.

    `uploads_bytes` is of all that are kept. `pixels` is of an uploaded image, which is gone after `keep_seconds`.
    `events` are the requests of one visitor without an answer yet, `address_events` those of all at one address.
    `media_bytes` of hubs' images and videos are kept on disk.
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
    """`bounds` are what one generation may use, None where the engine's own are enough. `frames` are the sites that may
    show the page in a frame.
    """

    allowed: frozenset[Action]
    limits: WebLimits
    bounds: Limits | None = None
    frames: str = "'self'"

    def allows(self, action: Action) -> bool:
        return action in self.allowed

    def check(self, action: Action, what: str = "") -> None:
        """Raises UsageError, with what to do instead. `what` it is about is named where that is not plain."""
        if action not in self.allowed:
            raise UsageError(_(REFUSALS[action]).format(what=what))

    def check_bounds(self, **requested: int | None) -> None:
        """Raises UsageError that names what is too much, and how much is not. None is the base's own value."""
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
        """Whether to generate with a base model of the table, by its id."""
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
    """What the visitors of a page may do whose operator has set `limits`."""
    web = WebLimits(
        body_bytes=1_000_000, upload_bytes=limits.upload_bytes, uploads_bytes=limits.uploads_bytes,
        keep_seconds=3_600, pixels=4096 * 4096, events=100, address_events=1_000, media_bytes=200_000_000,
    )  # fmt: skip
    # A Space is shown within a page of Hugging Face.
    frames = "'self' https://huggingface.co"
    return Policy(allowed=frozenset(), limits=web, bounds=limits, frames=frames)


# Spaces set them where `hf_oauth` is on, and Gradio signs people in with them.
SIGN_IN_VARIABLES = (
    "SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"
)  # fmt: skip
_PREFIX = "HUB_UI_"
# Without the prefix, and beside the limits of a hosted page (hosting/limits.py), which are checked where they count.
VARIABLES = (
    "ALLOWED_HOSTS", "CONNECTIONS", "DATABASE", "DELIVERY_HOSTS", "HOME", "IMAGE_CACHE", "LOG", "LOG_LEVEL",
    "METRICS_TOKEN", "NAMES", *(f"RATE_{hub.upper()}" for hub in HUBS), "READ_HEADERS", "SHARED_KEYS", "SHARED_LOCK",
    "SNAPSHOT", "STOP_SECONDS", "TRUST_PROXY", "WORKERS",
)  # fmt: skip
_ON, _OFF = ("1", "yes", "on", "true"), ("0", "no", "off", "false")
_CLUSTER = re.compile(r"[A-Za-z0-9._-]{1,253}:[0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`home` has the catalog, the queue and by default the library. Tokens are not part of `repr`.

    `hosted`: the page is open to strangers, within `limits`. There are no tokens then, whatever was given, but
    `shared_keys` may hold some for what the owner lists, and `shared_lock` is a lock file whose LoRAs all are shown.
    `sign_in`: whether visitors can sign in to Hugging Face. `space` is the name of the Space that this is, and
    `trusts_proxy` whether a proxy in front tells the visitors' addresses (X-Forwarded-For).

    `demo`: the hubs are local ones, so there is nowhere to load a base model from but this package.
    `database` is the address of a PostgreSQL database that the catalog is in instead of a file. It is not part of
    `repr` either: it may have a password.
    `workers` is the address of a cluster that generates in place of this computer (HOST:PORT); `zero_gpu`: this is a
    Space with ZeroGPU.
    `names` is the template for file names in the library (see library/file_names.py), `connections` the number of
    connections for a large file, and `allowed_hosts` are names of this computer beside its own (see web/middleware.py).
    `read_headers`: whether the page reads the headers of the cards in view, about 100 kB each. `image_cache`: the
    bytes of hubs' images and videos that are kept; None is as the policy says. `proxy` is for requests to
    hubs where the environment names none, and may have a password too. `fixed` are what the Settings page can't change:
    names of hubs whose address the environment decides, "proxy", "library" and "home". `delivery_hosts` are hosts of
    files beside the hubs' usual ones: a mirror's. `rates` are of hubs for which the environment names another budget
    than their own. `stop_seconds` is how long a stop waits for what runs. `metrics_token` opens a hosted page's metrics
    to who is not at its computer.
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
        """How often visitors may have the hub asked. One person is no crowd, and the demo's hubs are nobody's."""
        usual = HUBS[hub].rate if self.hosted and not self.demo else None
        return self.rates.get(hub, usual)

    @property
    def media_budget(self) -> int:
        return self.policy.limits.media_bytes if self.image_cache is None else self.image_cache

    @property
    def destinations(self) -> Destinations:
        """The hosts of the hubs and their deliveries, which images and, on a hosted page, everything comes from."""
        found = Destinations.of(self.endpoints)
        return replace(found, own=found.own | self.delivery_hosts)

    @property
    def image_destinations(self) -> Mapping[HubName, Destinations]:
        """By hub: one on this network has its own host, which the others' answers must not lead to."""
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
    """The lock file is in the library folder unless `lock` names another. Raises UsageError for an invalid variable."""
    home = find_home(environ)
    saved = saved_settings.read(home)
    # A shared page does not show what its owner has found, downloaded and generated.
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
        # As `spaces` reads it.
        zero_gpu=environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"),
        image_cache=None if megabytes is None else megabytes * 1_000_000,
        stop_seconds=USUAL_SECONDS if seconds is None else seconds,
        metrics_token=environ.get("HUB_UI_METRICS_TOKEN", "").strip(),
        rates=_rates(environ),
    )


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each variable that looks like one of ours and is none."""
    names = sorted(name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX))
    return tuple(
        f"{_PREFIX}{printable(name)} is no variable that hub-ui reads."
        + suggestion(name, VARIABLES).replace("“", f"“{_PREFIX}")
        for name in names
        if name not in VARIABLES and not name.startswith("LIMIT_")
    )


def _environment_keys(environ: Mapping[str, str]) -> dict[HubName, str]:
    """A key read from a file may end with a line break, which check_key takes away."""
    keys = {name: check_key(environ.get(hub.token_variable, ""), hub.token_variable) for name, hub in HUBS.items()}
    return {name: key for name, key in keys.items() if key}


def _rates(environ: Mapping[str, str]) -> dict[HubName, Rate]:
    rule = ("[1-9][0-9]{0,5}", "number of requests a minute", "a whole number from 1")
    numbers = {hub: _number(environ, f"HUB_UI_RATE_{hub.upper()}", *rule) for hub in HUBS}
    return {hub: Rate(keyless=number, keyed=number) for hub, number in numbers.items() if number is not None}


def _number(environ: Mapping[str, str], name: str, pattern: str, what: str, example: str = "one") -> int | None:
    """None where the variable is unset."""
    text = environ.get(name, "")
    if text and not re.fullmatch(pattern, text):
        raise UsageError(f"{name}={printable(text)} is no {what}. Write {example}, or unset it.")
    return int(text) if text else None


def _switch(environ: Mapping[str, str], name: str, *, is_on: bool) -> bool:
    """`is_on` where the variable is unset."""
    value = environ.get(name)
    if value and value.lower() not in (*_ON, *_OFF):
        raise UsageError(f"{name}={printable(value)}: write 1 or 0, or unset it.")
    return value.lower() in _ON if value else is_on


def check_workers(address: str) -> str:
    """The address of a cluster; empty for none. Raises UsageError for anything else."""
    address = address.strip()
    if address and not _CLUSTER.fullmatch(address):
        raise UsageError(f"{printable(address)} is no address of workers. Write one such as 10.0.0.5:6379.")
    return address


def _environment_names(environ: Mapping[str, str], library: Path | None) -> frozenset[str]:
    """What the Settings page can't change (see Settings.fixed)."""
    decided = {
        **{name: bool(environ.get(hub.endpoint_variable)) for name, hub in HUBS.items()},
        "home": bool(environ.get("HUB_UI_HOME")),
        "library": library is not None,
        "proxy": names_proxy(environ),
    }
    return frozenset(name for name, is_decided in decided.items() if is_decided)


def _database(address: str) -> str:
    """The message does not show the address, which may have a password."""
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
    """With the home for ~, which no shell puts into --library=~/loras, nor into the variables of a service."""
    return Path(os.path.expanduser(text))


def find_home(environ: Mapping[str, str]) -> Path:
    """HUB_UI_HOME, else what is saved in the usual home, else that."""
    if environ.get("HUB_UI_HOME"):
        return user_path(environ["HUB_UI_HOME"])
    usual = saved_settings.usual_home()
    return Path(saved_settings.read(usual).home or usual)
