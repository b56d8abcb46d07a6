"""In which order the index is written, and when it is asked for beginnings of words."""

from dataclasses import replace

import tantivy

from connectors.query import Query
from hub_ui.catalog.index import document, schema, sort_batches
from hub_ui.catalog.index_search import with_rings
from hub_ui.catalog.row import row_of
from hub_ui.catalog.search import plan
from tests.hub_ui.catalog.builders import lora


def test_what_a_filter_holds_alike_is_written_side_by_side_and_once() -> None:
    bases = [(1, "sdxl"), (2, "pony"), (3, "sdxl"), (4, "pony"), (1, "pony")]
    rows = [(one, at, replace(row_of(lora()), groups=(base,))) for at, (one, base) in enumerate(bases)]
    written = list(sort_batches([*rows, (5, 9, None)]))
    assert [(number, change) for number, change, _ in written] == [(5, 9), (1, 9), (2, 9), (4, 9), (3, 9)]


def test_beginnings_are_asked_for_where_there_is_a_longer_word() -> None:
    index = tantivy.Index(schema())
    writer = index.writer()
    writer.add_json(document(1, row_of(lora(title="Ink inkling"))))
    writer.commit()
    index.reload()
    found = [with_rings(index.searcher(), plan(Query(text=typed))).rings for typed in ("ink", "inkling")]
    assert [each.units[0].open_end for each in found if each] == [True, False]
