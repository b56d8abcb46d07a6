"""What a query's conditions are called in the reader's language. `connectors` calls them by English labels."""

import re
from collections.abc import Mapping
from typing import Any

from connectors.query import BY_KEY
from connectors.query_fields import Field
from connectors.query_language import Part
from hub_ui.i18n import N_plural, _, language, ngettext

UNITS: Mapping[str, tuple[str, str]] = {
    "year": N_plural("{n} year", "{n} years"),
    "day": N_plural("{n} day", "{n} days"),
    "hour": N_plural("{n} hour", "{n} hours"),
    "second": N_plural("{n} second", "{n} seconds"),
}
_TIME = re.compile(rf"([\d,]+) ({'|'.join(UNITS)})s?")


def part_label(part: Part) -> str:
    if part.key not in BY_KEY:
        return _("not {label}").format(label=part.label.removeprefix("not ")) if part.is_excluded else part.label
    label = field_label(BY_KEY[part.key], BY_KEY[part.key].read(part.value))
    return _("not {label}").format(label=label) if part.is_excluded else label


def field_label(field: Field, value: Any) -> str:
    label = field.label(value, _)
    return _TIME.sub(_time, label) if field.form == "range" else label


def _time(found: re.Match[str]) -> str:
    number = int(found[1].replace(",", ""))
    return ngettext(*UNITS[found[2]], number).format(n=language().number(number))
