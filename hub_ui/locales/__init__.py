"""The languages besides English: one catalogue each, in gettext's own form, and numbers by Babel.

CONTRIBUTING.md ("Words") says how to add a text or a language.
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
# What a person chose on the Settings page.
COOKIE = "hub-ui-language"
# Their sentences end with a wide full stop.
UNSPACED = ("zh-CN", "ja")


class Translation(Language):
    def __init__(self, code: str) -> None:
        self.code = code
        self.space = "" if code in UNSPACED else " "
        self._locale = Locale.parse(code, sep="-")
        # Compiled here, so that no binary file has to be kept in step with its source.
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
    """Within hub_ui/locales."""
    return f"{code.replace('-', '_')}/LC_MESSAGES/{DOMAIN}.po"


@cache
def get_language(code: str) -> Language:
    """One of LANGUAGES, by its code."""
    return Language() if code == "en" else Translation(code)


def choose_language(chosen: str, accepted: str) -> str:
    """A code of LANGUAGES: the `chosen` one, else the first that the browser accepts (HTTP's Accept-Language)."""
    if chosen in LANGUAGES:
        return chosen
    # Any Chinese is better read than English by who asks for one.
    own = {code.partition("-")[0]: code for code in LANGUAGES}
    weighed: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        name, _, weight = part.partition(";q=")
        try:
            weighed.append((float(weight or 1), name.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    ordered = sorted(weighed, key=lambda pair: -pair[0])
    return next((own[name] for weight, name in ordered if name in own and weight > 0), "en")


def read_choice(headers: Mapping[str, str]) -> str:
    """A code of LANGUAGES, or empty for "as the browser says"."""
    chosen = cookie_parser(headers.get("cookie") or "").get(COOKIE, "")
    return chosen if chosen in LANGUAGES else ""


def read_language(headers: Mapping[str, str]) -> Language:
    """That of a request."""
    return get_language(choose_language(read_choice(headers), headers.get("accept-language") or ""))
