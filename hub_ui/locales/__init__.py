"""The translations: one gettext catalogue for each language, and numbers formatted by Babel.

CONTRIBUTING.md ("Words") explains how to add a text or a language.
"""

import gettext
from collections.abc import Mapping
from functools import cache
from importlib import resources
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_decimal
from starlette.requests import cookie_parser

from hub_ui.base.i18n import LANGUAGES, Language

DOMAIN = "hub_ui"
# The cookie has the language chosen on the Settings page.
COOKIE = "hub-ui-language"
# These languages have no spaces between sentences, because their full stop is wide.
UNSPACED = ("zh-CN", "ja")


class Translation(Language):
    def __init__(self, code: str) -> None:
        self.code = code
        self.space = "" if code in UNSPACED else " "
        self._locale = Locale.parse(code, sep="-")
        # Compile at start, so that the repository needs no binary catalogues.
        compiled = BytesIO()
        with resources.files(__name__).joinpath(catalogue_path(code)).open("rb") as file:
            write_mo(compiled, read_po(file, locale=self._locale, domain=DOMAIN))
        compiled.seek(0)
        self._catalogue = gettext.GNUTranslations(compiled)

    def gettext(self, text: str) -> str:
        return self._catalogue.gettext(text)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self._catalogue.ngettext(one, many, number)

    def number(self, number: float, digits: int = 0) -> str:
        return format_decimal(number, f"#,##0.{'0' * digits}" if digits else "#,##0", self._locale)

    def compact(self, number: int) -> str:
        return format_compact_decimal(number, locale=self._locale, fraction_digits=1)


def catalogue_path(code: str) -> str:
    """Return the path of a catalogue below hub_ui/locales."""
    return f"{code.replace('-', '_')}/LC_MESSAGES/{DOMAIN}.po"


@cache
def get_language(code: str) -> Language:
    """Return the language with this code of LANGUAGES."""
    return Language() if code == "en" else Translation(code)


def choose_language(chosen: str, accepted: str) -> str:
    """Return a code of LANGUAGES: `chosen`, or else the browser's first choice (HTTP's Accept-Language)."""
    if chosen in LANGUAGES:
        return chosen
    # Match on the primary tag, because zh-CN is more useful to a zh-TW reader than English.
    codes_by_primary_tag = {code.partition("-")[0]: code for code in LANGUAGES}
    weighed: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        name, _, weight = part.partition(";q=")
        try:
            weighed.append((float(weight or 1), name.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    ordered = sorted(weighed, key=lambda pair: -pair[0])
    accepted_tags = (tag for weight, tag in ordered if weight > 0)
    return next((codes_by_primary_tag[tag] for tag in accepted_tags if tag in codes_by_primary_tag), "en")


def read_choice(headers: Mapping[str, str]) -> str:
    """Return the code in the cookie, or "" if the browser decides."""
    chosen = cookie_parser(headers.get("cookie") or "").get(COOKIE, "")
    return chosen if chosen in LANGUAGES else ""


def read_language(headers: Mapping[str, str]) -> Language:
    """Return the language of a request."""
    return get_language(choose_language(read_choice(headers), headers.get("accept-language") or ""))
