"""What a person puts into the search box: words to search for, or one LoRA by its address, AIR, ref or OWNER/NAME."""

from __future__ import annotations

import re
from dataclasses import replace

from connectors.errors import BadRef, HubUiError
from connectors.query import Query
from connectors.ref import HubName, Ref, is_bare
from hub_ui.pages.view import View
from hub_ui.services import Services

# Hubs where a LoRA is named OWNER/NAME, in the order they are asked for one.
NAMED_SO: tuple[HubName, ...] = ("huggingface", "replicate")
# What is put so was meant as the name of one LoRA, even where it names none.
_NAMES_ONE = re.compile(r"\S+://\S+|(urn:air|air|hf|huggingface|civitai|replicate):\S+", re.IGNORECASE)


def submitted(services: Services, view: View, text: str) -> View:
    """The LoRA that `text` names, opened; else a search for it. Raises BadRef for an address that names none."""
    text = (text or "").strip()
    ref = named(services, text)
    if ref is None:
        return view.asking(text=Query.of(text).text)
    return replace(view, page="browse", open=str(ref))


def named(services: Services, text: str) -> Ref | None:
    if is_bare(text):
        return existing(services, text)
    try:
        return Ref.parse(text)
    except BadRef:
        if _NAMES_ONE.fullmatch(text):
            raise
        return None


def existing(services: Services, name: str) -> Ref | None:
    """OWNER/NAME may be two words of a search as well, so a hub has to know it."""
    for hub in NAMED_SO:
        ref = replace(Ref.parse(name), hub=hub)
        try:
            services.open(ref)
        except HubUiError:
            continue
        return ref
    return None
