"""What a query's conditions are called in the reader's language. `connectors` calls them by English labels."""

import re
from collections.abc import Mapping

from connectors.query_language import Part
from hub_ui.i18n import N_, N_plural, _, language, ngettext

# The forms of labels with a value in them, by the key of their field.
FORMS: Mapping[str, tuple[str, ...]] = {
    "creator": (N_("by {name}"),),
    "tag": (N_("tag {name}"),),
    "license": (N_("licence {name}"),),
    "trigger": (N_("trigger word {name}"),),
    "rank": (
        N_("rank at least {n}"), N_("rank more than {n}"), N_("rank at most {n}"), N_("rank less than {n}"),
        N_("rank {low} to {high}"), N_("rank {n}"),
    ),
    "size": (
        N_("size at least {n}"), N_("size more than {n}"), N_("size at most {n}"), N_("size less than {n}"),
        N_("size {low} to {high}"), N_("size {n}"),
    ),
    "updated": (
        N_("updated at least {n} ago"), N_("updated more than {n} ago"), N_("updated at most {n} ago"),
        N_("updated less than {n} ago"), N_("updated {low} to {high} ago"), N_("updated {n} ago"),
    ),
}  # fmt: skip
# Labels of these are texts of a table as they stand; others may be words of hubs.
TABLES = ("kind", "access", "license", "trigger", "installed", "sort", "nsfw")
UNITS: Mapping[str, tuple[str, str]] = {
    "year": N_plural("{n} year", "{n} years"),
    "day": N_plural("{n} day", "{n} days"),
    "hour": N_plural("{n} hour", "{n} hours"),
    "second": N_plural("{n} second", "{n} seconds"),
}
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
_TIME = re.compile(rf"([\d,]+) ({'|'.join(UNITS)})s?")


def part_label(part: Part) -> str:
    if part.is_excluded:
        return _("not {label}").format(label=field_label(part.key, part.label.removeprefix("not ")))
    return field_label(part.key, part.label)


def field_label(key: str, label: str) -> str:
    """The `label` of a value of the field `key`."""
    for form in FORMS.get(key, ()):
        if found := re.fullmatch(_PLACEHOLDER.sub(r"(?P<\1>.+)", re.escape(form)), label, re.DOTALL):
            return _(form).format(**{name: _TIME.sub(_time, value) for name, value in found.groupdict().items()})
    return _(label) if key in TABLES else label


def _time(found: re.Match[str]) -> str:
    number = int(found[1].replace(",", ""))
    return ngettext(*UNITS[found[2]], number).format(n=language().number(number))
