"""The query as a sentence with removable parts: "41 LoRAs for FLUX.1 that mention ink"."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors import query_language
from connectors.query import Query
from connectors.query_language import Part
from hub_ui import format
from hub_ui.i18n import N_plural, _, ngettext
from hub_ui.part_labels import part_label

# What stands before the first part of its kind, for one LoRA and for several. Other parts speak for themselves. Where
# verbs come last, translators name the parts instead: "base: FLUX.1".
LEADS: Mapping[str, tuple[str, str]] = {
    "hub": N_plural("on", "on"),
    "base": N_plural("for", "for"),
    "kind": N_plural("that is a", "that are"),
    "text": N_plural("that mentions", "that mention"),
}
ORDER = (*(key for key in LEADS if key != "text"), "text")
# They have controls of their own.
ELSEWHERE = ("sort", "nsfw")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A part with what leads to it. The click that removes it names the part by `name`, `value` and `is_excluded`."""

    lead: str
    label: str
    part: Part


def words(query: Query, *, one: bool = False) -> list[Word]:
    """`one`: verbs and nouns are singular."""
    parts = [part for part in query_language.parts(query) if part.key not in ELSEWHERE]
    parts.sort(key=lambda part: ORDER.index(part.key) if part.key in ORDER and not part.is_excluded else len(ORDER))
    found: list[Word] = []
    for part in parts:
        before = found[-1].part if found else None
        follows = before is not None and before.key == part.key and not before.is_excluded
        lead = "" if part.is_excluded or part.key not in LEADS else ngettext(*LEADS[part.key], 1 if one else 2)
        if lead and follows:
            lead = _("and") if part.key == "text" else _("or")
        is_kind = part.key == "kind" and not part.is_excluded and not one
        found.append(
            Word(lead=lead, label=_(format.KIND_PLURALS[part.value]) if is_kind else part_label(part), part=part)
        )
    return found
