"""What a run of hub-ui is told from outside: folders, endpoints, keys. Read once, passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_data_path

from connectors.ref import HubName
from hub_ui.policy import HOSTED, LOCAL, Policy

ENDPOINT_VARIABLES: dict[HubName, str] = {
    "civitai": "CIVITAI_ENDPOINT",
    "huggingface": "HF_ENDPOINT",
    "replicate": "REPLICATE_ENDPOINT",
}
TOKEN_VARIABLES: dict[HubName, str] = {
    "civitai": "CIVITAI_TOKEN",
    "huggingface": "HF_TOKEN",
    "replicate": "REPLICATE_API_TOKEN",
}
REAL_ENDPOINTS: dict[HubName, str] = {
    "civitai": "https://civitai.com",
    "huggingface": "https://huggingface.co",
    "replicate": "https://api.replicate.com",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`home` holds catalog, queue and, unless told otherwise, the library. Tokens never appear in `repr`.

    `demo`: the hubs are local ones, so there is nowhere to load a base model from but this package.
    `names` is the template that files of the library are named by (see library/names.py), `connections` the most that
    one large file is fetched over.
    `allowed_hosts` are further names of this computer that the page answers to (see web/hosts.py).
    `read_headers`: whether the page reads the headers of the cards in view, about 100 kB each.
    """

    home: Path
    library: Path
    lock: Path
    endpoints: Mapping[HubName, str] = field(default_factory=lambda: dict(REAL_ENDPOINTS))
    tokens: Mapping[HubName, str] = field(default_factory=dict, repr=False)
    hosted: bool = False
    demo: bool = False
    read_headers: bool = True
    names: str | None = None
    connections: int = 4
    allowed_hosts: frozenset[str] = frozenset()

    @property
    def policy(self) -> Policy:
        return HOSTED if self.hosted else LOCAL

    @property
    def catalog(self) -> Path:
        return self.home / "catalog.sqlite"

    @property
    def queue(self) -> Path:
        return self.home / "queue.sqlite"


def from_environment(
    environ: Mapping[str, str],
    *,
    library: Path | None = None,
    lock: Path | None = None,
    hosted: bool = False,
    names: str | None = None,
) -> Settings:
    """The lock file lies beside the library folder it describes unless `lock` says otherwise."""
    home = Path(environ.get("HUB_UI_HOME") or user_data_path("hub-ui", appauthor=False))
    folder = library or home / "loras"
    return Settings(
        home=home,
        library=folder,
        lock=lock or folder / "loras.lock",
        endpoints={
            hub: (environ.get(name) or REAL_ENDPOINTS[hub]).rstrip("/") for hub, name in ENDPOINT_VARIABLES.items()
        },
        tokens={hub: environ[name] for hub, name in TOKEN_VARIABLES.items() if environ.get(name)},
        hosted=hosted,
        names=names or environ.get("HUB_UI_NAMES") or None,
        allowed_hosts=frozenset(environ.get("HUB_UI_ALLOWED_HOSTS", "").lower().replace(",", " ").split()),
        connections=_connections(environ.get("HUB_UI_CONNECTIONS", "")),
        read_headers=environ.get("HUB_UI_READ_HEADERS", "").lower() not in ("0", "no", "off", "false"),
    )


def _connections(text: str) -> int:
    """1 to 16; anything else is the usual 4."""
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text) <= 16 else 4
