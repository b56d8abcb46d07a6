"""View: what a person looks at, as one value. The address bar holds exactly this, so a link can be shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, urlencode

from connectors.errors import BadQuery, BadRef
from connectors.query import Query
from connectors.ref import Ref
from hub_ui.pages.try_page.settings import MOST_LORAS, TrySettings

PageName = Literal["browse", "try", "library", "train", "settings"]
PAGE_SIZE = 24
MAX_STACK = MOST_LORAS
# What servers take at most; prompts in many scripts need nine characters for one.
LONGEST_ADDRESS = 60_000
FACETS = ("hubs", "bases", "kinds")


@dataclass(frozen=True, kw_only=True)
class StackedLora:
    """A LoRA on the try page. `weight` 0.0 is the base alone, 1.0 the full effect; -1 to 2 is allowed."""

    ref: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class View:
    """`open` is the ref whose detail panel stands open, empty for none."""

    page: PageName = "browse"
    query: Query = field(default_factory=lambda: Query(limit=PAGE_SIZE))
    open: str = ""
    stack: tuple[StackedLora, ...] = ()
    settings: TrySettings = field(default_factory=TrySettings)

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(Ref.parse(s.ref) for s in self.stack)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(s.weight for s in self.stack)

    def to_address(self) -> str:
        """The query string, shortest form, without the question mark."""
        q = self.query
        pairs: list[tuple[str, str]] = []
        if self.page != "browse":
            # Not "page": Gradio takes that for the name of a page of its own, and fails.
            pairs.append(("view", self.page))
        pairs += [("q", q.text)] if q.text else []
        pairs += [("hub", hub) for hub in q.hubs]
        pairs += [("base", base) for base in q.bases]
        pairs += [("kind", kind) for kind in q.kinds]
        pairs += [("sort", q.sort)] if q.sort != "relevance" else []
        pairs += [("nsfw", q.nsfw)] if q.nsfw != Query().nsfw else []
        pairs += [("open", self.open)] if self.open else []
        pairs += [("lora", s.ref if s.weight == 1.0 else f"{s.ref}*{s.weight:g}") for s in self.stack]
        return urlencode(pairs + self.settings.to_pairs())

    @staticmethod
    def from_address(query_string: str, usual: object = None) -> View:
        """Reads what `to_address` writes. What can't be understood is left out, the rest still counts.

        `usual` is the level of mature images where the address names none.
        """
        given = parse_qs(query_string, max_num_fields=100) if len(query_string) < LONGEST_ADDRESS else {}
        if "nsfw" not in given and isinstance(usual, str):
            given["nsfw"] = [usual]
        page = given.get("view", [""])[0]
        stack = (_parse_lora(text) for text in given.get("lora", [])[:MAX_STACK])
        return View(
            page=page if page in get_args(PageName) else "browse",  # type: ignore[arg-type]
            query=_query(given),
            open=_ref(given.get("open", [""])[0]),
            # Each LoRA once.
            stack=tuple({s.ref: s for s in stack if s is not None}.values()),
            settings=TrySettings.from_pairs(given),
        )

    def with_query(self, **changes: Any) -> View:
        """The same view with another query, on the list of results."""
        return replace(self, page="browse", open="", query=replace(self.query, **changes))

    def toggle_filter(self, facet: str, value: str) -> View:
        """`value` added to a facet, or taken away if it was there. Raises BadQuery for what no facet has."""
        if facet not in FACETS:
            raise BadQuery(f"There is no filter called “{facet[:40]}”.")
        now: tuple[str, ...] = getattr(self.query, facet)
        changed = tuple(v for v in now if v != value) if value in now else (*now, value)
        facets = {name: getattr(self.query, name) for name in FACETS} | {facet: changed}
        return self.with_query(**{facet: getattr(Query.of(**facets), facet)})

    def try_lora(self, ref: str, weight: float = 1.0) -> View:
        """`ref` alone on the try page."""
        return replace(self, page="try", open="", stack=(StackedLora(ref=ref, weight=weight),), settings=TrySettings())

    def with_lora(self, ref: str, weight: float = 1.0) -> View:
        """`ref` added to the LoRAs on the try page, once."""
        others = self.without_lora(ref).stack
        return replace(self, stack=(*others, StackedLora(ref=ref, weight=weight))[-MAX_STACK:])

    def without_lora(self, ref: str) -> View:
        return replace(self, stack=tuple(s for s in self.stack if s.ref != ref))

    def with_weight(self, ref: str, weight: float) -> View:
        weight = round(clamp_weight(weight), 2)
        return replace(self, stack=tuple(replace(s, weight=weight) if s.ref == ref else s for s in self.stack))


def clamp_weight(weight: float) -> float:
    """Within what the page allows."""
    return max(-1.0, min(2.0, weight))


def _query(given: Mapping[str, Sequence[str]]) -> Query:
    """Each filter is read alone, so that one bad value does not empty the others."""
    query = Query.of(given.get("q", [""])[0], bases=tuple(given.get("base", [])), limit=PAGE_SIZE)
    for filter_, name in (("hubs", "hub"), ("kinds", "kind"), ("sort", "sort"), ("nsfw", "nsfw")):
        values = tuple(given.get(name, []))
        value: Any = values if filter_ in FACETS else next(iter(values), None)
        with suppress(BadQuery):
            query = replace(query, **{filter_: getattr(Query.of(**{filter_: value}), filter_)})
    return query


def _ref(text: str) -> str:
    try:
        return str(Ref.parse(text)) if text else ""
    except BadRef:
        return ""


def _parse_lora(text: str) -> StackedLora | None:
    """None for what names no LoRA."""
    name, star, weight = text.rpartition("*")
    try:
        ref, number = _ref(name if star else text), float(weight) if star else 1.0
    except ValueError:
        return None
    return StackedLora(ref=ref, weight=clamp_weight(number)) if ref else None
