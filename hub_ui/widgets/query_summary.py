"""The result as a sentence: "41 LoRAs for FLUX.1 that are styles and mention ink", every part removable."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.claims import base_models
from connectors.query import Query
from connectors.registry import HUBS
from hub_ui.widgets import format
from hub_ui.widgets.render import Renderer


@dataclass(frozen=True, kw_only=True)
class Part:
    """A removable word: `facet` and `value` say what a click takes away; facet "text" empties the search box."""

    lead: str
    label: str
    facet: str
    value: str


def parts(query: Query, *, one: bool = False) -> list[Part]:
    """`one`: the verbs and nouns agree with a single LoRA."""
    found: list[Part] = []
    for facet, lead, label in (
        ("hubs", "on", lambda v: HUBS[v].label),
        ("bases", "for", base_name),
        ("kinds", "that is a" if one else "that are", lambda v: v if one else format.KIND_PLURALS[v]),
    ):
        for i, value in enumerate(getattr(query, facet)):
            found.append(Part(lead=lead if i == 0 else "or", label=label(value), facet=facet, value=value))
    if query.text:
        lead = f"{'and' if query.kinds else 'that'} mention{'s' if one else ''}"
        found.append(Part(lead=lead, label=query.text, facet="text", value=""))
    return found


def base_name(value: str) -> str:
    known = base_models.by_id(value)
    return known.label if known else base_models.architecture_label(value)


def summary_html(render: Renderer, query: Query, shown: int, *, has_more: bool = False) -> str:
    """`shown` is the number of cards, with `has_more` the least there are."""
    one = shown == 1 and not has_more
    number = format.at_least(shown, more=has_more) or "…"
    return render("query_summary", number=number, one=one, parts=parts(query, one=one))


def demo_html(render: Renderer, base: str) -> str:
    """What a demo is, and what can be tried in it: LoRAs for the `base` that it brings."""
    return render("demo", base=base)
