"""Three hubs that answer after 100, 400 and 900 ms: how long until the first cards, and until all of them."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from connectors.connector import Connector
from connectors.query import Page, Query
from connectors.record import Lora
from connectors.ref import HubName, Ref
from hub_ui.app.services import Services
from hub_ui.catalog.catalog import Catalog
from hub_ui.settings import Settings
from tests.hub_ui.stand_ins import VERSIONS, Hub, lora, version
from tests.tools.benchmarks.figures import Figure, interleaved, seconds

QUERY = Query(text="ink", limit=24)
# Seconds. The slow one is what nobody can be faster than.
FAST, MIDDLE, SLOW, HANGING = 0.1, 0.4, 0.9, 60.0
PATIENCE = 2.0


@dataclass(kw_only=True)
class SlowHub(Hub):
    """A full page after `seconds`."""

    seconds: float

    def search(self, query: Query, cursor: str | None = None) -> Page:
        time.sleep(self.seconds)
        return Page(loras=tuple(sample(self.name, number) for number in range(query.limit)))


def sample(hub: HubName, number: int) -> Lora:
    ref = Ref(hub=hub, id=str(number) if hub == "civitai" else f"ada/ink-{number}")
    return lora(hub, ref=ref, title=f"Ink lines {number}", versions=(version(ref.at(VERSIONS[hub])),))


def hubs(*, hanging: bool = False) -> tuple[Connector, ...]:
    return (
        SlowHub(name="civitai", seconds=FAST),
        SlowHub(name="huggingface", seconds=MIDDLE),
        SlowHub(name="replicate", seconds=HANGING if hanging else SLOW),
    )


def arrivals(connectors: Sequence[Connector]) -> dict[str, float]:
    """Seconds until each hub's cards could be drawn: found, and in the catalog. Without a page there is no arrival."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, catalog(Path(folder)) as remembered:
        settings = Settings(home=Path(folder), library=Path(folder), lock=Path(folder) / "loras.lock")
        services = Services(settings, connectors, remembered)
        start = time.perf_counter()
        found = chain.from_iterable(services.lookup.search(QUERY, timeout=PATIENCE))
        return {answer.hub: time.perf_counter() - start for answer in found if answer.page is not None}


def catalog(folder: Path) -> Catalog:
    return Catalog.open(folder / "catalog.sqlite")


def alone(connector: Connector) -> float:
    return seconds(partial(connector.search, QUERY))


def figures(*, runs: int = 5) -> list[Figure]:
    fast, middle, slow = hubs()
    everything, slowest = interleaved(lambda: max(arrivals(hubs()).values()), lambda: alone(slow), runs=runs)
    first, fastest = interleaved(lambda: min(arrivals(hubs()).values()), lambda: alone(fast), runs=runs)
    others, unhurt = interleaved(
        lambda: max(arrivals(hubs(hanging=True)).values()), lambda: max(arrivals((fast, middle)).values()), runs=runs
    )
    return [
        Figure(name="all results", ours=everything, other=slowest, against="the slowest hub alone", target=1.1),
        # 50 ms on top of 100
        Figure(name="first cards", ours=first, other=fastest, against="the fastest hub alone", target=1.5),
        Figure(name="cards beside a hub that hangs", ours=others, other=unhurt, against="without it", target=1.1),
    ]
