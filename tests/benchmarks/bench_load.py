"""A hundred visitors of a hosted page for three minutes: they search, choose a filter, open a LoRA, generate an image.

The page runs in a process of its own; the hubs and the visitors in this one. A visitor rests between two actions, as a
person who reads does. The time of a search is that of the list from the catalog; of what the hubs add to it, apart,
that of the whole stream. After these minutes everybody searches at one moment.
"""

from __future__ import annotations

import math
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
from typing import cast
from urllib.parse import quote

import psutil

from hub_ui.demo.hubs.faults import Fault
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from hub_ui.services import Services
from tests.benchmarks.figures import Figure, report
from tests.hub_ui.web.conftest import PART
from tests.hub_ui.web.raw import Visitor

VISITORS = 100
SECONDS = 180.0
# Between two actions, on average.
REST = 8.0
WORDS = ("", "red", "style", "anime", "portrait", "pixel", "ink", "watercolor", "flux", "character", "light", "film")
FILTERS = ("base=sdxl", "base=flux1", "base=pony", "kind=style", "kind=character")
OPENS = ("civitai:900102", "civitai:900103", "civitai:900104", "huggingface:hatbox/top-hat-tiny")
TRIES = ("huggingface:hatbox/top-hat-tiny", "huggingface:shapeworks/ink-outline-tiny", "civitai:900102")
# Seconds. Whoever opens a LoRA of a hub that hangs hears so.
SEARCH_P95, HANGING_SECONDS = 0.12, 10.0
GROWTH, MOST_MB = 1.1, 400
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
    before_torch: int = 0

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


def visit(visitor: Visitor, tries: Sequence[str], measures: Measures, chance: random.Random, end: float) -> None:
    """One person until `end`, who generates one image with one of `tries` in that time."""
    left = end - time.monotonic()
    time.sleep(chance.uniform(0, min(REST, left)))
    image_at = time.monotonic() + chance.uniform(0, 0.7) * left
    first = chance.randrange(len(OPENS))
    for number in count():
        if time.monotonic() >= image_at:
            image_at = math.inf
            measures.run("try", lambda: generate(visitor, chance.choice(tries)))
        elif number % 3 < 2:
            address = f"q={chance.choice(WORDS)}" if number % 3 == 0 else chance.choice(FILTERS)
            measures.run("search", lambda a=address: part(visitor, f"?{a}", "main#main", 'id="cards"'))  # type: ignore[misc]
            measures.run("hubs", lambda a=address: hear(visitor, f"ask?{a}", "</"))  # type: ignore[misc]
        else:
            ref = quote(OPENS[(first + number // 3) % len(OPENS)])
            measures.run("open", lambda r=ref: part(visitor, f"?open={r}", "aside#panel", "<h2"))  # type: ignore[misc]
            measures.run("read", lambda r=ref: hear(visitor, f"lora/read?open={r}", "<h2"))  # type: ignore[misc]
        rest = chance.uniform(0.5, 1.5) * REST
        if time.monotonic() + rest >= end:
            return
        time.sleep(rest)


def part(visitor: Visitor, path: str, target: str, sign: str) -> str:
    """What is wrong with a part of a page, as htmx asks for it."""
    answer = visitor.request("GET", path, headers={**visitor.headers, **PART, "HX-Target": target})
    return "" if answer.status_code == 200 and sign in answer.text else f"{answer.status_code} {answer.text[:300]}"


def hear(visitor: Visitor, path: str, sign: str) -> str:
    """What is wrong with a stream, read to its end."""
    told = "".join(visitor.stream(path))
    return "" if sign in told else f"{path}: {told[:300]}"


def generate(visitor: Visitor, ref: str) -> str:
    # Each makes an image of its own.
    answer = visitor.call("try", refs=[ref], prompt="a red circle", seed=random.randrange(2**31), steps=4)
    return answer.said if answer.status == 200 else f"{answer.status} {answer.said}"


def load(hubs: HubEndpoints, faults: Sequence[Fault], *, visitors: int, seconds: float) -> Measures:
    """With a page that has been in use: the catalog knows the hubs, the LoRAs are on the disk, the base is loaded."""
    measures = Measures()
    with hosted_page(hubs) as (visitor, process), ThreadPoolExecutor(visitors) as people:
        first, start = visitor.with_cookie(), time.monotonic()
        said = [hear(first, f"ask?q={word}", "</") for word in WORDS]
        said += [hear(first, f"lora/read?open={quote(ref)}", "<h2") for ref in OPENS]
        measures.before_torch = process.memory_info().rss
        tries = [str(first.call("show", ref=ref).data[0]["ref"]) for ref in TRIES]
        said += [generate(first, ref) for ref in tries]
        measures.errors += filter(None, said)
        hubs.faults.add(*faults)
        start, done = time.monotonic(), threading.Event()

        def watch() -> None:
            while not done.wait(1.0):
                measures.memory.append((time.monotonic() - start, process.memory_info().rss))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        visits = [
            people.submit(visit, visitor.with_cookie(), tries, measures, random.Random(number), start + seconds)
            for number in range(visitors)
        ]
        for each in visits:
            each.result()
        at_once = [people.submit(search_at_once, visitor, measures, random.Random(n)) for n in range(visitors)]
        for each in at_once:
            each.result()
        if faults:
            measures.run("open where a hub hangs", lambda: hear(first, f"lora/read?open={quote(HANGS)}", "</"))
            measures.run("try where a hub hangs", lambda: first.get(f"?view=try&lora={quote(HANGS)}").reason and "")
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
        for what in ("search", "search, at first", "filter, at first"):
            yield Figure(
                name=f"p95 of {visitors} visitors{name}: {what}",
                ours=measures.percentile(what, 95),
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
