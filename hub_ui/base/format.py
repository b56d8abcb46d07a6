"""Format numbers, sizes, times, hub text and queries for people, in the terminal and on the page."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.claims import base_models
from connectors.claims.resolve import best
from connectors.http.json_fields import moment
from connectors.query import BY_KEY, Query
from connectors.query_fields import Field
from connectors.query_language import Part
from connectors.query_language import parts as query_parts
from connectors.record import Record
from connectors.registry import origin_label
from hub_ui.base.i18n import N_, N_plural, _, language, ngettext

UNITS: Mapping[str, tuple[str, str]] = {
    "year": N_plural("{n} year", "{n} years"),
    "day": N_plural("{n} day", "{n} days"),
    "hour": N_plural("{n} hour", "{n} hours"),
    "second": N_plural("{n} second", "{n} seconds"),
}
_TIME = re.compile(rf"([\d,]+) ({'|'.join(UNITS)})s?")
# Categories that move the cursor, reorder or hide text: control, format (bidi overrides, zero width), surrogate,
# private use, line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_LINE_BREAKS = str.maketrans({"\t": " ", "\n": " ", "\r": " ", "\u2028": " ", "\u2029": " "})
_AGES: tuple[tuple[int, tuple[str, str]], ...] = (
    (365 * 86400, N_plural("{n} year ago", "{n} years ago")),
    (30 * 86400, N_plural("{n} month ago", "{n} months ago")),
    (86400, N_plural("{n} day ago", "{n} days ago")),
    (3600, N_plural("{n} hour ago", "{n} hours ago")),
    (60, N_plural("{n} minute ago", "{n} minutes ago")),
)
KIND_PLURALS: dict[str, str] = {
    "character": N_("characters"),
    "style": N_("styles"),
    "concept": N_("concepts"),
    "control": N_("controls"),
    "tool": N_("tools"),
    "runner": N_("runners"),
}
_DANGER = N_("{hub}'s scan found danger in this file. If you trust it all the same: hub-ui pull {ref} --force")
LONGEST_TITLE = 300


def clean(text: str) -> str:
    """Return text on one line, without the characters that control a terminal or change the order of the text."""
    return "".join(c for c in text.translate(_LINE_BREAKS) if unicodedata.category(c) not in _UNSAFE)


def danger(record: Record) -> str:
    """Return a warning if the hub's scan flagged the file, with the command that downloads it anyway, or ""."""
    if best(record.claims, "scan") != "Danger":
        return ""
    return _(_DANGER).format(hub=origin_label(record.hub), ref=record.ref)


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, such as "1 file" or "1,200 files".

    Only the terminal uses it, because the page has `ngettext`.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def count(number: int | None) -> str:
    """Shorten a number, such as 12400 -> "12.4k". Return an en dash for None, because the hub hides the number."""
    if number is None:
        return "–"
    return language().compact(number)


def number(value: float) -> str:
    """Format a number, such as 1200 -> "1,200"."""
    return language().number(value)


def size(bytes_: int | None, *, precise: bool = False) -> str:
    """Format a size in decimal units: 38000000 -> "38 MB", or "38.0 MB" if `precise`. Return "" for None."""
    if bytes_ is None:
        return ""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if bytes_ >= unit:
            number = bytes_ / unit
            return f"{language().number(number, 1 if precise or (number < 10 and name != 'kB') else 0)} {name}"
    return f"{bytes_} B"


def duration(seconds: float) -> str:
    """Format a duration in at most two units: "6 s", "1 min 20 s", "2 h 5 min"."""
    whole = max(1, round(seconds))
    of_seconds, of_minutes, of_hours = _("{n} s"), _("{n} min"), _("{n} h")
    for length, name, part, part_name in ((3600, of_hours, 60, of_minutes), (60, of_minutes, 1, of_seconds)):
        if whole >= length:
            rest = whole % length // part
            return name.format(n=whole // length) + (f" {part_name.format(n=rest)}" if rest else "")
    return of_seconds.format(n=whole)


def ago(iso: str | None, now: datetime | None = None) -> str:
    """Format the age of an ISO 8601 time, such as "12 days ago". Return "" for an invalid time."""
    then = moment(iso)
    if then is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    for length, texts in _AGES:
        if (number := int(seconds // length)) >= 1:
            return ngettext(*texts, number).format(n=language().number(number))
    return _("just now")


def since(seconds: float | None) -> str:
    """Format the age of a time in seconds since 1970, such as "12 days ago". Return "" for None."""
    return ago(datetime.fromtimestamp(seconds, UTC).isoformat()) if seconds else ""


def visible(text: str | None) -> str:
    """Return hub text without control characters and direction overrides, which could disguise a name as another."""
    text = text or ""
    # Nearly all texts take this fast path.
    if text.isprintable():
        return text.strip()
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf") or c in "\u200d\ufe0f").strip()


def title(text: str | None) -> str:
    """Return hub text as a heading, cut at LONGEST_TITLE: browsers need seconds to break a word of a book's length."""
    heading = visible(text)
    return heading if len(heading) <= LONGEST_TITLE else f"{heading[:LONGEST_TITLE]}…"


def record_title(record: Record) -> str:
    return title(record.title) or record.ref.id


def base_label(record: Record) -> str:
    """Return the base model, or else the architecture of the file, or else the hub's name of the base."""
    is_proved = "architecture" in record.conflicts or not record.raw_base_model
    return base_name(record.base_model, record.architecture if is_proved else None) or visible(record.raw_base_model)


def base_name(base_model: str | None, architecture: str | None) -> str:
    """Return the label of the base model or, failing that, of the architecture. Return "" if both are unknown."""
    if base_model:
        return visible(base_models.label(base_model))
    return base_models.architecture_label(architecture) if architecture else ""


def join(*parts: str) -> str:
    """Join the parts that are not empty with a middle dot."""
    return " · ".join(part for part in parts if part)


def sentences(*parts: str) -> str:
    """Join the sentences that are not empty, with the separator of the current language."""
    return language().space.join(part for part in parts if part)


def part_label(part: Part) -> str:
    """Translate the label of a query's condition. `connectors` has English labels only."""
    if part.key not in BY_KEY:
        return _("not {label}").format(label=part.label.removeprefix("not ")) if part.is_excluded else part.label
    label = field_label(BY_KEY[part.key], BY_KEY[part.key].read(part.value))
    return _("not {label}").format(label=label) if part.is_excluded else label


def field_label(field: Field, value: Any) -> str:
    label = field.label(value, _)
    return _TIME.sub(_time, label) if field.form == "range" else label


def _time(match: re.Match[str]) -> str:
    number = int(match[1].replace(",", ""))
    return ngettext(*UNITS[match[2]], number).format(n=language().number(number))


# The text before the first condition of a kind, for one LoRA and for several. Other conditions need no such text.
# In languages with the verb at the end, translators name the field instead: "base: FLUX.1".
LEADS: Mapping[str, tuple[str, str]] = {
    "hub": N_plural("on", "on"),
    "base": N_plural("for", "for"),
    "kind": N_plural("that is a", "that are"),
    "text": N_plural("that mentions", "that mention"),
}
# Fields that the summary of a query omits, because the page has controls for them.
NOT_SUMMARISED = ("sort", "nsfw")


@dataclass(frozen=True, kw_only=True)
class QueryWord:
    """One condition in the summary of a query, with its label and the text before it (`lead`)."""

    lead: str
    label: str
    part: Part


def query_words(query: Query, *, one: bool = False) -> list[QueryWord]:
    """Return the conditions of a query in the order of its summary. `one`: verbs and nouns are singular."""
    parts = [part for part in query_parts(query) if part.key not in NOT_SUMMARISED]
    order = tuple(LEADS)
    parts.sort(key=lambda part: order.index(part.key) if part.key in order and not part.is_excluded else len(order))
    words: list[QueryWord] = []
    for part in parts:
        previous, label, lead = words[-1].part if words else None, part_label(part), ""
        if part.key in LEADS and not part.is_excluded:
            lead = ngettext(*LEADS[part.key], 1 if one else 2)
            if previous is not None and previous.key == part.key and not previous.is_excluded:
                lead = _("and") if part.key == "text" else _("or")
            if part.key == "kind" and not one:
                label = _(KIND_PLURALS[part.value])
        words.append(QueryWord(lead=lead, label=label, part=part))
    return words


LONGEST_QUERY_NAME = 80


def query_name(query: Query) -> str:
    """Return the summary of a query, which is the default name of a saved search."""
    labels = ", ".join(word.label for word in query_words(query))
    return visible(labels)[:LONGEST_QUERY_NAME].strip() or _("All LoRAs")
