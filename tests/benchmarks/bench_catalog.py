"""The catalog at 20,000 LoRAs: search with the index against the scan without one, and what adding a page costs."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from connectors.claims.base_models import base_claims
from connectors.query import Query
from connectors.record import Claim, Example, Kind, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.store import Store
from tests.benchmarks.figures import Figure, interleaved, report

LORAS = 20_000
PAGE = 24
BASES = ("Pony", "Illustrious", "SDXL 1.0", "SD 1.5", "Flux.1 D", "Wan Video 14B t2v", "Somebody's own")
KINDS: tuple[Kind, ...] = ("character", "style", "concept", "tool")
# As in titles, few words are in many and many in few: the n-th is drawn about 1/n as often as the first.
WORDS = ("anime", "style", "pixel", "art", "ink", *(f"word{number}" for number in range(3_000)))
QUERIES = {
    "a common word": Query(text="anime"),
    "two words": Query(text="pixel art"),
    "a rare word": Query(text="word2500"),
    "a base model, by downloads": Query(bases=("sdxl",), sort="downloads"),
    "everything": Query(),
}


def sample(number: int) -> Lora:
    """About as much as a hub's listing says: a description, six pictures, one file."""
    draw = random.Random(number)
    text = partial(_text, draw)
    version = Ref(hub="civitai", id=str(number), version=str(number))
    file = WeightFile(
        ref=version.at(version.version, "1"), name=f"{text(2)}.safetensors", size=2**27, sha256=f"{number:064x}"
    )
    pictures = tuple(Example(url=f"https://images.invalid/{number}/{each}", prompt=text(8)) for each in range(6))
    return Lora(
        ref=version.lora,
        title=text(4),
        url=f"https://hub.invalid/models/{number}",
        creator=f"creator{int(200 * draw.random() ** 2)}",
        description=f"<p>{text(60)}</p>",
        downloads=int(10 ** (6 * draw.random())),
        tags=(text(1), text(1)),
        versions=(
            Version(
                ref=version,
                name="v1",
                files=(file,),
                examples=pictures,
                claims=base_claims(draw.choice(BASES), "hub", "baseModel"),
            ),
        ),
        claims=(Claim(field="kind", value=draw.choice(KINDS), source="hub", where="type"),),
    )


def _text(draw: random.Random, words: int) -> str:
    return " ".join(WORDS[int(len(WORDS) ** draw.random()) - 1] for _ in range(words))


def seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def searches(indexed: Catalog, scanned: Catalog) -> list[Figure]:
    figures = []
    for name, query in QUERIES.items():
        # The first of each warms up and shows that both answer the same.
        if indexed.search(query) != scanned.search(query):
            raise AssertionError(f"The index and the scan disagree about {name}.")
        ours, other = interleaved(
            partial(seconds, partial(indexed.search, query)), partial(seconds, partial(scanned.search, query)), runs=3
        )
        figures.append(
            Figure(name=f"search, {name}", ours=ours, other=other, against="by looking at every row", target=0.2)
        )
    return figures


def adding(indexed: Catalog) -> Figure:
    """A page of LoRAs never seen against the same page seen again, which is what most answers are."""
    pages = iter(
        [[sample(start + number) for number in range(PAGE)] for start in range(LORAS, LORAS + 10 * PAGE, PAGE)]
    )
    seen = [sample(number) for number in range(PAGE)]
    ours, other = interleaved(
        lambda: seconds(partial(indexed.add, next(pages))), lambda: seconds(partial(indexed.add, seen)), runs=7
    )
    return Figure(name=f"add {PAGE} new LoRAs", ours=ours, other=other, against="adding known ones again", target=5)


def first_search(indexed: Catalog) -> Figure:
    """What a search right after a page pays for bringing the index up to date."""
    pages = iter(
        [[sample(start + number) for number in range(PAGE)] for start in range(2 * LORAS, 2 * LORAS + 10 * PAGE, PAGE)]
    )
    query = QUERIES["a common word"]

    def after_adding() -> float:
        indexed.add(next(pages))
        return seconds(lambda: indexed.search(query))

    ours, other = interleaved(after_adding, lambda: seconds(lambda: indexed.search(query)), runs=7)
    return Figure(
        name=f"first search after {PAGE} new LoRAs", ours=ours, other=other, against="the next one", target=30
    )


def main() -> int:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "catalog.sqlite"
        with Catalog.open(path) as indexed, Catalog(Store(path), None) as scanned:
            filling = seconds(lambda: indexed.add(map(sample, range(LORAS))))
            building = seconds(lambda: indexed.search(Query()))
            rebuilt = Figure(
                name=f"build the index of {LORAS:,}", ours=building, other=filling, against="adding them", target=1
            )
            return report([rebuilt, *searches(indexed, scanned), adding(indexed), first_search(indexed)])


if __name__ == "__main__":
    sys.exit(main())
