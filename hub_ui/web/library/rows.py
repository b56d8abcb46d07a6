"""The library as a list: its rows, its summary, and the filters next to it."""

from collections.abc import Sequence
from dataclasses import replace

from connectors.claims.resolve import record_of
from connectors.errors import BadQuery, NotFound
from connectors.query import BY_KEY
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.app.checks import CheckResults, file_count
from hub_ui.app.services import Services
from hub_ui.base import format
from hub_ui.base.i18n import _, ngettext
from hub_ui.library import search
from hub_ui.library.index import LibraryRow
from hub_ui.library.search import MARKS, NEVER_USED, Found, LibraryQuery
from hub_ui.library.upkeep.collections import may_be_half, pair_up
from hub_ui.web.browse.facets import Group, base_choices, choices_of, group_of
from hub_ui.web.view import LibraryView


def read_text(text: str) -> tuple[LibraryQuery, str]:
    """Parse a search, and return it with an error message, or "". Invalid filters are ignored."""
    try:
        return search.parse(text), ""
    except BadQuery as error:
        return search.parse(text, is_strict=False), error.message


def find(services: Services, look: LibraryView, query: LibraryQuery, results: CheckResults) -> Found:
    # Read the times of use only to sort by them, because the history is on the disk.
    used = services.uses.times() if look.sort == "used" else NEVER_USED
    found = services.library_search.find(query, sort=look.sort, outdated=results.updates, used=used)
    rows = found.rows
    if look.collection:
        all_refs = {collection.name: collection.refs for collection in services.collections.all()}
        refs = all_refs.get(look.collection, frozenset())
        rows = tuple(row for row in rows if row.entry.ref in refs)
    # A LoRA in two files is one row.
    halves = {row.entry.ref: row for row in rows if may_be_half(row.entry)}
    if halves:
        pairs = pair_up((row.entry for row in halves.values()), services.downloads.other_half)
        shown = {entry.ref: halves[pair.first.ref] for pair in pairs for entry in pair.entries}
        rows = tuple({row.entry.ref: row for row in (shown.get(row.entry.ref, row) for row in rows)}.values())
    return replace(found, rows=rows)


def catalog_record(services: Services, ref: Ref) -> Record | None:
    """Return the record of a LoRA from the catalog, or None. No hub is queried."""
    try:
        lora = services.catalog.lora(ref)
        return record_of(lora, ref if lora.version(ref.version) is not None else ref.lora)
    except NotFound:
        return None


def summary(rows: Sequence[LibraryRow]) -> str:
    """Return the text after the number of LoRAs: size, missing and removed files. Shared files count once."""
    sizes = {row.entry.sha256: row.entry.size for row in rows}
    missing, removed = sum(row.is_missing for row in rows), sum(row.is_removed for row in rows)
    removed_text = ngettext("{n} no longer on its hub", "{n} no longer on their hubs", removed)
    parts = (
        "" if len(sizes) == len(rows) else file_count(len(sizes)),
        format.size(sum(sizes.values())) if rows else "",
        _("{n} missing").format(n=format.number(missing)) if missing else "",
        removed_text.format(n=format.number(removed)) if removed else "",
    )
    return ", ".join(filter(None, parts))


def groups(library_query: LibraryQuery, found: Found) -> list[Group]:
    """Return the groups of filters. Choices without results are left out, unless chosen or for favourites."""
    query = library_query.query
    marks = {name: _(mark.label).capitalize() for name, mark in MARKS.items()}
    tags = {tag: format.visible(tag) for tag in (*found.tags, *query.tags)}
    all_groups = (
        Group(facet="marks", name=_("Show"), choices=tuple(choices_of(library_query.marks, found.marks, marks))),
        Group(facet="base", name=_("Base model"), choices=tuple(base_choices(query.bases, found.facets.bases))),
        group_of(BY_KEY["kind"], query, found.facets),
        Group(facet="tag", name=_("Your tags"), choices=tuple(choices_of(query.tags, found.tags, tags))),
        group_of(BY_KEY["hub"], query, found.facets),
    )
    return [
        replace(group, choices=tuple(c for c in group.choices if not c.is_empty or c.value == "is:favorite"))
        for group in all_groups
    ]
