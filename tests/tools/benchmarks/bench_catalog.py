"""The catalog at a million LoRAs: a search with filters and facets against the same question on SQLite FTS5.

What is filled once is kept in the user's cache folder, or in HUB_UI_BENCH_FOLDER. HUB_UI_BENCH_LORAS is another number.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from connectors.query import Query, Range
from connectors.record import Kind
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.index import Index
from hub_ui.catalog.row import UNDER, Row, row_of
from hub_ui.catalog.search import step
from hub_ui.catalog.store import Store
from tests.programs import python
from tests.tools.benchmarks.figures import Figure, interleaved, percentile, seconds
from tests.tools.benchmarks.made_up_loras import KINDS, WORDS, made_up_loras

LORAS = int(os.environ.get("HUB_UI_BENCH_LORAS", 1_000_000))
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


_FACETS = ("hub", "base", "kind", "rank", "size_step", "license", "access", "nsfw", "creator")
_SCORED = "bm25(texts, 10.0, 5.0, 3.0, 1.0) AS score"


class Fts5:
    """The catalog's question on SQLite alone: full text in FTS5, filters and facets in SQL.

    One file of LoRAs. Its columns have what a row has, so that only asking is compared.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS loras (id INTEGER PRIMARY KEY, {', '.join(_FACETS)})")
        self._connection.execute("CREATE TABLE IF NOT EXISTS tags (lora, tag, PRIMARY KEY (lora, tag)) WITHOUT ROWID")
        self._connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(title, words, tags, about, content='')"
        )

    def close(self) -> None:
        self._connection.close()

    def __len__(self) -> int:
        [(count,)] = self._connection.execute("SELECT count(*) FROM loras")
        return int(count)

    def add(self, rows: Iterable[tuple[int, Row]]) -> None:
        self._connection.execute("BEGIN")
        for number, row in rows:
            base = row.groups[0] if row.groups else None
            size = row.numbers["size"]
            end = None if size is None else step("size", size)
            first = {name: next(iter(names), None) for name, names in row.names.items()}
            lists = (first["license"], first["access"], row.nsfw, first["creators"])
            values = (first["hubs"], base, first["kind"], row.numbers["rank"], end, *lists)
            self._connection.execute(f"INSERT INTO loras VALUES (?{', ?' * len(values)})", (number, *values))
            tags = [(number, tag) for tag in set(row.names["tags"])]
            self._connection.executemany("INSERT INTO tags VALUES (?, ?)", tags)
            self._connection.execute(
                "INSERT INTO texts (rowid, title, words, tags, about) VALUES (?, ?, ?, ?, ?)",
                (number, row.title, row.words, row.tag_words, row.about),
            )
        self._connection.execute("COMMIT")

    def ask(self, query: Query) -> list[Any]:
        """The best 60 and the counts of every facet, each without its own filter."""
        bases, kinds = (", ".join(f"'{name}'" for name in names) for names in (BASES[query.bases[0]], query.kinds))
        least = query.rank.least if query.rank else 0
        conditions = {"base": f"base IN ({bases})", "kind": f"kind IN ({kinds})", "rank": f"rank >= {least}"}

        def but(facet: str) -> str:
            return " AND ".join(sql for name, sql in conditions.items() if name != facet)

        run = self._connection.execute
        run("DROP TABLE IF EXISTS temp.hits")
        run(
            f"""CREATE TEMP TABLE hits AS SELECT loras.*, {_SCORED} FROM texts JOIN loras ON loras.id = texts.rowid
                WHERE texts MATCH ? AND nsfw <= 1""",
            (query.text,),
        )
        found: list[Any] = [
            run(f"SELECT id FROM hits WHERE {but('')} ORDER BY score LIMIT 60").fetchall(),
            run(f"SELECT count(*) FROM hits WHERE {but('')}").fetchall(),
            run(
                f"""SELECT tag, count(*) AS n FROM hits JOIN tags ON lora = id WHERE {but("")}
                    GROUP BY tag ORDER BY n DESC, tag LIMIT 20"""
            ).fetchall(),
        ]
        for facet in _FACETS:
            counts = f"SELECT {facet}, count(*) AS n FROM hits WHERE {but(facet)} GROUP BY {facet} ORDER BY n DESC"
            found.append(run(f"{counts} LIMIT 1000").fetchall())
        return found


def questions(words: tuple[str, ...], count: int) -> list[Query]:
    """No two alike, since the catalog keeps counts that it has just answered."""
    kinds: Iterator[Kind] = cycle(KINDS)
    bases, ranks = cycle(BASES), cycle((4, 8, 16, 32, 64))
    every = max(1, len(words) // count)
    return [
        Query(
            text=word, bases=(next(bases),), kinds=(next(kinds), next(kinds)), rank=Range(least=next(ranks)),
            limit=CARDS,
        )
        for word in islice(cycle(words[::every]), count)
    ]  # fmt: skip


def p95(ask: Callable[[Query], object], asked: Iterable[Query]) -> float:
    return percentile([seconds(partial(ask, query)) for query in asked], 95)


def search(catalog: Catalog, fts5: Fts5, words: tuple[str, ...], name: str, *, count: int, limit: float) -> Figure:
    asked = questions(words, count)
    name = f"p95 of 3 filters, facets and {CARDS} cards, {name} (aim {limit:g} ms)"
    ours, other = p95(catalog.search, asked), p95(fts5.ask, asked)
    return Figure(name=name, ours=ours, other=other, against="the same on SQLite FTS5", target=0.1)


def rings(catalog: Catalog, fts5: Fts5, *, count: int) -> Figure:
    """A typo, a word that nothing has, and two that few have both: all rings are asked."""
    right = questions(RARER, count)
    texts = [f"{query.text[1:]} {other.text} qwrtz" for query, other in zip(right, right[1:] + right[:1], strict=True)]
    asked = [replace(query, text=text) for query, text in zip(right, texts, strict=True)]
    name, against = "p95 of the same with all rings (aim 80 ms)", "one word, rightly spelled, on SQLite FTS5"
    return Figure(name=name, ours=p95(catalog.search, asked), other=p95(fts5.ask, right), against=against, target=0.5)


def first_search(catalog: Catalog, fts5: Fts5, *, runs: int) -> Figure:
    """What a search right after a page of new LoRAs pays for bringing the index up to date."""
    # Numbers that no LoRA has yet, however often this runs on what was filled once.
    starts = iter(range(time.time_ns() // 1_000, 2**62, PAGE))
    asked, again = iter(questions(RARER, runs)), iter(questions(RARER, runs))

    def ours() -> float:
        catalog.add(made_up_loras(PAGE, next(starts)))
        return seconds(partial(catalog.search, next(asked)))

    first, without = interleaved(ours, lambda: seconds(partial(fts5.ask, next(again))), runs=runs)
    name = f"first search after {PAGE} new (aim 60 ms)"
    return Figure(name=name, ours=first, other=without, against="SQLite FTS5 with nothing new", target=1)


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
        ours = seconds(partial(index.run, store, lambda _state, searcher: searcher.num_docs))
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
        return float(python("-c", MEMORY, str(of)).stdout)

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


def figures(*, loras: int = LORAS, count: int = 40, added: int = 20_000) -> Iterator[Figure]:
    cache = Path(os.environ.get("HUB_UI_BENCH_FOLDER") or user_cache_path("hub-ui") / "benchmarks")
    path, other = fill(cache / f"catalog-{loras}", loras)
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
