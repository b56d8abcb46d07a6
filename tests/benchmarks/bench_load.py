"""A hundred visitors of a hosted page for three minutes: they search, choose a filter, open a LoRA, generate an image.

The page runs in a process of its own; the hubs and the visitors in this one. A visitor rests between two actions, as a
person who reads does. Times are of whole answers: until all hubs' results are there.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Any, cast

import psutil

from hub_ui.demo.hubs.faults import Fault
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from hub_ui.services import Services
from tests.benchmarks.figures import Figure, report
from tests.hub_ui.web.raw import Visitor

VISITORS = 100
SECONDS = 180.0
# Between two actions, on average.
REST = 8.0
WORDS = ("", "red", "style", "anime", "portrait", "pixel", "ink", "watercolor", "flux", "character", "light", "film")
FILTERS = ("base=sdxl", "base=flux1", "base=pony", "kind=style", "kind=character")
OPENS = ("civitai:900102", "civitai:900103", "civitai:900104", "huggingface:hatbox/top-hat-tiny")
TRIES = ("huggingface:hatbox/top-hat-tiny", "huggingface:shapeworks/ink-outline-tiny", "civitai:900102")
SEARCH_P95 = 0.5
GROWTH = 1.1
FAULTS = {
    "": (),
    ", one hub hanging and one answering 500": (
        Fault(kind="latency", hub="huggingface", seconds=60.0),
        Fault(kind="status", hub="civitai", status=500),
    ),
}


@dataclass(kw_only=True)
class Measures:
    """Seconds by action, errors, and the memory of the page's process in bytes by the second."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)

    def run(self, name: str, act: Callable[[], str]) -> None:
        start = time.perf_counter()
        said = act()
        self.seconds[name].append(time.perf_counter() - start)
        if said:
            self.errors.append(f"{name}: {said}")

    def percentile(self, name: str, percent: int) -> float:
        taken = sorted(self.seconds[name])
        return taken[min(len(taken) - 1, len(taken) * percent // 100)]


@contextmanager
def hosted_page(hubs: HubEndpoints) -> Iterator[tuple[Visitor, psutil.Process]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        origins = (hubs.huggingface, hubs.civitai, hubs.replicate, hubs.delivery)
        command = [sys.executable, "-m", "tests.benchmarks.hosted_server", home, *origins]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                url = process.stdout.readline().strip()
                # The services are in the other process.
                yield Visitor(url=url, services=cast("Services", None)), psutil.Process(process.pid)
            finally:
                process.terminate()


def visit(visitor: Visitor, numbers: dict[str, int], measures: Measures, chance: random.Random, end: float) -> None:
    """One person until `end`, who generates one image in that time."""
    left = end - time.monotonic()
    time.sleep(chance.uniform(0, min(REST, left)))
    tries = time.monotonic() + chance.uniform(0, 0.7) * left
    for number in count():
        if time.monotonic() >= tries:
            tries = end
            measures.run("try", lambda: generate(visitor, chance.choice(TRIES)))
        elif number % 3 == 0:
            measures.run("search", lambda: search(visitor, numbers, {"act": "search", "query": chance.choice(WORDS)}))
        elif number % 3 == 1:
            measures.run(
                "filter", lambda: search(visitor, numbers, {"act": "address", "query": chance.choice(FILTERS)})
            )
        else:
            measures.run("open", lambda: open_lora(visitor, numbers, chance.choice(OPENS)))
        rest = chance.uniform(0.5, 1.5) * REST
        if time.monotonic() + rest >= end:
            return
        time.sleep(rest)


def search(visitor: Visitor, numbers: dict[str, int], act: dict[str, Any]) -> str:
    for event in ("nav.act > state", "state.change > state"):
        if said := visitor.ask(numbers[event], [None, None], act).said:
            return said
    return ""


def open_lora(visitor: Visitor, numbers: dict[str, int], ref: str) -> str:
    act = {"act": "open", "ref": ref}
    for event in ("nav.act > state", "state.change > panel"):
        if said := visitor.ask(numbers[event], [None, None], act).said:
            return said
    return ""


def generate(visitor: Visitor, ref: str) -> str:
    seed = random.randrange(2**31)  # each makes an image of its own
    data = [[ref], "a red circle", None, "", None, seed, 4, None, None, None, False]
    asked = visitor.post("gradio_api/call/try", json={"data": data})
    if asked.status_code != 200:
        return asked.text
    with visitor.get(f"gradio_api/call/try/{asked.json()['event_id']}", stream=True) as stream:
        lines = [line.decode() for line in stream.iter_lines()]
    return "" if "event: complete" in lines else " ".join(lines)[-300:]


def load(hubs: HubEndpoints, faults: Sequence[Fault], *, visitors: int, seconds: float) -> Measures:
    """With a page that has been in use: the catalog knows the hubs, the LoRAs are on the disk, the base is loaded."""
    measures, chance = Measures(), random.Random(7)
    with hosted_page(hubs) as (visitor, process), ThreadPoolExecutor(visitors) as people:
        numbers = {event.what: event.number for event in visitor.events()}
        first = visitor.another()
        said = [search(first, numbers, {"act": "search", "query": word}) for word in WORDS]
        said += [open_lora(first, numbers, ref) for ref in OPENS]
        said += [generate(first, ref) for ref in TRIES]
        measures.errors += filter(None, said)
        hubs.faults.add(*faults)
        start, done = time.monotonic(), threading.Event()

        def watch() -> None:
            while not done.wait(1.0):
                measures.memory.append((time.monotonic() - start, process.memory_info().rss))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        visits = [
            people.submit(visit, visitor.another(), numbers, measures, random.Random(chance.random()), start + seconds)
            for _ in range(visitors)
        ]
        for each in visits:
            each.result()
        done.set()
        watcher.join()
    return measures


def growth(memory: Sequence[tuple[float, int]], seconds: float) -> tuple[float, float]:
    """Megabytes at the end and after the first third: medians of ten seconds each."""
    late = [size for at, size in memory if at >= seconds - 10] or [memory[-1][1]]
    early = [size for at, size in memory if seconds / 3 - 10 <= at <= seconds / 3] or [memory[0][1]]
    return median(late) / 1e6, median(early) / 1e6


def figures(*, visitors: int = VISITORS, seconds: float = SECONDS) -> Iterator[Figure]:
    for name, faults in FAULTS.items():
        with running_hubs(SAMPLES) as hubs:
            measures = load(hubs, faults, visitors=visitors, seconds=seconds)
        if measures.errors:
            raise AssertionError(f"{len(measures.errors)} errors, the first: {measures.errors[0]}")
        for action, taken in sorted(measures.seconds.items()):
            quick, slow = measures.percentile(action, 50), measures.percentile(action, 95)
            print(f"{visitors} visitors{name}, {action}: {len(taken)}, p50 {quick:.2f} s, p95 {slow:.2f} s", flush=True)
        slowest = measures.percentile("search", 95)
        yield Figure(
            name=f"search p95 of {visitors} visitors{name}",
            ours=slowest,
            other=SEARCH_P95,
            against="the aim",
            target=1.0,
        )
        late, early = growth(measures.memory, seconds)
        yield Figure(
            name=f"memory of {visitors} visitors{name}",
            ours=late,
            other=early,
            against="after a third of the time",
            target=GROWTH,
            unit="MB",
        )


if __name__ == "__main__":
    sys.exit(report(figures()))
