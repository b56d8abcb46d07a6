"""The parts of the Browse page as values for its templates: cards, filters, the query in words, and the hubs."""

import hmac
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from cachetools import TTLCache

from connectors.query import Query
from connectors.query_fields import BY_KEY
from connectors.query_language import value_text
from connectors.record import NSFW_LEVELS, Record, within
from connectors.ref import HubName, Ref
from connectors.registry import HUBS
from connectors.weights.file_type import What
from hub_ui import format
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import language
from hub_ui.services import Services
from hub_ui.web.browse import cards
from hub_ui.web.browse.cards import Card
from hub_ui.web.browse.facets import Bar, Choice, Group, LoadedBase, groups, level_words, words
from hub_ui.web.browse.header_reader import with_header_facts
from hub_ui.web.browse.search import Results
from hub_ui.web.browse.search_box import query_name
from hub_ui.web.layout.pages import page_address, prefix
from hub_ui.web.lora.detail import Requirements
from hub_ui.web.try_page.compatibility import requirements
from hub_ui.web.view import PARAMETERS, View

# The parameter of each filter that has one of its own.
_NAMES = {attribute: name for name, attribute in PARAMETERS.items()}
_KEYS = {field.attribute: field.key for field in BY_KEY.values()}
LONGEST_CURSOR = 4000
MOST_KEPT, KEPT_SECONDS = 5_000, 600.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """A checkbox of the form: `name` and `value` are what it adds to the address. `is_closed`: it belongs to another
    one, of which nothing is chosen.
    """

    name: str
    value: str
    choice: Choice
    is_closed: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}-{self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CardContent:
    """`what` its file is, as far as that was read, and why it can't be tried here. `is_read`: its header is known."""

    record: Record
    what: What
    problem: str
    is_read: bool


@dataclass(frozen=True, kw_only=True)
class BrowseParts:
    """Makes the values of the templates. `secret` signs the cursors that lead to the hubs' next pages."""

    services: Services
    secret: bytes
    kept: TTLCache[Any, CardContent] = field(default_factory=lambda: TTLCache(MOST_KEPT, KEPT_SECONDS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, view: View, now: Results, *, asks: bool = True, form: View | None = None) -> dict[str, Any]:
        """`asks`: whether the hubs are asked once this is there. `form` is what the boxes show, if not `view`."""
        around, asks = self.around(view, now, form or view), asks and bool(now.pending)
        return {**around, **self.list_values(view, now), "asks": asks}

    def around(self, view: View, now: Results, form: View) -> dict[str, Any]:
        """What stands around the cards."""
        total, one = (None if now.is_held else now.total), now.total == 1
        facets = None if now.is_held else now.facets
        sees_library = self.services.policy.allows("see library")
        shown = groups(form.query, facets, sees_library=sees_library, loaded=loaded_base(self.services))
        boxes = {group.facet: tuple(self.boxes(group)) for group in shown}
        known = {(box.name, box.value) for group in boxes.values() for box in group}
        pairs = [("filter", text) for text in form.filters] + [("lora", s) for s in form.stack_texts]
        return {
            "view": view,
            "search_name": query_name(view.query),
            "query": now.query,
            "by": {group.facet: group for group in shown},
            "boxes": boxes,
            "chosen": len(view.filters) + sum(len(getattr(view.query, name)) for name in ("hubs", "bases", "kinds")),
            "hidden": [pair for pair in pairs if pair not in known],
            "levels": level_words(facets.levels if facets else None),
            "level_names": NSFW_LEVELS,
            "total": "…" if total is None else format.number(total),
            "one": one,
            "words": [(word, self.address(view, word.part.rest)) for word in words(now.query, one=one)],
            "bars": {group.facet: tuple(self.bars(view, group)) for group in shown if group.bars},
            "statuses": now.statuses,
            "blurs": not within(now.query.nsfw, "soft"),
            "address": view.to_address(),
            "problem": "",
            "is_new": not view.text and not view.filters and view.query == Query(limit=view.query.limit),
            "demo": self.services.settings.demo,
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
            "blurs": not within(now.query.nsfw, "soft"),
        }

    def address(self, view: View, query: Query) -> str:
        return page_address(replace(view, query=query, open="").to_address())

    def bars(self, view: View, group: Group) -> Iterator[tuple[str, Bar]]:
        """Each with the address of its range; of the one that is chosen alone, of none."""
        key = _KEYS[group.facet]
        nothing: dict[str, Any] = {group.facet: None}
        address = replace(view, open="", query=replace(view.query, **nothing)).to_address()
        for bar in group.bars:
            chosen = f"{key}:{value_text(bar.value)}" in view.filters
            pairs = [address] if chosen else [address, urlencode({"filter": f"{key}:{value_text(bar.value)}"})]
            yield page_address("&".join(filter(None, pairs))), bar

    def boxes(self, group: Group) -> Iterator[Box]:
        for choice, is_closed in families(group.choices):
            facet = choice.facet or group.facet
            sign = "-" if choice.act == "exclude" else ""
            name = "" if sign else _NAMES.get(facet, "")
            written = choice.value if name else f"{sign}{_KEYS.get(facet, facet)}:{value_text(choice.value)}"
            yield Box(name=name or "filter", value=written, choice=choice, is_closed=is_closed)

    def cards(self, now: Results) -> list[tuple[int, Card]]:
        """Those that are there, each with its number."""
        owned = frozenset(entry.ref.lora for entry in self.services.downloads.entries())

        def holds(ref: Ref) -> bool:
            # Only for these the library's thousands of entries are looked through.
            return ref.lora in owned and self.services.downloads.holds(ref)

        return [
            (number, cards.card(c.record, ceiling=now.query.nsfw, in_library=holds, what=c.what, try_problem=c.problem))
            for number, c in self.contents(now)
        ]

    def contents(self, now: Results) -> Iterator[tuple[int, CardContent]]:
        """What the cards say, which takes most of a page's time, is kept until the catalog changes."""
        visitor = current_visitor()
        # A visitor's own key may show more.
        person = visitor.id if visitor is not None and visitor.keys else ""
        at = (self.services.catalog.change(), now.query.bases, now.query.nsfw, language().code, person)
        with self.lock:
            missing = [number for number in now.ids if (number, *at) not in self.kept]
        records, _seen = self.services.catalog.cards(missing, now.query) if missing else ({}, None)
        for number in now.ids:
            content = self.kept.get((number, *at))
            if content is None and number in records:
                content = self.read(records[number])
                with self.lock:
                    self.kept[(number, *at)] = content
            if content is not None:
                yield number, content

    def read(self, record: Record) -> CardContent:
        known, facts = with_header_facts(self.services, record)
        what = facts.adapter.what if facts else "lora"
        needed = requirements(self.services, known) if what == "lora" else Requirements()
        problem = needed.text if needed.closed else ""
        return CardContent(record=known, what=what, problem=problem, is_read=facts is not None)

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


def families(choices: Sequence[Choice]) -> Iterator[tuple[Choice, bool]]:
    """Each choice, and whether it is an inner one of a family of which nothing is chosen."""
    groups: list[list[Choice]] = []
    for choice in choices:
        if choice.inner and groups:
            groups[-1].append(choice)
        else:
            groups.append([choice])
    for family in groups:
        is_open = any(choice.on for choice in family)
        yield from ((choice, choice.inner and not is_open) for choice in family)


def loaded_base(services: Services) -> LoadedBase | None:
    """None for a base whose architecture is not known, as LoRAs for it can't be found."""
    base = services.generation.local.loaded_base
    return LoadedBase(architecture=base.architecture, label=base.label) if base and base.architecture else None
