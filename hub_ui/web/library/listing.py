"""The Library page's list for a view: what is found, and what the catalog knows of it."""

from dataclasses import dataclass

from connectors.claims.resolve import record_of
from connectors.errors import BadQuery, NotFound
from connectors.record import Record
from connectors.ref import Ref
from hub_ui import library_search
from hub_ui.library.pairs import may_be_half, pair_up
from hub_ui.library_checks import CheckResults
from hub_ui.library_index import LibraryRow
from hub_ui.library_search import NEVER_USED, Found, LibraryQuery
from hub_ui.services import Services
from hub_ui.web.view import LibraryView


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`rows` are those of the list; `found` has the counts of the filters too.

    `problem` is what is wrong with the text of the search; the rest of it counts nevertheless.
    """

    asked: LibraryQuery
    found: Found
    rows: tuple[LibraryRow, ...]
    problem: str = ""


def find(services: Services, look: LibraryView, results: CheckResults) -> Listing:
    problem = ""
    try:
        asked = library_search.parse(look.text)
    except BadQuery as error:
        asked, problem = library_search.parse(look.text, is_strict=False), error.message
    # It is read only where it counts: the history is on the disk.
    used = services.uses.times() if look.sort == "used" else NEVER_USED
    found = services.library_search.find(asked, sort=look.sort, outdated=results.updates, used=used)
    rows = found.rows
    if look.collection:
        refs = next((one.refs for one in services.collections.all() if one.name == look.collection), frozenset())
        rows = tuple(row for row in rows if row.entry.ref in refs)
    # A LoRA in two files is one row.
    halves = {row.entry.ref: row for row in rows if may_be_half(row.entry)}
    if halves:
        pairs = pair_up((row.entry for row in halves.values()), services.downloads.other_half)
        shown = {entry.ref: halves[pair.first.ref] for pair in pairs for entry in pair.entries}
        rows = tuple({row.entry.ref: row for row in (shown.get(row.entry.ref, row) for row in rows)}.values())
    return Listing(asked=asked, found=found, rows=rows, problem=problem)


def catalog_record(services: Services, ref: Ref) -> Record | None:
    """What the catalog knows of it; no hub is asked."""
    try:
        lora = services.catalog.lora(ref)
        return record_of(lora, ref if lora.version(ref.version) is not None else ref.lora)
    except NotFound:
        return None
