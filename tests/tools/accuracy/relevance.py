"""How good the order of search results is: nDCG@10 over judged lists, of ours, of SQLite's FTS5, of popularity.

`search_queries.tsv` has 194 queries as people type them, judged by a rule (see judging.py). One half of them is "seen":
the search was made with it. The "unseen" half is only measured. The 74 "long" ones have three to eight words.

`relevance_judgements.tsv` has a query a line and, in four columns, the refs that were looked at by grade: 3 is what the
person wants first, 2 answers the query, 1 has something to do with it, 0 only holds the words. They were graded by
reading titles, tags, trigger words and descriptions, for the first ten of three orders together; what isn't named
counts as 0. They are the part "by hand". The LoRAs themselves are in the recordings and the samples (see
relevance_corpus.py).
"""

import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import log2
from pathlib import Path
from string import ascii_lowercase

from connectors.query import Query
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.row import row_of, terms, words
from tests.corpus import rows_of
from tests.tools.accuracy import judging

JUDGEMENTS = Path(__file__).with_name("relevance_judgements.tsv")
_FIRST = 10
# The letters of a name that is asked for with a typo, and the names of a title.
_SHORTEST, _MOST_OF_A_TITLE = 5, 3
# Of title, words, tags and description, for plain text score. Others, from all alike on, change its mean by 0.003.
_COLUMN_WEIGHTS = (10.0, 5.0, 2.0, 1.0)
_BY_SCORE = f"bm25(loras, {', '.join(map(str, _COLUMN_WEIGHTS))}), ref"
_EVERYTHING = 10_000
# "any word" is FTS5 with Porter's stemmer, where one word is enough.
SYSTEMS = ("ours", "FTS5", "any word", "popularity")
# Those whose first ten were looked at by hand.
_POOLED = ("all words", "FTS5", "popularity")
PARTS = ("seen", "unseen", "long seen", "long unseen", "by hand")
# A little below what is measured, and above what Meilisearch's ranking rules reach: 0.961, 0.967 and, by hand, 0.916.
LEAST: Mapping[str, float] = {"seen": 0.98, "unseen": 0.97, "long seen": 0.96, "long unseen": 0.95, "by hand": 0.92}

# From a query to refs, best first.
Order = Callable[[str], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    part: str
    group: str
    query: str
    grades: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """nDCG@10 of one query by system, and the refs among their first ten that nobody has judged."""

    part: str
    group: str
    query: str
    scores: Mapping[str, float]
    unjudged: frozenset[str]


def read_judgements() -> tuple[Judgement, ...]:
    rows = [*judging.read(), *rows_of(JUDGEMENTS)]
    return tuple(
        Judgement(
            part=row.get("half") or "by hand",
            group=row.get("kind") or "by hand",
            query=row["query"],
            grades={ref: int(grade) for grade in "3210" for ref in row.get(grade, "").split()},
        )
        for row in rows
    )


def measure(loras: Iterable[Lora], folder: Path) -> tuple[Measured, ...]:
    """The queries of both lists, by all systems, over a catalog in `folder`."""
    given = tuple(loras)
    with Catalog.open(folder / "catalog.sqlite") as catalog:
        catalog.add(given)

        def ours(query: str) -> list[str]:
            found = catalog.search(Query(text=query, limit=_EVERYTHING, nsfw="explicit"))
            return [_lora(record.ref) for record in found.records]

        def all_words(query: str) -> list[str]:
            """Ours, without what holds less than was asked for."""
            rings = catalog.search(Query(text=query, limit=1, nsfw="explicit")).rings
            first = [ring for ring in rings if ring.held == ring.asked and not ring.has_typos]
            return ours(query)[: min((ring.start for ring in rings if ring.start), default=None)] if first else []

        everything = catalog.search(Query(limit=_EVERYTHING, nsfw="explicit")).records
        cards = {
            _lora(home): _lora(record.ref)
            for record in everything
            for home in (record.ref, *getattr(record, "homes", ()))
        }
        with closing(_text_table(given)) as table, closing(_text_table(given, "porter ")) as stems:
            orders = {
                "ours": ours,
                "all words": all_words,
                "FTS5": lambda query: _matches(table, query, _BY_SCORE),
                "any word": lambda query: _matches(stems, query, _BY_SCORE, " OR "),
                "popularity": lambda query: _matches(table, query, "downloads DESC, ref"),
            }
            return tuple(_measure(judgement, orders, cards) for judgement in read_judgements())


def mean(measured: Sequence[Measured], system: str) -> float:
    return sum(each.scores[system] for each in measured) / len(measured)


def part_of(measured: Sequence[Measured], part: str) -> list[Measured]:
    return [each for each in measured if each.part == part]


def groups(measured: Iterable[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for each in measured:
        found.setdefault(each.group, []).append(each)
    return found


def shortfalls(measured: Sequence[Measured]) -> list[str]:
    """A sentence for each promise that isn't kept."""
    missed = []
    for part, least in LEAST.items():
        ours, *others = (mean(part_of(measured, part), system) for system in SYSTEMS)
        if ours < least:
            missed.append(f"Order of results, {part}: nDCG@10 is {ours:.3f}, below {least}.")
        for name, score in zip(SYSTEMS[1:], others, strict=True):
            if ours <= score:
                missed.append(f"Order of results, {part}: {name} alone is as good, {score:.3f} against {ours:.3f}.")
    return missed


def ndcg(grades: Sequence[int], judged: Iterable[int]) -> float:
    """Of a list with these `grades`, best first; 1 is the best that the `judged` ones allow."""

    def gain(values: Sequence[int]) -> float:
        return sum(((1 << grade) - 1) / log2(place + 2) for place, grade in enumerate(values[:_FIRST]))

    return gain(grades) / gain(sorted(judged, reverse=True))


def table(measured: Sequence[Measured]) -> list[str]:
    """The means of each part, and the queries that another order answers much better, but for unseen ones."""
    row = "{:<30}{:>9}" + "{:>12}" * len(SYSTEMS)
    worse = [
        each for each in measured if "unseen" not in each.part and max(each.scores.values()) - each.scores["ours"] > 0.1
    ]
    unjudged = sum(len(each.unjudged) for each in part_of(measured, "by hand"))
    parts = {part: part_of(measured, part) for part in PARTS}
    parts |= groups(part_of(measured, "long unseen"))
    return [
        row.format("nDCG@10", "queries", *SYSTEMS),
        *(
            row.format(name, len(part), *(f"{mean(part, system):.3f}" for system in SYSTEMS))
            for name, part in parts.items()
        ),
        *(f"{each.query}: " + ", ".join(f"{name} {each.scores[name]:.2f}" for name in SYSTEMS) for each in worse),
        f"{unjudged} results among the first ten of the queries by hand are not judged.",
    ]


def _lora(ref: Ref) -> str:
    """Without the version and the file that a record shows."""
    return str(Ref(hub=ref.hub, id=ref.id))


def _measure(judgement: Judgement, orders: Mapping[str, Order], cards: Mapping[str, str]) -> Measured:
    """Two refs that are one card are one result, as good as the better of them."""
    grades: dict[str, int] = {}
    for ref, grade in judgement.grades.items():
        card = cards.get(ref, ref)
        grades[card] = max(grade, grades.get(card, 0))
    found = {name: list(dict.fromkeys(cards[ref] for ref in order(judgement.query))) for name, order in orders.items()}
    return Measured(
        part=judgement.part,
        group=judgement.group,
        query=judgement.query,
        scores={name: ndcg([grades.get(ref, 0) for ref in refs], grades.values()) for name, refs in found.items()},
        unjudged=frozenset(
            ref for name in _POOLED for ref in found[name][:_FIRST] if judgement.part == "by hand" and ref not in grades
        ),
    )


def _text_table(loras: Iterable[Lora], stemmer: str = "") -> sqlite3.Connection:
    """The same texts that the catalog searches."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE loras USING fts5(title, words, tag_words, about, ref UNINDEXED, downloads UNINDEXED,"
        f" tokenize = '{stemmer}unicode61 remove_diacritics 0')"
    )
    rows = ((lora, row_of(lora)) for lora in loras)
    connection.executemany(
        "INSERT INTO loras VALUES (?, ?, ?, ?, ?, ?)",
        ((row.title, row.words, row.tag_words, row.about, str(lora.ref), lora.downloads or 0) for lora, row in rows),
    )
    return connection


def _matches(table: sqlite3.Connection, query: str, order: str, joint: str = " AND ") -> list[str]:
    wanted = terms(query)
    if wanted is None or not wanted.phrases:
        return []
    phrases = [f'"{" ".join(phrase)}"' for phrase in wanted.phrases]
    match = joint.join(phrases) + ("*" if wanted.open_end else "")
    found = table.execute(f"SELECT ref FROM loras WHERE loras MATCH ? ORDER BY {order}", (match,))
    return [ref for (ref,) in found]


def lost(loras: Iterable[Lora], folder: Path) -> tuple[int, list[str]]:
    """Words of titles, each with a letter missing, added, changed and moved: how many, and those that find nothing."""
    given = tuple(loras)
    with Catalog.open(folder / "typos.sqlite") as catalog:
        catalog.add(given)
        asked = sorted({typo for lora in given for name in names(lora) for typo in with_typos(name)})
        return len(asked), [text for text in asked if not catalog.search(Query(text=text, nsfw="explicit")).total]


def names(lora: Lora) -> list[str]:
    found = (word for word in words(lora.title) if word.isascii() and word.isalpha() and len(word) >= _SHORTEST)
    return list(found)[:_MOST_OF_A_TITLE]


def with_typos(name: str) -> Iterator[str]:
    """Four, the same for the same name."""
    draw = random.Random(name)
    at, letter = draw.randrange(len(name) - 1), draw.choice(ascii_lowercase)
    yield name[:at] + name[at + 1 :]
    yield name[:at] + letter + name[at:]
    yield name[:at] + letter + name[at + 1 :]
    yield name[:at] + name[at + 1] + name[at] + name[at + 2 :]
