"""A hundred visitors of a hosted page for three minutes: they search, choose a filter, open a LoRA, generate an image.

The page runs in a process of its own; the hubs and the visitors in this one. A visitor rests between two actions, as a
person who reads does. Times are of whole answers, until all hubs' results are there, and of what is shown
at first.
"""

from __future__ import annotations

import math
import random
import re
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
from functools import partial
from itertools import count
from statistics import median
from typing import cast

import psutil

from hub_ui.demo.hubs.faults import Fault
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from hub_ui.services import Services
from tests.benchmarks.figures import Figure, report
from tests.hub_ui.web.raw import Visitor

OnStep = Callable[[str], None]
VISITORS = 100
SECONDS = 180.0
# Between two actions, on average.
REST = 8.0
WORDS = ("", "red", "style", "anime", "portrait", "pixel", "ink", "watercolor", "flux", "character", "light", "film")
FILTERS = ("base=sdxl", "base=flux1", "base=pony", "kind=style", "kind=character")
OPENS = ("civitai:900102", "civitai:900103", "civitai:900104", "huggingface:hatbox/top-hat-tiny")
TRIES = ("huggingface:hatbox/top-hat-tiny", "huggingface:shapeworks/ink-outline-tiny", "civitai:900102")
# In what is shown: a card of the list, and the title of the open LoRA.
LIST, PANEL = "<article", "<h2"
SEARCH_P95 = 0.5
GROWTH = 1.1
FAULTS = {
    "": (),
    ", one hub hanging and one answering 500": (
        Fault(kind="latency", hub="huggingface", seconds=60.0),
        Fault(kind="status", hub="civitai", status=500),
    ),
}


def ignore(message: str) -> None:
    """For who wants to know the end only."""


@dataclass(kw_only=True)
class Measures:
    """Seconds by action, errors, and the memory of the page's process in bytes by the second."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)

    def run(self, name: str, act: Callable[[OnStep], str], sign: str = "") -> None:
        """Also until something with the `sign` is shown, if it has one."""
        start, shown = time.perf_counter(), list[float]()

        def on_step(message: str) -> None:
            if sign and not shown and re.search(sign, message):
                shown.append(time.perf_counter() - start)

        said = act(on_step)
        self.seconds[name].append(time.perf_counter() - start)
        if sign:
            self.seconds[f"{name}, at first"].append(shown[0] if shown else self.seconds[name][-1])
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


def visit(
    visitor: Visitor,
    tries: Sequence[str],
    measures: Measures,
    chance: random.Random,
    end: float,
) -> None:
    """One person until `end`, who generates one image with one of `tries` in that time."""
    left = end - time.monotonic()
    time.sleep(chance.uniform(0, min(REST, left)))
    image_at = time.monotonic() + chance.uniform(0, 0.7) * left
    first = chance.randrange(len(OPENS))
    for number in count():
        if time.monotonic() >= image_at:
            image_at = math.inf
            measures.run("try", lambda _on_step: generate(visitor, chance.choice(tries)))
        elif number % 3 == 0:
            measures.run("search", partial(search, visitor, f"?q={chance.choice(WORDS)}"), LIST)
        elif number % 3 == 1:
            measures.run("filter", partial(search, visitor, f"?{chance.choice(FILTERS)}"), LIST)
        else:
            # Never the one that is open.
            ref = OPENS[(first + number // 3) % len(OPENS)]
            measures.run("open", partial(open_lora, visitor, ref), PANEL)
        rest = chance.uniform(0.5, 1.5) * REST
        if time.monotonic() + rest >= end:
            return
        time.sleep(rest)


def search(visitor: Visitor, address: str, on_step: OnStep = ignore) -> str:
    """The page, then what each hub adds to it."""
    answer = visitor.get(address)
    on_step(answer.text)
    for message in visitor.stream(f"ask{address}"):
        on_step(message)
    return "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"


def open_lora(visitor: Visitor, ref: str, on_step: OnStep = ignore) -> str:
    told = list[str]()
    for message in visitor.stream(f"lora/read?open={ref}"):
        told.append(message)
        on_step(message)
    return "" if any(PANEL in text for text in told) else f"nothing of {ref} is shown"


def pin(visitor: Visitor, ref: str) -> str:
    """As the button of a card has it."""
    return str(visitor.call("show", ref=ref).data[0]["ref"])


def generate(visitor: Visitor, ref: str) -> str:
    seed = random.randrange(2**31)  # each makes an image of its own
    return visitor.call("try", refs=ref, prompt="a red circle", seed=seed, steps=4).said


def load(hubs: HubEndpoints, faults: Sequence[Fault], *, visitors: int, seconds: float) -> Measures:
    """With a page that has been in use: the catalog knows the hubs, the LoRAs are on the disk, the base is loaded."""
    measures = Measures()
    with hosted_page(hubs) as (visitor, process), ThreadPoolExecutor(visitors) as people:
        first = visitor.with_cookie()
        said = [search(first, f"?q={word}") for word in WORDS]
        said += [open_lora(first, ref) for ref in OPENS]
        tries = [pin(first, ref) for ref in TRIES]
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
