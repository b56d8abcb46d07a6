"""A hundred visitors of a hosted page for three minutes: they search, choose a filter, open a LoRA, generate an image.

The page runs in a process of its own; the hubs and the visitors in this one. A visitor rests between two actions, as a
person who reads does. Of a list and of a panel, what the catalog has is timed apart from what the hubs add to it.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from urllib.parse import quote

from hub_ui.demo.hubs.folder import SAMPLES
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.tools.benchmarks.bench_visitors import AIMS, WORDS, ask_address
from tests.tools.benchmarks.figures import Figure, report
from tests.tools.benchmarks.hosted_page import FAULTS, Answer, HostedPage, Person, hosted_page, percentile

VISITORS = 100
SECONDS = 180.0
# Between two actions, on average.
REST = 8.0
FILTERS = ("base=sdxl", "base=flux1", "base=pony", "kind=style", "kind=character")
OPENS = ("civitai:900102", "civitai:900103", "civitai:900104", "huggingface:hatbox/top-hat-tiny")
TRIES = ("huggingface:hatbox/top-hat-tiny", "huggingface:shapeworks/ink-outline-tiny", "civitai:900102")
GROWTH = 1.1


@dataclass(kw_only=True)
class Measures:
    """Seconds by action, errors, and megabytes of the page's process by the second."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def keep(self, name: str, answer: Answer, sign: str) -> Answer:
        self.seconds[name].append(answer.seconds)
        if said := answer.said(sign):
            self.errors.append(f"{name}: {said}")
        return answer


async def visit(person: Person, measures: Measures, chance: random.Random, end: float) -> None:
    """One person until `end`, who generates one image in that time."""
    now = asyncio.get_running_loop().time
    left = end - now()
    await asyncio.sleep(chance.uniform(0, min(REST, left)))
    await person.arrive()
    image_at = now() + chance.uniform(0, 0.7) * left
    first = chance.randrange(len(OPENS))
    for number in count():
        if now() >= image_at:
            image_at = math.inf
            await generate(person, chance.choice(TRIES), measures, chance)
        elif number % 3 == 0:
            await search(person, f"q={chance.choice(WORDS)}", "search", measures)
        elif number % 3 == 1:
            await search(person, chance.choice(FILTERS), "filter", measures)
        else:
            await open_lora(person, OPENS[(first + number // 3) % len(OPENS)], measures)
        rest = chance.uniform(0.5, 1.5) * REST
        if now() + rest >= end:
            return
        await asyncio.sleep(rest)


async def search(person: Person, address: str, name: str, measures: Measures) -> None:
    found = measures.keep(name, await person.part(f"?{address}", "main#main"), 'id="cards"')
    if ask := ask_address(found.text):
        measures.keep(f"{name}, all hubs", await person.part(ask, ""), "data: ")


async def open_lora(person: Person, ref: str, measures: Measures) -> None:
    measures.keep("open", await person.part(f"?open={quote(ref)}", "aside#panel"), "<h2")
    measures.keep("open, all", await person.get(f"lora/read?open={quote(ref)}"), "<h2")


async def generate(person: Person, ref: str, measures: Measures, chance: random.Random) -> None:
    """An image that nobody else has made."""
    begun = await person.post("try", f"lora={quote(ref)}&prompt=a+red+circle&steps=4&seed={chance.randrange(2**31)}")
    job = begun.location.partition("job=")[2].partition("&")[0]
    told = await person.get(f"jobs/{job}?view=try") if job else begun
    measures.keep("try", told, 'class="proof"')


async def watch(page: HostedPage, measures: Measures, seconds: float) -> None:
    for second in range(math.ceil(seconds)):
        measures.memory.append((second, page.megabytes))
        await asyncio.sleep(1)


async def load(
    hubs: HubEndpoints, page: HostedPage, faults: Sequence[Fault], visitors: int, seconds: float
) -> Measures:
    """With a page that has been in use: the catalog knows the hubs, the LoRAs are on the disk, the base is loaded."""
    warm, measures, first = Measures(), Measures(), Person(page=page)
    await first.arrive()
    for word in WORDS:
        await search(first, f"q={word}", "search", warm)
    for ref in OPENS:
        await open_lora(first, ref, warm)
    for ref in TRIES:
        await generate(first, ref, warm, random.Random(ref))
    measures.errors += warm.errors
    hubs.faults.add(*faults)
    end = asyncio.get_running_loop().time() + seconds
    people = [visit(Person(page=page), measures, random.Random(number), end) for number in range(visitors)]
    await asyncio.gather(watch(page, measures, seconds), *people)
    return measures


def growth(memory: Sequence[tuple[float, float]], seconds: float) -> tuple[float, float]:
    """Megabytes at the end and after the first third: medians of ten seconds each."""
    late = [size for at, size in memory if at >= seconds - 10] or [memory[-1][1]]
    early = [size for at, size in memory if seconds / 3 - 10 <= at <= seconds / 3] or [memory[0][1]]
    return median(late), median(early)


def figures(*, visitors: int = VISITORS, seconds: float = SECONDS) -> Generator[Figure]:
    for name, faults in (("", ()), (", one hub hanging and one answering 500", FAULTS)):
        with running_hubs(SAMPLES) as hubs, hosted_page(hubs) as page:
            measures = asyncio.run(load(hubs, page, faults, visitors, seconds))
        if measures.errors:
            raise AssertionError(f"{len(measures.errors)} errors, the first: {measures.errors[0]}")
        for action, taken in sorted(measures.seconds.items()):
            quick, slow = percentile(taken, 50), percentile(taken, 95)
            print(f"{visitors} visitors{name}, {action}: {len(taken)}, p50 {quick:.2f} s, p95 {slow:.2f} s", flush=True)
        for what in ("search", "filter"):
            slow = percentile(measures.seconds[what] or [0.0], 95)
            yield Figure(
                name=f"p95 of {visitors} visitors{name}: {what}", ours=slow, other=AIMS.get(visitors, 0.5),
                against="the aim", target=1,
            )  # fmt: skip
        late, early = growth(measures.memory, seconds)
        yield Figure(
            name=f"memory of {visitors} visitors{name}", ours=late, other=early, against="after a third of the time",
            target=GROWTH, unit="MB",
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(report(figures()))
