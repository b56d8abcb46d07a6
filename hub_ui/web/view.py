"""The state of the page as one value. The address bar holds exactly this, so that links can be shared."""

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
# A page fills its rows of 2, 3, 4, 6, 8 or 12 cards.
PAGE_SIZE = 24
# The usual limit of servers; prompts in many scripts need nine characters for one.
LONGEST_ADDRESS = 60_000
MOST_FIELDS = 200
LONGEST_NAME = 200
# The filters that have a parameter of their own in addresses. The words are "q", and every other filter is one "filter"
# in the query language.
PARAMETERS = {field.key: field for field in FIELDS if field.has_parameter}


def filter_pair(key: str, value: str, *, is_excluded: bool = False) -> tuple[str, str]:
    """A value of a filter in an address."""
    if key in PARAMETERS and not is_excluded:
        return key, value
    return "filter", f"{'-' if is_excluded else ''}{key}:{value_text(value)}"


def _choice(choices: Any, text: str | None, otherwise: Value) -> Value:
    """What is none of the Literal's choices is `otherwise`."""
    return cast(Value, text) if text in get_args(choices) else otherwise


@dataclass(frozen=True, kw_only=True)
class StackedLora:
    """A LoRA on the try page. `weight` 0.0 is the base alone, 1.0 the full effect; -1 to 2 is allowed."""

    ref: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryView:
    """The list of the Library page: what was typed, the order, the page, counted from 0, the name of the collection
    that alone is shown, and the tool that is open above the list."""

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
        """Reads what `to_pairs` writes. Invalid values are left out."""
        one = {name: values[0] for name, values in given.items()}
        return LibraryView(
            text=one.get("lq", "")[:LONGEST_QUERY],
            sort=_choice(LibrarySort, one.get("lsort"), "name"),
            number=int(page) - 1 if _PAGE.fullmatch(page := one.get("lpage", "")) else 0,
            collection=one.get("lset", "")[:LONGEST_NAME],
            tool=_choice(LibraryTool, one.get("ltool"), ""),
        )


@dataclass(frozen=True, kw_only=True)
class View:
    """`open` is the ref of the open detail panel, empty for none. `kept` are filters that stay in the search box: wrong
    ones, each with what is wrong, and base models that no table lists.
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
        """The LoRA of the panel, without version and file."""
        return str(Ref.parse(self.open).lora) if self.open else ""

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(s.weight for s in self.stack)

    @property
    def text(self) -> str:
        """The query as the search box shows it: words, phrases, words that must not be there, and what is `kept`."""
        return " ".join(filter(None, (_search_text(self.query), *dict(self.kept))))

    @property
    def problem(self) -> str:
        """What is wrong with the filters in the search box, which the list goes without."""
        return " ".join(filter(None, dict(self.kept).values()))

    @property
    def conditions(self) -> Sequence[tuple[str, str]]:
        """Each filter in use as an address has it: lists with a parameter of their own, the others, single values."""
        kept = dict(self.kept)
        return tuple(pair for pair in _conditions(self.query) if f"{pair[0]}:{value_text(pair[1])}" not in kept)

    @property
    def filters(self) -> tuple[str, ...]:
        """What has no parameter of its own, each in the query language."""
        return tuple(text for name, text in self.conditions if name == "filter")

    @property
    def chosen(self) -> int:
        """How many filters there are, without the order and the level of mature images."""
        return sum(name == "filter" or PARAMETERS[name].form == "list" for name, _value in self.conditions)

    @property
    def stack_texts(self) -> tuple[str, ...]:
        """The LoRAs as an address has them."""
        return tuple(s.ref if s.weight == 1.0 else f"{s.ref}*{s.weight:g}" for s in self.stack)

    def to_address(self) -> str:
        """Return the whole view, its page included, as the shortest query string, without the question mark.

        Forms send this text back, and `/?view=NAME…` redirects to the path of the page. Hugging Face needs that: of a
        Space's address, it passes only the query string to the app, and only to the root.
        """
        # Not "page", which Gradio takes for the name of one of its own pages, and fails.
        named = [("view", self.page)] if self.page != "browse" else []
        return urlencode([*named, *self._pairs()])

    def link(self, root: str = "") -> str:
        """Return the address of the view: the path of its page, and the rest as the query string.

        The address is relative, because the app may be served below another path. `root` leads to the root of the app.
        """
        place = f"{root}{'' if self.page == 'browse' else self.page}" or "./"
        query = urlencode(self._pairs())
        return f"{place}?{query}" if query else place

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [("q", self.text)] if self.text else []
        pairs += self.conditions
        pairs += [("open", self.open)] if self.open else []
        pairs += [("lora", text) for text in self.stack_texts]
        # Elsewhere it would be in the links that people share.
        pairs += self.library.to_pairs() if self.page == "library" else []
        return [*pairs, *_settings(self.settings)]

    @staticmethod
    # What a page shows is read again when it asks for the next one.
    @lru_cache(maxsize=100)
    def from_address(query_string: str, usual: str | None = None) -> View:
        """Reads `to_address`; what can't be parsed is left out. `usual` is the default level of mature images."""
        given: Mapping[str, Sequence[str]] = {}
        with suppress(ValueError):  # more fields than anyone needs
            given = parse_qs(query_string, max_num_fields=MOST_FIELDS) if len(query_string) < LONGEST_ADDRESS else {}
        stack = (_parse_lora(text) for text in given.get("lora", [])[:MOST_LORAS])
        query, kept = _query(given, usual or "")
        return View(
            page=_choice(PageName, given.get("view", [""])[0], "browse"),
            query=query,
            kept=kept,
            open=_ref(given.get("open", [""])[0]),
            # Each LoRA once.
            stack=tuple({s.ref: s for s in stack if s is not None}.values()),
            settings=TrySettings.from_pairs(given),
            library=LibraryView.from_pairs(given),
        )

    def place(self, name: PageName) -> str:
        """The relative address of another page, with the LoRAs that are compared and the search."""
        return replace(self, page=name, open="").link()

    def shareable(self) -> View:
        """The Compare page without what only this computer has: files of its disk, folders, and what was searched."""
        stack = tuple(s for s in self.stack if Ref.parse(s.ref).hub != LOCAL)
        is_path = Path(self.settings.base).is_absolute() or self.settings.base.startswith((".", "~"))
        settings = replace(self.settings, base="") if is_path else self.settings
        return View(page="try", stack=stack, settings=settings)

    def try_lora(self, ref: str, weight: float = 1.0) -> View:
        """`ref` alone on the try page."""
        return replace(self, page="try", open="", stack=(StackedLora(ref=ref, weight=weight),), settings=TrySettings())

    def with_lora(self, ref: str, weight: float = 1.0) -> View:
        """`ref` added to the LoRAs on the try page, once."""
        others = self.without_lora(ref).stack
        return replace(self, stack=(*others, StackedLora(ref=ref, weight=weight))[-MOST_LORAS:])

    def without_lora(self, ref: str) -> View:
        return replace(self, stack=tuple(s for s in self.stack if s.ref != ref))

    def with_weight(self, ref: str, weight: float) -> View:
        weight = round(clamp_weight(weight), 2)
        return replace(self, stack=tuple(replace(s, weight=weight) if s.ref == ref else s for s in self.stack))


# A page has some ten addresses of the same query.
@lru_cache(maxsize=1_000)
def _search_text(query: Query) -> str:
    excluded = tuple(each for each in query.excluded if each[0] == "text")
    return format(Query(text=query.text, phrases=query.phrases, excluded=excluded))


# Nearly always the usual ones.
@lru_cache(maxsize=100)
def _settings(settings: TrySettings) -> Sequence[tuple[str, str]]:
    return settings.to_pairs()


@lru_cache(maxsize=1_000)
def _conditions(query: Query) -> Sequence[tuple[str, str]]:
    found = [part for part in parts(query) if part.key != "text"]
    pairs = [filter_pair(part.key, part.value, is_excluded=part.is_excluded) for part in found]
    forms = {"filter": 1, **{key: 0 if field.form == "list" else 2 for key, field in PARAMETERS.items()}}
    return tuple(sorted(pairs, key=lambda pair: forms[pair[0]]))


def _query(given: Mapping[str, Sequence[str]], usual: str) -> tuple[Query, tuple[tuple[str, str], ...]]:
    """The usual level of mature images, what was typed, and each filter; and what the search box keeps (View.kept).
    What is invalid does not empty the others.
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
    """None for an invalid ref."""
    name, star, weight = text.rpartition("*")
    try:
        ref, number = _ref(name if star else text), float(weight) if star else 1.0
    except ValueError:
        return None
    return StackedLora(ref=ref, weight=clamp_weight(number)) if ref else None
