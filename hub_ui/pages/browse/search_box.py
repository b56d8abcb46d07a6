"""What a person puts into the search box: words to search for, or one LoRA by its address, AIR, ref or OWNER/NAME."""

from __future__ import annotations

import re
from dataclasses import replace

from connectors.errors import BadRef, HubUiError
from connectors.query import Query
from connectors.ref import Ref, is_bare, is_id
from connectors.registry import HUBS, find_origin
from hub_ui.pages.view import View
from hub_ui.services import Services

_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")


def submit(services: Services, view: View, text: str) -> View:
    """The LoRA that `text` names, opened; else a search for it. Raises BadRef for an address that names none."""
    text = (text or "").strip()
    ref = parse_name(services, text)
    if ref is None:
        return view.with_query(text=Query.of(text).text)
    return replace(view, page="browse", open=str(ref))


def parse_name(services: Services, text: str) -> Ref | None:
    if is_bare(text):
        return find_by_name(services, text)
    try:
        return Ref.parse(text)
    except BadRef:
        # Written like this it was meant as the name of one LoRA, even where it names none.
        named = _PREFIX.fullmatch(text)
        is_name = "://" in text or text.lower().startswith(("urn:air:", "air:"))
        if named and (is_name or find_origin(named["prefix"]) in HUBS):
            raise
        return None


def find_by_name(services: Services, name: str) -> Ref | None:
    """OWNER/NAME may be two words of a search as well, so a hub has to know it."""
    bare = Ref.parse(name)
    for hub in HUBS:
        if not is_id(hub, bare.id):
            continue
        ref = replace(bare, hub=hub)
        try:
            services.open(ref)
        except HubUiError:
            continue
        return ref
    return None
