"""The local hubs, with faults on request in front of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from connectors.ref import HubName
from hub_ui.demo.hubs import server
from hub_ui.demo.hubs.folder import Origins
from hub_ui.demo.hubs.replicate_store import SECONDS
from tests.faults import Faults, Faulty
from tests.huggingface_spaces import HubWithSpaces

Around = Callable[[str, ASGIApp], ASGIApp]


def apps_behind(around: Around, **options: Any) -> Callable[[Path, Origins], Mapping[str, ASGIApp]]:
    """The hubs with something in front of each, which is made from its name."""
    return lambda data, origins: {
        name: around(name, app) for name, app in server.hub_apps(data, origins, **options).items()
    }


@dataclass(frozen=True, kw_only=True)
class HubEndpoints(Origins):
    """The origins of the running hubs, and their pending faults."""

    faults: Faults = field(default_factory=Faults)

    @property
    def by_name(self) -> dict[HubName, str]:
        return {"civitai": self.civitai, "huggingface": self.huggingface, "replicate": self.replicate}


@contextmanager
def running_hubs(
    data: Path, *, port: int = 0, around: Around | None = None, run_seconds: float = SECONDS
) -> Iterator[HubEndpoints]:
    """As `server.running_hubs`. `around` stands outside the faults."""
    faults = Faults()

    def both(name: str, app: ASGIApp) -> ASGIApp:
        faulty = Faulty(app=app, hub=name, faults=faults)
        return around(name, faulty) if around else faulty

    apps = apps_behind(both, run_seconds=run_seconds, huggingface=HubWithSpaces)
    with server.running_hubs(data, port=port, apps=apps) as origins:
        try:
            yield HubEndpoints(**vars(origins), faults=faults)
        finally:
            faults.stop()
