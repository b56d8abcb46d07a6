"""What Enter in the search box means: one LoRA by its name or address, or a search for words."""

import re
from dataclasses import replace

from connectors.errors import BadRef, HubUiError
from connectors.query_language import is_filter
from connectors.ref import Ref, is_bare, is_id
from connectors.registry import HUBS, find_origin
from hub_ui.services import Services
from hub_ui.web.view import View

_PREFIX = re.compile(r"(?P<prefix>[^\s:]+):\S+")


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
