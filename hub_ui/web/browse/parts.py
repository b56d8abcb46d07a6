"""The parts of the Browse page as values for its templates: cards, filters, the query in words, and the hubs."""

import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from connectors.query import Query
from connectors.query_fields import BY_KEY
from connectors.query_language import value_text
from connectors.record import NSFW_LEVELS, Nsfw, Record, within
from connectors.ref import HubName, Ref
from connectors.registry import HUBS
from hub_ui import format
from hub_ui.services import Services
from hub_ui.web.browse import search
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.browse.search import Results
from hub_ui.web.frame.pages import page_address
from hub_ui.web.try_page.compatibility import requirements
from hub_ui.web.view import PARAMETERS, View
from hub_ui.widgets import cards
from hub_ui.widgets.cards import Card
from hub_ui.widgets.detail import Requirements
from hub_ui.widgets.facets import Choice, Group, LoadedBase, groups, level_words
from hub_ui.widgets.query_summary import words

# The parameter of each filter that has one of its own.
_NAMES = {attribute: name for name, attribute in PARAMETERS.items()}
_KEYS = {field.attribute: field.key for field in BY_KEY.values()}
LONGEST_CURSOR = 4000


@dataclass(frozen=True, kw_only=True)
class Box:
    """A checkbox of the form: `name` and `value` are what it adds to the address."""

    name: str
    value: str
    choice: Choice

    @property
    def id(self) -> str:
        return f"{self.name}-{self.value}"


@dataclass(frozen=True, kw_only=True)
class BrowseParts:
    """Makes the values of the templates. `secret` signs the cursors that lead to the hubs' next pages."""

    services: Services
    secret: bytes

    def all(self, view: View, now: Results, *, asks: bool = True) -> dict[str, Any]:
        """`asks`: whether the hubs are asked once this is there."""
        return {**self.around(view, now), **self.listed(view, now), "asks": asks and bool(now.pending)}

    def around(self, view: View, now: Results) -> dict[str, Any]:
        """What stands around the cards."""
        total, one = (None if now.is_held else now.total), now.total == 1
        facets = None if now.is_held else now.facets
        sees_library = self.services.policy.allows("see library")
        shown = groups(now.query, facets, sees_library=sees_library, loaded=loaded_base(self.services))
        boxes = {group.facet: tuple(self.boxes(group)) for group in shown}
        known = {(box.name, box.value) for group in boxes.values() for box in group}
        pairs = [("filter", text) for text in view.filters] + [("lora", s) for s in view.stack_texts]
        return {
            "view": view,
            "query": now.query,
            "by": {group.facet: group for group in shown},
            "boxes": boxes,
            "hidden": [pair for pair in pairs if pair not in known],
            "levels": level_words(facets.levels if facets else None),
            "level_names": NSFW_LEVELS,
            "total": "…" if total is None else format.number(total),
            "one": one,
            "words": [(word, self.address(view, word.part.rest)) for word in words(now.query, one=one)],
            "bar_address": lambda group, value: self.bar_address(view, group, value),
            "statuses": now.statuses,
            "blurs": not within(now.query.nsfw, "soft"),
            "address": view.to_address(),
            "is_new": not view.text and not view.filters and view.query == Query(limit=view.query.limit),
            "demo": self.services.settings.demo,
        }

    def listed(self, view: View, now: Results, *, page: int = 1, shown: int = 0) -> dict[str, Any]:
        """The cards, and what follows them. `shown` stand before them."""
        return {
            "view": view,
            "cards": self.cards(now),
            "page": page,
            "now": now,
            "open_prefix": f"{page_address(replace(view, open='').to_address() + '&').replace('?&', '?')}open=",
            "more": self.more_address(view, now, page=page, shown=shown),
            "address": view.to_address(),
            "asking": [HUBS[hub].label for hub in now.pending],
            "down": [HUBS[status.hub] for status in now.statuses if status.state == "down"],
            "blurs": not within(now.query.nsfw, "soft"),
        }

    def address(self, view: View, query: Query) -> str:
        return page_address(replace(view, query=query, open="").to_address())

    def bar_address(self, view: View, group: Group, value: str) -> str:
        """The view with that range, or without one where it is chosen already."""
        return page_address(replace(view.toggle_filter(group.facet, value), open="").to_address())

    def boxes(self, group: Group) -> Iterator[Box]:
        for choice in group.choices:
            facet = choice.facet or group.facet
            sign = "-" if choice.act == "exclude" else ""
            name = "" if sign else _NAMES.get(facet, "")
            written = choice.value if name else f"{sign}{_KEYS.get(facet, facet)}:{value_text(choice.value)}"
            yield Box(name=name or "filter", value=written, choice=choice)

    def cards(self, now: Results) -> list[tuple[int, Card]]:
        """Those that are there, each with its number."""
        places = search.read_cards(self.services, now, range(len(now.ids)))
        owned = frozenset(entry.ref.lora for entry in self.services.downloads.entries())
        return [(now.ids[at], self.card(record, now.query.nsfw, owned)) for at, record in places.items()]

    def card(self, record: Record, ceiling: Nsfw, owned: Collection[Ref]) -> Card:
        """`owned` are the LoRAs of the library: only for these its thousands of entries are looked through."""

        def holds(ref: Ref) -> bool:
            return ref.lora in owned and self.services.downloads.holds(ref)

        known, facts = with_header_facts(self.services, record)
        what = facts.adapter.what if facts else "lora"
        needed = requirements(self.services, known) if what == "lora" else Requirements()
        problem = needed.text if needed.closed else ""
        return cards.card(known, ceiling=ceiling, in_library=holds, what=what, try_problem=problem)

    def more_address(self, view: View, now: Results, *, page: int, shown: int) -> str:
        """Where the next page of cards is; empty while hubs are asked, and at the end of the list."""
        if not now.has_more or now.pending or not now.ids:
            return ""
        cursors = json.dumps(dict(now.cursors)) if now.cursors else ""
        pairs = {"after": now.ids[-1], "shown": shown + len(now.ids), "page": page + 1}
        signed = {"cursors": cursors, "signed": self.sign(now.query, cursors)} if cursors else {}
        return f"{view.to_address()}&{urlencode({**pairs, **signed})}".removeprefix("&")

    def read_cursors(self, query: Query, cursors: str, signed: str) -> Mapping[HubName, str]:
        """Those that `more_address` wrote for this query; none for any others, which hubs would be asked for."""
        if not cursors or not hmac.compare_digest(self.sign(query, cursors), signed):
            return {}
        return {hub: str(cursor) for hub, cursor in json.loads(cursors).items()}

    def sign(self, query: Query, cursors: str) -> str:
        return hmac.digest(self.secret, f"{query!r} {cursors}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def loaded_base(services: Services) -> LoadedBase | None:
    """None for a base whose architecture is not known, as LoRAs for it can't be found."""
    base = services.generation.local.loaded_base
    return LoadedBase(architecture=base.architecture, label=base.label) if base and base.architecture else None
