"""The page's words and numbers in the language of who reads it. What is imported here costs the command line nothing.

English text stands in the sources and is what catalogues translate (hub_ui/locales). Nobody but the page chooses a
language, so the command line speaks English.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial

from hub_ui.base.context import use

# As each language calls itself. The codes are those of HTML's lang attribute.
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-CN": "简体中文", "ja": "日本語"}


class Language:
    """English; the classes of other languages are hub_ui/locales'."""

    code = "en"
    # Between two sentences.
    space = " "

    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def number(self, number: float, digits: int = 0) -> str:
        """1234.5 with one digit -> "1,234.5"."""
        return f"{number:,.{digits}f}"

    def compact(self, number: int) -> str:
        """12400 -> "12.4k"."""
        for unit, letter in ((1_000_000, "M"), (1_000, "k")):
            if number >= unit:
                text = f"{number / unit:.1f}" if number < 100 * unit else f"{number / unit:.0f}"
                return text.removesuffix(".0") + letter
        return str(number)


_chosen: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """That of the present event of the page; English elsewhere."""
    return _chosen.get() or Language()


use_language = partial(use, _chosen)


def _(text: str) -> str:
    """`text` in the present language. Values go in afterwards: `_("{count} in {folder}").format(...)`."""
    # The empty text is where gettext keeps a catalogue's own description.
    return language().gettext(text) if text else ""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name
    """Marks a constant for the catalogue; `_(CONSTANT)` translates it where it is shown."""
    return text


def N_plural(one: str, many: str) -> tuple[str, str]:  # noqa: N802
    """N_ for the two texts of `ngettext`."""
    return one, many


def ngettext(one: str, many: str, number: int) -> str:
    """`one` or `many`, as the present language counts; `.format(...)` puts the number in."""
    return language().ngettext(one, many, number)
