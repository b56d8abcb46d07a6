"""The state of a page as one value, and its address. The address holds the whole state, so links can be shared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args
from urllib.parse import parse_qs, urlencode

from connectors.claims.base_models import is_listed
from connectors.errors import BadRef
from connectors.query import FIELDS, Query
from connectors.query_language import format, parse, parts, quote, value_text
from connectors.ref import LOCAL, Ref
from hub_ui.generate.try_fields import MOST_LORAS, TrySettings, clamp_weight
from hub_ui.library.search import Sort as LibrarySort

Value = TypeVar("Value")
LONGEST_QUERY = 1000
_PAGE = re.compile("[1-9][0-9]{0,5}")
PageName = Literal["browse", "try", "library", "news", "train", "settings", "glossary", "about", "downloads", "image"]
# Each page is at the path of its name, except Browse, which is at the root.
PATHS: Mapping[str, PageName] = {"" if name == "browse" else name: name for name in get_args(PageName)}
LibraryTool = Literal["", "duplicates", "collections", "changes", "rules", "import"]
# Divisible by 2, 3, 4, 6, 8 and 12, so that the rows of a page are full at each width.
PAGE_SIZE = 24
# Just below the usual limit of servers. Characters of many scripts take nine characters in an address.
LONGEST_ADDRESS = 60_000
MOST_FIELDS = 200
LONGEST_NAME = 200
# The filters with their own URL parameter. The text is in "q", and each other filter is a "filter" in query language.
PARAMETERS = {field.key: field for field in FIELDS if field.has_parameter}


def filter_pair(key: str, value: str, *, is_excluded: bool = False) -> tuple[str, str]:
    """Return the URL parameter for a filter, as name and value."""
    if key in PARAMETERS and not is_excluded:
        return key, value
    return "filter", f"{'-' if is_excluded else ''}{key}:{value_text(value)}"


def _choice(choices: Any, text: str | None, otherwise: Value) -> Value:
    """Return `text` if it is a choice of the Literal `choices`, else `otherwise`."""
    return cast(Value, text) if text in get_args(choices) else otherwise


@dataclass(frozen=True, kw_only=True)
class StackedLora:
    """A LoRA on the try page. `weight` 0.0 is the base alone, 1.0 the full effect; -1 to 2 is allowed."""

    ref: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryView:
    """The state of the list on the Library page.

    `text` is the search, and `number` the page, counted from 0. A `collection` limits the list to its LoRAs. `tool` is
    open above the list.
    """

    text: str = ""
    sort: LibrarySort = "name"
    number: int = 0
    collection: str = ""
    tool: LibraryTool = ""

    def to_pairs(self) -> list[tuple[str, str]]:
        page, sort = str(self.number + 1) if self.number else "", "" if self.sort == "name" else self.sort
        named = [("lq", self.text), ("lsort", sort), ("lset", self.collection), ("lpage", page), ("ltool", self.tool)]
        return [(name, value) for name, value in named if value]

    @staticmethod
    def from_pairs(given: Mapping[str, Sequence[str]]) -> LibraryView:
        """Read the output of `to_pairs`. Invalid values are ignored."""
        first = {name: values[0] for name, values in given.items()}
        return LibraryView(
            text=first.get("lq", "")[:LONGEST_QUERY],
            sort=_choice(LibrarySort, first.get("lsort"), "name"),
            number=int(page) - 1 if _PAGE.fullmatch(page := first.get("lpage", "")) else 0,
            collection=first.get("lset", "")[:LONGEST_NAME],
            tool=_choice(LibraryTool, first.get("ltool"), ""),
        )


@dataclass(frozen=True, kw_only=True)
class View:
    """The state of a page. `open` is the ref of the open detail panel, or "".

    `kept` are filters that stay in the search box: invalid filters, each with an error message, and unlisted base
    models, each with "".
    """

    page: PageName = "browse"
    query: Query = field(default_factory=lambda: Query(limit=PAGE_SIZE))
    open: str = ""
    stack: tuple[StackedLora, ...] = ()
    settings: TrySettings = field(default_factory=TrySettings)
    library: LibraryView = field(default_factory=LibraryView)
    kept: tuple[tuple[str, str], ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(Ref.parse(s.ref) for s in self.stack)

    @property
    def open_lora(self) -> str:
        """The ref of the open panel, without version and file."""
        return str(Ref.parse(self.open).lora) if self.open else ""

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(s.weight for s in self.stack)

    @property
    def text(self) -> str:
        """The query in the search box: words, phrases, excluded words, and the filters in `kept`."""
        return " ".join(filter(None, (_search_text(self.query), *dict(self.kept))))

    @property
    def problem(self) -> str:
        """The error messages for the invalid filters in the search box, which the search ignores."""
        return " ".join(filter(None, dict(self.kept).values()))

    @property
    def conditions(self) -> Sequence[tuple[str, str]]:
        """The active filters as URL parameters: first those with lists of values, then "filter", then single values."""
        kept = dict(self.kept)
        return tuple(pair for pair in _conditions(self.query) if f"{pair[0]}:{value_text(pair[1])}" not in kept)

    @property
    def filters(self) -> tuple[str, ...]:
        """The active filters without their own URL parameter, in query language."""
        return tuple(text for name, text in self.conditions if name == "filter")

    @property
    def chosen(self) -> int:
        """The number of active filters, without the sort order and the level of mature images."""
        return sum(name == "filter" or PARAMETERS[name].form == "list" for name, _value in self.conditions)

    @property
    def stack_texts(self) -> tuple[str, ...]:
        """The LoRAs as values of the URL parameter "lora": the ref, and "*" with the weight unless it is 1."""
        return tuple(s.ref if s.weight == 1.0 else f"{s.ref}*{s.weight:g}" for s in self.stack)

    def to_address(self) -> str:
        """Return the whole view, its page included, as the shortest query string, without the question mark.

        Forms send this text back, and `/?view=NAME…` redirects to the path of the page. Hugging Face needs the
        redirect, because a Space gets only the query string of the address, and only at the root.
        """
        # The name is not "page", because Gradio looks for a Gradio page of that name, and fails.
        named = [("view", self.page)] if self.page != "browse" else []
        return urlencode([*named, *self._pairs()])

    def link(self, root: str = "") -> str:
        """Return the address of the view: the path of its page, and the rest as the query string.

        The address is relative, because the app may be served below another path. `root` is the relative path to the
        root of the app.
        """
        place = f"{root}{'' if self.page == 'browse' else self.page}" or "./"
        query = urlencode(self._pairs())
        return f"{place}?{query}" if query else place

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [("q", self.text)] if self.text else []
        pairs += self.conditions
        pairs += [("open", self.open)] if self.open else []
        pairs += [("lora", text) for text in self.stack_texts]
        # Only on the Library page, because links to other pages are shared.
        pairs += self.library.to_pairs() if self.page == "library" else []
        return [*pairs, *_settings(self.settings)]

    @staticmethod
    # Cached, because requests for parts of a page repeat its address.
    @lru_cache(maxsize=100)
    def from_address(query_string: str, usual: str | None = None) -> View:
        """Read `to_address`'s output. Invalid values are ignored. `usual` is the default level of mature images."""
        given: Mapping[str, Sequence[str]] = {}
        with suppress(ValueError):  # more than MOST_FIELDS
            given = parse_qs(query_string, max_num_fields=MOST_FIELDS) if len(query_string) < LONGEST_ADDRESS else {}
        stack = (_parse_lora(text) for text in given.get("lora", [])[:MOST_LORAS])
        query, kept = _query(given, usual or "")
        return View(
            page=_choice(PageName, given.get("view", [""])[0], "browse"),
            query=query,
            kept=kept,
            open=_ref(given.get("open", [""])[0]),
            # A dict, to dedupe by ref.
            stack=tuple({s.ref: s for s in stack if s is not None}.values()),
            settings=TrySettings.from_pairs(given),
            library=LibraryView.from_pairs(given),
        )

    def place(self, name: PageName) -> str:
        """Return the relative address of another page, which keeps the query and the stack of LoRAs."""
        return replace(self, page=name, open="").link()

    def shareable(self) -> View:
        """Return the Compare page without local LoRAs, a local base model, or the user's search."""
        stack = tuple(s for s in self.stack if Ref.parse(s.ref).hub != LOCAL)
        is_path = Path(self.settings.base).is_absolute() or self.settings.base.startswith((".", "~"))
        settings = replace(self.settings, base="") if is_path else self.settings
        return View(page="try", stack=stack, settings=settings)

    def try_lora(self, ref: str, weight: float = 1.0) -> View:
        """Return the try page with `ref` as the only LoRA, and default settings."""
        return replace(self, page="try", open="", stack=(StackedLora(ref=ref, weight=weight),), settings=TrySettings())

    def with_lora(self, ref: str, weight: float = 1.0) -> View:
        """Add `ref` to the LoRAs on the try page, or move it to the end. Drop the first if there are too many."""
        others = self.without_lora(ref).stack
        return replace(self, stack=(*others, StackedLora(ref=ref, weight=weight))[-MOST_LORAS:])

    def without_lora(self, ref: str) -> View:
        return replace(self, stack=tuple(s for s in self.stack if s.ref != ref))

    def with_weight(self, ref: str, weight: float) -> View:
        weight = round(clamp_weight(weight), 2)
        return replace(self, stack=tuple(replace(s, weight=weight) if s.ref == ref else s for s in self.stack))


# Cached, because a page has about ten addresses with the same query.
@lru_cache(maxsize=1_000)
def _search_text(query: Query) -> str:
    excluded = tuple(pair for pair in query.excluded if pair[0] == "text")
    return format(Query(text=query.text, phrases=query.phrases, excluded=excluded))


# Cached, because the settings are nearly always the defaults.
@lru_cache(maxsize=100)
def _settings(settings: TrySettings) -> Sequence[tuple[str, str]]:
    return settings.to_pairs()


@lru_cache(maxsize=1_000)
def _conditions(query: Query) -> Sequence[tuple[str, str]]:
    filters = [part for part in parts(query) if part.key != "text"]
    pairs = [filter_pair(part.key, part.value, is_excluded=part.is_excluded) for part in filters]
    forms = {"filter": 1, **{key: 0 if field.form == "list" else 2 for key, field in PARAMETERS.items()}}
    return tuple(sorted(pairs, key=lambda pair: forms[pair[0]]))


def _query(given: Mapping[str, Sequence[str]], usual: str) -> tuple[Query, tuple[tuple[str, str], ...]]:
    """Parse the default level of mature images, the text, and each filter. Return the query and View.kept.

    Each filter is parsed alone, so that an invalid filter does not affect the others.
    """
    kept: dict[str, str] = {}
    query = parse(f"nsfw:{quote(usual)}", Query(limit=PAGE_SIZE), mistakes={})
    query = parse("".join(given.get("q", [])[:1]), query, mistakes=kept)
    kept |= {f"base:{value_text(name)}": "" for name in query.bases if not is_listed(name)}
    filters = (f"{key}:{quote(value)}" for key in PARAMETERS for value in given.get(key, ()))
    for text in (*given.get("filter", ()), *filters):
        query = parse(text, query, mistakes={})
    return query, tuple(kept.items())


def _ref(text: str) -> str:
    try:
        return str(Ref.parse(text)) if text else ""
    except BadRef:
        return ""


def _parse_lora(text: str) -> StackedLora | None:
    name, star, weight = text.rpartition("*")
    try:
        ref, number = _ref(name if star else text), float(weight) if star else 1.0
    except ValueError:
        return None
    return StackedLora(ref=ref, weight=clamp_weight(number)) if ref else None
