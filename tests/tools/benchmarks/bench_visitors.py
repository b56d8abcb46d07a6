"""A hundred and five hundred visitors of a hosted page who search and read on, also while hubs fail.

What is timed of a search is the list from the catalog. What the hubs add to it is a stream, which is timed apart. A
visitor rests between two searches, as a person who reads does.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote

from hub_ui.demo.hubs.folder import SAMPLES
from tests.faulty_hubs import running_hubs
from tests.tools.benchmarks.figures import Figure, report
from tests.tools.benchmarks.hosted_page import FAULTS, Answer, HostedPage, Person, hosted_page, percentile

WORDS = ("", "red", "style", "anime", "portrait", "pixel", "ink", "watercolor", "flux", "character", "light", "film")
# Between two searches, and for how long there are any.
REST, SECONDS = 8.0, 24.0
# Seconds for the slowest of twenty, by the number of visitors.
AIMS = {100: 0.12, 500: 0.5}
# Before a base is loaded, which takes what PyTorch takes.
MOST_MB, MOST_GROWTH = 400, 1.1
# Of a hub that hangs: never opened before.
HANGS, OPEN_SECONDS = "huggingface:hatbox/top-hat-tiny", 10.0
ASK = re.compile(r'hx-get="(ask\?[^"]*)"')


@dataclass(kw_only=True)
class Heard:
    searches: list[Answer] = field(default_factory=list)
    streams: list[Answer] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        said = [each.said('id="cards"') for each in self.searches] + [each.said("data: ") for each in self.streams]
        return [text for text in said if text]


async def search(person: Person, word: str, heard: Heard) -> None:
    """As the page does: the list, then what the hubs add to it."""
    found = await person.part(f"?q={word}", "main#main")
    heard.searches.append(found)
    if ask := ask_address(found.text):
        heard.streams.append(await person.part(ask, ""))


def ask_address(text: str) -> str:
    """Where the page then asks the hubs."""
    found = ASK.search(text)
    return unescape(found[1]) if found else ""


async def visit(page: HostedPage, heard: Heard, chance: random.Random, *, rest: float, seconds: float) -> None:
    person, end = Person(page=page), asyncio.get_running_loop().time() + seconds
    await asyncio.sleep(chance.uniform(0, rest))
    await person.arrive()
    while asyncio.get_running_loop().time() < end:
        await search(person, chance.choice(WORDS), heard)
        await asyncio.sleep(chance.uniform(0.5, 1.5) * rest)


async def open_and_try(person: Person, ref: str) -> list[Answer]:
    """What its panel says in the end, and what the stage of a first try does."""
    panel = await person.get(f"lora/read?open={quote(ref)}")
    begun = await person.post("try", f"lora={quote(ref)}&prompt=a+hat")
    job = begun.location.partition("job=")[2].partition("&")[0]
    return [panel, begun, *([await person.get(f"jobs/{job}?view=try")] if job else [])]


async def measure(page: HostedPage, number: int, state: str, *, rest: float, seconds: float) -> Figure:
    """Raises where somebody got an error."""
    heard, work = Heard(), page.work
    await asyncio.gather(
        *(visit(page, heard, random.Random(each), rest=rest, seconds=seconds) for each in range(number))
    )
    work = page.work - work
    if heard.wrong:
        raise AssertionError(f"{len(heard.wrong)} of {len(heard.searches)} failed: {heard.wrong[0]}")
    first, last = ([getattr(each, name) for each in heard.streams] or [0.0] for name in ("first", "seconds"))
    print(
        f"{number} visitors{state}: {len(heard.searches)} searches in {seconds:.0f} s, {page.megabytes:.0f} MB, "
        f"{1000 * work / len(heard.searches):.1f} ms of a processor each with their streams; "
        f"p95 of a stream: first {percentile(first, 95):.2f} s, last {percentile(last, 95):.2f} s",
        flush=True,
    )
    slow = percentile([answer.seconds for answer in heard.searches], 95)
    return Figure(
        name=f"p95 of a search, {number} visitors{state}", ours=slow, other=AIMS.get(number, 0.5), against="the aim",
        target=1,
    )  # fmt: skip


def figures(*, numbers: Sequence[int] = (100, 500), rest: float = REST, seconds: float = SECONDS) -> Iterator[Figure]:
    with running_hubs(SAMPLES) as hubs, hosted_page(hubs) as page:
        first = Person(page=page)
        for word in WORDS:
            asyncio.run(search(first, word, Heard()))
        early = 0.0
        for state, faults in (("", ()), (", one hub hanging and one answering 500", FAULTS)):
            hubs.faults.add(*faults)
            for number in numbers:
                yield asyncio.run(measure(page, number, state, rest=rest, seconds=seconds))
                early = early or page.megabytes
        told = asyncio.run(open_and_try(first, HANGS))
        slowest, late = max(answer.seconds for answer in told), page.megabytes
    yield Figure(
        name="opening a LoRA of a hub that hangs, or a first try", ours=slowest, other=OPEN_SECONDS,
        against="the limit", target=1,
    )  # fmt: skip
    yield Figure(name="memory in the end", ours=late, other=MOST_MB, against="the limit", target=1, unit="MB")
    yield Figure(name="memory in the end", ours=late, other=early, against="at first", target=MOST_GROWTH, unit="MB")


if __name__ == "__main__":
    sys.exit(report(figures()))
