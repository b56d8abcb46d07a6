"""Translate the page's texts and numbers to the language of the visitor.

The sources contain the English texts; hub_ui/locales has the translations. Only the page selects a language, so the
command line is English. This module has few imports, because every command loads it.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial

from hub_ui.base.context import use

# The name of each language in that language. The codes are values of HTML's lang attribute.
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-CN": "简体中文", "ja": "日本語"}


class Language:
    """English, and the base class of the other languages, which are in hub_ui/locales."""

    code = "en"
    # The separator of two sentences.
    space = " "

    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def number(self, number: float, digits: int = 0) -> str:
        """Format a number, such as 1234.5 with one digit -> "1,234.5"."""
        return f"{number:,.{digits}f}"

    def compact(self, number: int) -> str:
        """Shorten a number, such as 12400 -> "12.4k"."""
        for unit, letter in ((1_000_000, "M"), (1_000, "k")):
            if number >= unit:
                text = f"{number / unit:.1f}" if number < 100 * unit else f"{number / unit:.0f}"
                return text.removesuffix(".0") + letter
        return str(number)


_chosen: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """Return the language of the current request, or English outside of a request."""
    return _chosen.get() or Language()


use_language = partial(use, _chosen)


def _(text: str) -> str:
    """Translate `text` to the current language. Fill in values afterwards: `_("{count} in {folder}").format(...)`."""
    # gettext returns the catalogue's header for an empty text.
    return language().gettext(text) if text else ""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name
    """Mark a constant for translation, and return it unchanged. `_(CONSTANT)` translates it when it is shown."""
    return text


def N_plural(one: str, many: str) -> tuple[str, str]:  # noqa: N802
    """Mark the two texts of `ngettext` for translation."""
    return one, many


def ngettext(one: str, many: str, number: int) -> str:
    """Translate `one` or `many` by the plural rules of the current language. `.format(...)` fills in the number."""
    return language().ngettext(one, many, number)
