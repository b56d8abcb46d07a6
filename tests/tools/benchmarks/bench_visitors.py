"""A hundred and five hundred visitors of a hosted page: they search, choose a filter, open a LoRA, make an image.

The page runs in a process of its own; the hubs and the visitors in this one. A visitor rests between two actions, as a
person who reads does. Of a list and of a panel, what the catalog has is timed apart from what the hubs add to it. All
of it is done again while one hub hangs and another fails.
"""

import asyncio
import gzip
import math
import os
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from itertools import count
from urllib.parse import quote, urlsplit

import psutil

from hub_ui.demo.hubs.folder import SAMPLES
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.programs import free_run_of_ports, started
from tests.tools.benchmarks.figures import Figure, limit, percentile

WORDS = ("", "red", "style", "anime", "portrait", "pixel", "ink", "watercolor", "flux", "character", "light", "film")
FILTERS = ("base=sdxl", "base=flux1", "base=pony", "kind=style", "kind=character")
OPENS = ("civitai:900102", "civitai:900103", "civitai:900104", "huggingface:hatbox/top-hat-tiny")
TRIES = ("huggingface:hatbox/top-hat-tiny", "huggingface:shapeworks/ink-outline-tiny", "civitai:900102")
# Between two actions, on average, and for how long there are any.
REST, SECONDS = 8.0, 60.0
# Of the visitors, so many make an image: two cores make about two a second, whoever waits for them.
MOST_IMAGES = 100
# Seconds for the slowest of twenty, by the number of visitors.
AIMS = {100: 0.12, 500: 0.5}
# Of a panel, also while its hub hangs.
OPEN_SECONDS = 10.0
# Of the page's memory from the end of the first round to the last.
MOST_GROWTH = 1.1
ASK = re.compile(r'hx-get="(ask\?[^"]*)"')
PINNED = re.compile(r'name="lora" value="([^"]+)"')
# One hub hangs, and another answers 500.
FAULTS = (
    Fault(kind="latency", hub="huggingface", seconds=60.0),
    Fault(kind="status", hub="civitai", status=500),
)
# The visitors of a bench share an address, and each wants an image within a minute.
LIMITS = {
    "HUB_UI_LIMIT_PEOPLE_PER_ADDRESS": "1000", "HUB_UI_LIMIT_CONNECTIONS_PER_ADDRESS": "2000",
    "HUB_UI_LIMIT_QUEUE": "200", "HUB_UI_LIMIT_SEARCHES_PER_MINUTE": "10000",
}  # fmt: skip
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
# An image may wait for those of all others, on two cores for some minutes.
PATIENCE = 300.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`seconds`: until its last bytes came."""

    status: int
    text: str
    location: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class HostedPage:
    url: str
    process: psutil.Popen

    @property
    def megabytes(self) -> float:
        return float(self.process.memory_info().rss / 1e6)


@dataclass(kw_only=True)
class Person:
    """With a cookie of their own, once they have opened the page. They are connections, all in one event loop: what a
    browser library would cost for each is more than what the page takes for an answer.
    """

    page: HostedPage
    cookie: str = ""

    async def arrive(self) -> None:
        await self.get("glossary")

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.ask("GET", path, headers or {})

    async def part(self, path: str, target: str) -> Answer:
        """As htmx asks for it."""
        return await self.ask("GET", path, {**PART, "HX-Target": target})

    async def post(self, path: str, form: str) -> Answer:
        return await self.ask("POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, form)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        address = urlsplit(self.page.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**24)
        more = {"Cookie": self.cookie} if self.cookie else {}
        sent = {"Host": address.netloc, "Connection": "close", "Accept-Encoding": "gzip", **headers, **more}
        if body:
            sent["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        start = time.perf_counter()
        writer.write(f"{method} /{path} HTTP/1.1\r\n{head}\r\n{body}".encode())
        async with asyncio.timeout(PATIENCE):
            lead = await reader.readuntil(b"\r\n\r\n")
            data = await reader.read()
        took = time.perf_counter() - start
        writer.close()
        lines = lead.decode().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.cookie = self.cookie or fields.get("set-cookie", "").partition(";")[0]
        text = (gzip.decompress(data) if fields.get("content-encoding") == "gzip" else data).decode(errors="replace")
        return Answer(status=int(lines[0].split()[1]), text=text, location=fields.get("location", ""), seconds=took)


@contextmanager
def hosted_page(hubs: HubEndpoints) -> Iterator[HostedPage]:
    port = free_run_of_ports()
    command = [sys.executable, "-m", "hub_ui", "serve", "--hosted", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environ = {**os.environ, **hubs.as_env(), **LIMITS, "HUB_UI_HOME": home}
        with started(*command, env=environ) as (_line, process):
            yield HostedPage(url=f"http://127.0.0.1:{port}/", process=process)


@dataclass(kw_only=True)
class Measures:
    """Seconds by action, and errors."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def keep(self, name: str, answer: Answer, sign: str) -> Answer:
        self.seconds[name].append(answer.seconds)
        if answer.status != 200 or sign not in answer.text:
            self.errors.append(f"{name}: {answer.status} {answer.text[:300]}")
        return answer


async def visit(
    person: Person, measures: Measures, chance: random.Random, rest: float, end: float, *, generates: bool
) -> None:
    """One person until `end`, who makes one image in that time if they make any (`generates`)."""
    now = asyncio.get_running_loop().time
    left = end - now()
    await asyncio.sleep(chance.uniform(0, min(rest, left)))
    await person.arrive()
    image_at = now() + chance.uniform(0, 0.7) * left if generates else math.inf
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
        pause = chance.uniform(0.5, 1.5) * rest
        if now() + pause >= end:
            return
        await asyncio.sleep(pause)


async def search(person: Person, address: str, name: str, measures: Measures) -> None:
    """As the page does: the list, then what the hubs add to it."""
    found = measures.keep(name, await person.part(f"?{address}", "main#main"), 'id="cards"')
    if ask := ASK.search(found.text):
        measures.keep(f"{name}, all hubs", await person.part(unescape(ask[1]), ""), "data: ")


async def open_lora(person: Person, ref: str, measures: Measures) -> None:
    measures.keep("open", await person.part(f"?open={quote(ref)}", "aside#panel"), "<h2")
    measures.keep("open, all", await person.get(f"lora/read?open={quote(ref)}"), "<h2")


async def generate(person: Person, ref: str, measures: Measures, chance: random.Random) -> None:
    """An image that nobody else has made, of the version that the panel's button is for."""
    panel = await person.part(f"?open={quote(ref)}", "aside#panel")
    found = PINNED.search(panel.text)
    lora = quote(unescape(found[1]) if found else ref)
    begun = await person.post("try", f"lora={lora}&prompt=a+red+circle&steps=4&seed={chance.randrange(2**31)}")
    job = begun.location.partition("job=")[2].partition("&")[0]
    told = await person.get(f"jobs/{job}") if job else begun
    measures.keep("try", told, 'class="proof"')


async def prepare(page: HostedPage) -> Measures:
    """A page that has been in use: the catalog knows the hubs, the LoRAs are on the disk, the base is loaded."""
    first, warm = Person(page=page), Measures()
    await first.arrive()
    for word in WORDS:
        await search(first, f"q={word}", "search", warm)
    for ref in OPENS:
        await open_lora(first, ref, warm)
    for ref in TRIES:
        await generate(first, ref, warm, random.Random(ref))
    return warm


async def load(page: HostedPage, number: int, rest: float, seconds: float, *, state: str = "") -> Measures:
    """What so many do. None of their images was made in another round, whose images are kept."""
    measures, end = Measures(), asyncio.get_running_loop().time() + seconds
    chances = (random.Random(f"{each} of {number}{state}") for each in range(number))
    people = (
        visit(Person(page=page), measures, chance, rest, end, generates=each < MOST_IMAGES)
        for each, chance in enumerate(chances)
    )
    await asyncio.gather(*people)
    return measures


def figures(*, numbers: Sequence[int] = (100, 500), rest: float = REST, seconds: float = SECONDS) -> Generator[Figure]:
    """Raises where somebody got an error."""
    early = 0.0
    with running_hubs(SAMPLES) as hubs, hosted_page(hubs) as page:
        errors = asyncio.run(prepare(page)).errors
        for state, faults in (("", ()), (", one hub hanging and one answering 500", FAULTS)):
            hubs.faults.add(*faults)
            for number in numbers:
                measures = asyncio.run(load(page, number, rest, seconds, state=state))
                for action, taken in sorted(measures.seconds.items()):
                    quick, slow = percentile(taken, 50), percentile(taken, 95)
                    print(f"{number} visitors{state}, {action}: {len(taken)}, p50 {quick:.2f} s, p95 {slow:.2f} s")
                if errors := [*errors, *measures.errors]:
                    raise AssertionError(f"{len(errors)} errors, the first: {errors[0]}")
                for what in ("search", "filter"):
                    slow, aim = percentile(measures.seconds[what] or [0.0], 95), AIMS.get(number, 0.5)
                    yield limit(f"p95 of {number} visitors{state}: {what}", slow, aim, against="the aim")
                slowest = max(measures.seconds["open, all"] or [0.0])
                yield limit(f"slowest panel of {number} visitors{state}", slowest, OPEN_SECONDS)
                early = early or page.megabytes
        late = page.megabytes
    yield Figure(
        name="memory in the end", ours=late, other=early, against="after the first round", target=MOST_GROWTH, unit="MB"
    )
