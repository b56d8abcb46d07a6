"""The catalog's question on SQLite alone: full text in FTS5, filters and facets in SQL."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.query import Query
from hub_ui.catalog.row import Row
from hub_ui.catalog.search import step

_FACETS = ("hub", "base", "kind", "rank", "size_step", "license", "access", "nsfw", "creator")
_SCORED = "bm25(texts, 10.0, 5.0, 3.0, 1.0) AS score"


class Fts5:
    """One file of LoRAs. Its columns have what a row has, so that only asking is compared."""

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

    def ask(self, query: Query, groups: tuple[str, ...]) -> list[Any]:
        """The best 60 and the counts of every facet, each without its own filter. `groups` are the query's bases."""
        conditions = {
            "base": f"base IN ({', '.join(map(_text, groups))})",
            "kind": f"kind IN ({', '.join(map(_text, query.kinds))})",
            "rank": f"rank >= {query.rank.least if query.rank else 0}",
        }

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
            found.append(
                run(
                    f"SELECT {facet}, count(*) AS n FROM hits WHERE {but(facet)} GROUP BY {facet} ORDER BY n DESC "
                    "LIMIT 1000"
                ).fetchall()
            )
        return found


def _text(value: str) -> str:
    return f"'{value}'"
