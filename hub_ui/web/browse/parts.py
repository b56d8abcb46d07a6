"""The parts of the Browse page as values for its templates: cards, filters, the query in words, and the hubs."""

import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from cachetools import TTLCache

from connectors.query import BY_KEY, Query
from connectors.record import Nsfw, Record, within
from connectors.ref import HubName
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.catalog.search import Facets
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import language
from hub_ui.services import Services
from hub_ui.web.browse.cards import Card, card, library_card
from hub_ui.web.browse.facets import Bar, Group, groups, level_words, words
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.browse.search import Results
from hub_ui.web.browse.search_box import query_name
from hub_ui.web.layout.pages import page_address, prefix
from hub_ui.web.lora.detail import Requirements
from hub_ui.web.try_page.compatibility import requirements
from hub_ui.web.view import View, filter_pair

LONGEST_CURSOR = 4000
MOST_KEPT, KEPT_SECONDS = 5_000, 600.0


@dataclass(frozen=True, kw_only=True)
class BrowseParts:
    """Makes the values of the templates. `secret` signs the cursors that lead to the hubs' next pages."""

    services: Services
    secret: bytes
    kept: TTLCache[Any, Card] = field(default_factory=lambda: TTLCache(MOST_KEPT, KEPT_SECONDS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, view: View, now: Results, *, asks: bool = True, form: View | None = None) -> dict[str, Any]:
        """`asks`: whether the hubs are asked once this is there. `form` is what the boxes show, if not `view`."""
        around, asks = self.around(view, now, form or view), asks and bool(now.pending)
        return {**around, **self.list_values(view, now), "asks": asks}

    def around(self, view: View, now: Results, form: View) -> dict[str, Any]:
        """What stands around the cards."""
        facets, one = None if now.is_held else now.facets, now.total == 1
        return {
            **self.filter_values(view, form, facets),
            "view": view,
            "search_name": query_name(view.query),
            "query": now.query,
            "chosen": view.chosen,
            "levels": level_words(facets.of("levels") if facets else None),
            "total": "…" if now.is_held else format.number(now.total),
            "one": one,
            "words": [
                (word, page_address(replace(view, query=word.part.rest, open="").to_address()))
                for word in words(now.query, one=one)
            ],
            "statuses": now.statuses,
            "blurs": not within(now.query.nsfw, "soft"),
            "problem": "",
            "corrected": self.correction_address(view, now),
            "is_new": not view.text and not view.filters and view.query == Query(limit=view.query.limit),
            "demo": self.services.settings.demo,
        }

    def correction_address(self, view: View, now: Results) -> str:
        """Of the same search without typos; empty where there are none."""
        query = replace(view.query, text=now.corrected)
        return page_address(replace(view, query=query, open="").to_address()) if now.corrected else ""

    def filter_values(self, view: View, form: View, facets: Facets | None) -> dict[str, Any]:
        """`boxes` are each group's choices with the fields of the form that they are."""
        sees_library, loaded = self.services.policy.allows("see library"), self.services.generation.local.loaded_base
        shown = groups(form.query, facets, sees_library=sees_library, loaded=loaded)
        boxes = {group.facet: [(*each.field(group.facet), each) for each in group.choices] for group in shown}
        known = {(name, value) for group in boxes.values() for name, value, _choice in group}
        pairs = [("filter", text) for text in form.filters] + [("lora", text) for text in form.stack_texts]
        return {
            "groups": shown,
            "boxes": boxes,
            "bars": {group.facet: list(bars(view, group)) for group in shown},
            "hidden": [pair for pair in pairs if pair not in known],
        }

    def list_values(
        self, view: View, now: Results, *, page: int = 1, shown: int = 0, after: int | None = None, cards: bool = True
    ) -> dict[str, Any]:
        """The cards, and what follows them. `shown` stand before them, the last of which is `after`."""
        return {
            "view": view,
            "cards": self.cards(now) if cards else now.ids,
            "page": page,
            "now": now,
            "open_prefix": prefix(replace(view, open="").to_address(), "open"),
            "search_prefix": prefix(View(stack=view.stack).to_address(), "q"),
            "more": self.more_address(view, now, page=page, shown=shown, after=after),
            "address": view.to_address(),
            "asking": [HUBS[hub].label for hub in now.pending],
        }

    def cards(self, now: Results) -> list[tuple[int, Card]]:
        """Those that are there, each with its number."""
        downloads = self.services.downloads
        # Only for these the library's thousands of entries are looked through.
        owned = frozenset(entry.ref.lora for entry in downloads.entries())
        return [
            (number, library_card(card) if card.record.ref.lora in owned and downloads.holds(card.record.ref) else card)
            for number, card in self.cards_of(now)
        ]

    def cards_of(self, now: Results) -> Iterator[tuple[int, Card]]:
        """What the cards say, which takes most of a page's time, is kept until the catalog changes."""
        visitor = current_visitor()
        # A visitor's own key may show more.
        person = visitor.id if visitor is not None and visitor.keys else ""
        at = (self.services.catalog.change(), now.query.bases, now.query.nsfw, language().code, person)
        with self.lock:
            missing = [number for number in now.ids if (number, *at) not in self.kept]
        records, _seen = self.services.catalog.cards(missing, now.query) if missing else ({}, None)
        for number in now.ids:
            shown = self.kept.get((number, *at))
            if shown is None and number in records:
                shown = self.read(records[number], now.query.nsfw)
                with self.lock:
                    self.kept[(number, *at)] = shown
            if shown is not None:
                yield number, shown

    def read(self, record: Record, ceiling: Nsfw) -> Card:
        known, facts = with_header_facts(self.services, record)
        what = facts.adapter.what if facts else "lora"
        needed = requirements(self.services, known) if what == "lora" else Requirements()
        problem = needed.text if needed.closed else ""
        return card(known, ceiling=ceiling, what=what, try_problem=problem, is_read=facts is not None)

    def more_address(self, view: View, now: Results, *, page: int, shown: int, after: int | None) -> str:
        """Where the next page of cards is; empty while hubs are asked, and at the end of the list."""
        last = now.ids[-1] if now.ids else after
        if not now.has_more or now.pending or last is None:
            return ""
        cursors = json.dumps(dict(now.cursors)) if now.cursors else ""
        pairs = {"after": last, "shown": shown + len(now.ids), "page": page + bool(now.ids)}
        signed = {"cursors": cursors, "signed": self.sign(now.query, cursors)} if cursors else {}
        return f"{view.to_address()}&{urlencode({**pairs, **signed})}".removeprefix("&")

    def read_cursors(self, query: Query, cursors: str, signed: str) -> Mapping[HubName, str]:
        """Those that `more_address` wrote for this query; none for any others, which hubs would be asked for."""
        if not cursors or not hmac.compare_digest(self.sign(query, cursors), signed):
            return {}
        return {hub: str(cursor) for hub, cursor in json.loads(cursors).items()}

    def sign(self, query: Query, cursors: str) -> str:
        return hmac.digest(self.secret, f"{query!r} {cursors}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def bars(view: View, group: Group) -> Iterator[tuple[str, Bar]]:
    """Each with the address of its range; of the one that is chosen alone, of none."""
    if not group.bars:
        return
    nothing: dict[str, Any] = {BY_KEY[group.facet].attribute: None}
    address = replace(view, open="", query=replace(view.query, **nothing)).to_address()
    for bar in group.bars:
        name, text = filter_pair(group.facet, bar.value)
        pairs = [address] if text in view.filters else [address, urlencode({name: text})]
        yield page_address("&".join(filter(None, pairs))), bar
