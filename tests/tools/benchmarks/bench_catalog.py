"""The catalog at a million LoRAs: a search with filters and facets against the same question on SQLite FTS5.

What is filled once is kept in the user's cache folder, or in HUB_UI_BENCH_FOLDER. `--loras N` is another number.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles

from platformdirs import user_cache_path

from connectors.query import Query, Range
from connectors.record import Kind
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.index import Index
from hub_ui.catalog.row import UNDER, row_of
from hub_ui.catalog.store import Store
from tests.tools.benchmarks.figures import Figure, interleaved, report
from tests.tools.benchmarks.fts5 import Fts5
from tests.tools.benchmarks.made_up_loras import KINDS, WORDS, made_up_loras

ROOT = Path(__file__).resolve().parents[3]
LORAS = 1_000_000
PAGE = 24
CARDS = 60
# Each base as a filter, and as the groups of a row.
BASES = {
    "pony": (f"sdxl{UNDER}pony",),
    "sdxl": tuple(f"sdxl{UNDER}{base}" for base in ("pony", "illustrious", "sdxl-1.0")),
    "flux1": (f"flux1{UNDER}flux.1-dev",),
}
# Of 75 words a LoRA, these are in at most a tenth of the LoRAs, and in nearly every one.
RARER = WORDS[110:]
COMMON = WORDS[:3]
MEMORY = """
import sys
from pathlib import Path
from connectors.query import Query
from hub_ui.catalog.catalog import Catalog
from tests.tools.benchmarks.figures import peak_memory
with Catalog.open(Path(sys.argv[1])) as opened:
    for text in ("anime", "style", "word300", ""):
        opened.search(Query(text=text, limit=60))
print(peak_memory() / 2**20)
"""


def questions(words: tuple[str, ...], count: int) -> list[Query]:
    """No two alike, since the catalog keeps counts that it has just answered."""
    kinds: Iterator[Kind] = cycle(KINDS)
    bases, ranks = cycle(BASES), cycle((4, 8, 16, 32, 64))
    step = max(1, len(words) // count)
    return [
        Query(
            text=word,
            bases=(next(bases),),
            kinds=(next(kinds), next(kinds)),
            rank=Range(least=next(ranks)),
            limit=CARDS,
        )
        for word in islice(cycle(words[::step]), count)
    ]


def seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def p95(times: list[float]) -> float:
    return quantiles(times, n=20, method="inclusive")[-1]


def search(catalog: Catalog, fts5: Fts5, words: tuple[str, ...], name: str, *, count: int, limit: float) -> Figure:
    asked = questions(words, count)
    ours = p95([seconds(partial(catalog.search, query)) for query in asked])
    other = p95([seconds(partial(fts5.ask, query, BASES[query.bases[0]])) for query in asked])
    return Figure(
        name=f"p95 of 3 filters, facets and {CARDS} cards, {name} (aim {limit:g} ms)",
        ours=ours,
        other=other,
        against="the same on SQLite FTS5",
        target=0.1,
    )


def rings(catalog: Catalog, fts5: Fts5, *, count: int) -> Figure:
    """A typo, a word that nothing has, and two that few have both: all rings are asked."""
    right = questions(RARER, count)
    texts = [f"{query.text[1:]} {other.text} qwrtz" for query, other in zip(right, right[1:] + right[:1], strict=True)]
    ours = p95([seconds(partial(catalog.search, replace(q, text=t))) for q, t in zip(right, texts, strict=True)])
    other = p95([seconds(partial(fts5.ask, query, BASES[query.bases[0]])) for query in right])
    name = "p95 of the same with all rings (aim 80 ms)"
    return Figure(name=name, ours=ours, other=other, against="one word, rightly spelled, on SQLite FTS5", target=0.5)


def first_search(catalog: Catalog, fts5: Fts5, *, runs: int) -> Figure:
    """What a search right after a page of new LoRAs pays for bringing the index up to date."""
    # Numbers that no LoRA has yet, however often this runs on what was filled once.
    starts = iter(range(time.time_ns() // 1_000, 2**62, PAGE))
    asked = iter(questions(RARER, runs))
    again = iter(questions(RARER, runs))

    def ours() -> float:
        catalog.add(made_up_loras(PAGE, next(starts)))
        return seconds(partial(catalog.search, next(asked)))

    def other() -> float:
        query = next(again)
        return seconds(partial(fts5.ask, query, BASES[query.bases[0]]))

    first, without = interleaved(ours, other, runs=runs)
    return Figure(
        name=f"first search after {PAGE} new (aim 60 ms)",
        ours=first,
        other=without,
        against="SQLite FTS5 with nothing new",
        target=1,
    )


def adding(count: int) -> Figure:
    loras = list(made_up_loras(count))
    rows = [(number, row_of(lora)) for number, lora in enumerate(loras)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Catalog.open(Path(folder) / "catalog.sqlite") as catalog,
        closing(Fts5(Path(folder) / "fts5.sqlite")) as fts5,
    ):
        ours = seconds(partial(catalog.add, loras))
        other = seconds(partial(fts5.add, rows))
    name = f"add, {count / ours:,.0f} LoRAs/s (aim 6,000)"
    return Figure(name=name, ours=ours, other=other, against="prepared rows into FTS5", target=8)


def building(path: Path) -> Figure:
    with closing(Store(path)) as store, tempfile.TemporaryDirectory() as folder:
        other = seconds(lambda: sum(1 for _ in store.rows()))
        index = Index(Path(folder))
        ours = seconds(partial(index.ask, store, lambda _state, searcher: searcher.num_docs))
        index.close()
    return Figure(name="index build (aim 60 s)", ours=ours, other=other, against="reading all rows", target=8)


def opening(path: Path, *, runs: int) -> Figure:
    def opened(of: Path) -> float:
        return seconds(lambda: Catalog.open(of).close())

    with empty() as other:
        ours, theirs = interleaved(partial(opened, path), partial(opened, other), runs=runs)
    return Figure(name="open", ours=ours, other=theirs, against="an empty one", target=1.2)


def memory(path: Path) -> Figure:
    def peak(of: Path) -> float:
        done = subprocess.run([sys.executable, "-c", MEMORY, str(of)], cwd=ROOT, capture_output=True, check=True)
        return float(done.stdout)

    with empty() as other:
        ours, theirs = peak(path), peak(other)
    return Figure(
        name="peak memory of four searches", ours=ours, other=theirs, against="an empty one", target=4, unit="MB"
    )


@contextmanager
def empty() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        with Catalog.open(path) as catalog:
            catalog.search(Query())
        yield path


def fill(folder: Path, loras: int) -> tuple[Path, Path]:
    """The catalog and the FTS5 file, filled where they aren't yet. What was begun is gone on with."""
    folder.mkdir(parents=True, exist_ok=True)
    path, other = folder / "catalog.sqlite", folder / "fts5.sqlite"
    with Catalog.open(path) as catalog:
        there = sum(catalog.stats().loras.values())
        if there < loras:
            print(f"Filling {folder} with {loras - there:,} LoRAs, once.", flush=True)
            catalog.add(made_up_loras(loras - there, there))
        catalog.search(Query())
    with closing(Fts5(other)) as fts5, closing(Store(path)) as store:
        if len(fts5) < loras:
            rows = ((number, row) for number, _, row in store.rows() if row is not None)
            fts5.add(islice(rows, len(fts5), loras))
    return path, other


def figures(folder: Path, loras: int, *, count: int, added: int) -> Iterator[Figure]:
    path, other = fill(folder, loras)
    with closing(Fts5(other)) as fts5, Catalog.open(path) as catalog:
        catalog.search(Query(limit=1))
        yield search(catalog, fts5, RARER, "up to 100,000 hits", count=count, limit=20)
        yield search(catalog, fts5, COMMON, "words that nearly all have", count=count // 2, limit=60)
        yield rings(catalog, fts5, count=count)
        yield first_search(catalog, fts5, runs=count // 4)
    yield adding(added)
    yield building(path)
    yield opening(path, runs=count)
    yield memory(path)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loras", type=int, default=LORAS)
    loras = parser.parse_args(arguments).loras
    cache = Path(os.environ.get("HUB_UI_BENCH_FOLDER") or user_cache_path("hub-ui") / "benchmarks")
    return report(figures(cache / f"catalog-{loras}", loras, count=40, added=20_000))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
