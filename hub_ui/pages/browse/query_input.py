"""What a person types or clicks, as the view that follows: text, names of LoRAs, filters and the order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from connectors.errors import BadQuery, BadRef, HubUiError
from connectors.query import Query
from connectors.query_fields import BY_KEY
from connectors.query_language import is_filter, parse, quote
from connectors.query_language import parts as parts_of
from connectors.ref import Ref, is_bare, is_id
from connectors.registry import HUBS, find_origin
from hub_ui.i18n import _
from hub_ui.pages.browse import completion
from hub_ui.pages.browse.completion import Suggestion
from hub_ui.pages.view import View
from hub_ui.services import Services

_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")
LONGEST_TEXT = 1000


@dataclass(frozen=True, kw_only=True)
class Typing:
    """Suggestions for `text`, or what is wrong with it, and the query so far; None where there is no list to show."""

    text: str
    suggestions: list[Suggestion]
    problem: str
    query: Query | None


def type_text(services: Services, view: View, before: str, after: str) -> Typing:
    """What stands in the search box before and after the cursor."""
    text = (before + after)[:LONGEST_TEXT]
    suggestions, problem = completion.suggest(text, len(before), services.catalog.complete_value), ""
    try:
        view.with_text(text)
    except BadQuery as error:
        problem = error.message
    typed = view.with_text(completion.without_bare_key(text, len(before)), is_strict=False)
    # The list is not on the other pages, and an address is no search.
    is_listed = view.page == "browse" and "://" not in text
    return Typing(text=text, suggestions=suggestions, problem=problem, query=typed.query if is_listed else None)


def with_sort(view: View, sort: str) -> View:
    return view.with_query(sort=Query.of(sort=sort).sort)


def apply_filter(view: View, act: Mapping[str, object]) -> View:
    """A click on a filter, on a part of the query summary, or another level of mature images."""
    name, facet, value = act.get("act"), str(act.get("facet", "")), str(act.get("value", ""))
    if name == "nsfw":
        return view.with_query(nsfw=Query.of(nsfw=value).nsfw)
    if name == "toggle":
        return view.toggle_filter(facet, value)
    if name == "exclude" and facet in BY_KEY:
        read = parse(f"-{facet}:{quote(value)}").excluded
        kept = tuple(each for each in view.query.excluded if each not in read)
        return view.with_query(excluded=(*kept, *read) if kept == view.query.excluded else kept)
    if name == "remove":
        clicked = (facet, value, act.get("excluded") == "yes")
        # None where a second click comes too late.
        parts = (part for part in parts_of(view.query) if (part.key, part.value, part.is_excluded) == clicked)
        return next((replace(view, page="browse", open="", query=part.rest) for part in parts), view)
    raise BadQuery(_("That is no filter."))


def submit(services: Services, view: View, text: str) -> View:
    """The LoRA that `text` names, opened; else a search for it.

    Raises BadRef for an address that names no LoRA, and BadQuery.
    """
    text = (text or "").strip()
    ref = parse_name(services, text)
    if ref is None:
        return view.with_text(text)
    return replace(view, page="browse", open=str(ref))


def is_name(text: str) -> bool:
    """Whether hubs have to be asked what `text` is."""
    return is_bare(text) and not is_filter(text)


def parse_name(services: Services, text: str) -> Ref | None:
    if is_filter(text):
        # "tag:lora:civitai:1" would be an AIR otherwise.
        return None
    if is_bare(text):
        return find_by_name(services, text)
    try:
        return Ref.parse(text)
    except BadRef:
        # This spelling means one LoRA by name, even if none has it.
        named = _PREFIX.fullmatch(text)
        is_name = "://" in text or text.lower().startswith(("urn:air:", "air:"))
        if named and (is_name or find_origin(named["prefix"]) in HUBS):
            raise
        return None


def find_by_name(services: Services, name: str) -> Ref | None:
    """OWNER/NAME may also be two search words, so a hub has to know it."""
    bare = Ref.parse(name)
    for hub in HUBS:
        if not is_id(hub, bare.id):
            continue
        ref = replace(bare, hub=hub)
        try:
            services.lookup.get(ref)
        except HubUiError:
            continue
        return ref
    return None
