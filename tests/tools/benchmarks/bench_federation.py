"""Three hubs that answer after 100, 400 and 900 ms: how long until the first cards, and until all of them."""

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.connector import Connector, Download
from connectors.errors import NotFound
from connectors.query import Page, Query
from connectors.record import Lora, Version, WeightFile
from connectors.ref import HubName, Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.services import connect
from hub_ui.settings import Settings
from tests.tools.benchmarks.figures import Figure, interleaved, report

QUERY = Query(text="ink", limit=24)
# Seconds. The slow one is what nobody can be faster than.
FAST, MIDDLE, SLOW = 0.1, 0.4, 0.9
PATIENCE = 2.0


@dataclass(frozen=True, kw_only=True)
class SlowHub:
    """A full page after `seconds`; never, while `hangs`."""

    name: HubName
    seconds: float
    hangs: bool = False
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def label(self) -> str:
        return self.name

    def search(self, query: Query, cursor: str | None = None) -> Page:
        self.let_go.wait(60 if self.hangs else self.seconds)
        return Page(hub=self.name, loras=tuple(sample(self.name, number) for number in range(query.limit)))

    def get(self, ref: Ref) -> Lora:
        raise NotFound(f"{ref} is not here")

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        raise NotFound(f"{ref} is not here")

    def locate(self, ref: Ref) -> Download:
        raise NotFound(f"{ref} is not here")


def sample(hub: HubName, number: int) -> Lora:
    id_, version = (str(number), str(number)) if hub == "civitai" else (f"ada/ink-{number}", "a" * 40)
    ref = Ref(hub=hub, id=id_)
    file = WeightFile(ref=ref.at(version, "1"), name="ink.safetensors", size=876_544)
    versions = (Version(ref=ref.at(version), name="v1", files=(file,)),)
    return Lora(ref=ref, title=f"Ink lines {number}", url=f"https://hub.invalid/{id_}", versions=versions)


def hubs(*, hanging: bool = False) -> tuple[Connector, ...]:
    return (
        SlowHub(name="civitai", seconds=FAST),
        SlowHub(name="huggingface", seconds=MIDDLE),
        SlowHub(name="replicate", seconds=SLOW, hangs=hanging),
    )


def arrivals(connectors: Sequence[Connector]) -> dict[str, float]:
    """Seconds until each hub's cards could be drawn: found, and in the catalog. Without a page there is no arrival."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, catalog(Path(folder)) as remembered:
        settings = Settings(home=Path(folder), library=Path(folder), lock=Path(folder) / "loras.lock")
        services = connect(settings, connectors, remembered)
        start = time.perf_counter()
        found = services.lookup.search(QUERY, timeout=PATIENCE)
        return {answer.hub: time.perf_counter() - start for answer in found if answer.page is not None}


def catalog(folder: Path) -> Catalog:
    return Catalog.open(folder / "catalog.sqlite")


def alone(connector: Connector) -> float:
    start = time.perf_counter()
    connector.search(QUERY)
    return time.perf_counter() - start


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


if __name__ == "__main__":
    sys.exit(report(figures()))
