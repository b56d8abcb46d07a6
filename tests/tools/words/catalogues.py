"""The texts of the sources, the template of the catalogues (.pot), and each language's catalogue (.po)."""

import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from connectors.query import FIELDS
from connectors.registry import HUBS, LOCAL, origin_label
from connectors.replicate.runs import UNDER_WAY
from connectors.weights.file_type import WORDS
from hub_ui import locales
from hub_ui.base.i18n import LANGUAGES
from hub_ui.catalog.similar import Reason
from hub_ui.generate.base_models.table import SUBSTITUTIONS
from hub_ui.images.infotext import OTHER_PROGRAMS
from hub_ui.locales import DOMAIN, catalogue_path
from hub_ui.web.layout.render import TERMS
from hub_ui.web.layout.render import WORDS as TABLES

FOLDER = Path(locales.__file__).parent
TEMPLATE = FOLDER / f"{DOMAIN}.pot"
PACKAGE = FOLDER.parent
# Functions that take texts, and which of their arguments those are if not the first.
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "N_": None,
    "N_plural": (1, 2),
    "count_text": (2, 3),
    "ngettext": (1, 2),
}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_HEADER = '# The words of hub-ui\'s page: CONTRIBUTING.md, "Words".\n#'


@cache
def read_sources() -> Catalog:
    """Every text that is marked in hub_ui, and the labels of `connectors`."""
    found = Catalog(project="hub-ui", domain=DOMAIN, header_comment=_HEADER)
    for path in sorted(PACKAGE.rglob("*.py")):
        _add(found, path, "python")
    for path in sorted(PACKAGE.rglob("*.html")):
        _add(found, path, "jinja2.ext:babel_extract")
    for label in labels():
        if label not in found:
            found.add(label, locations=[("connectors", 0)])
    return found


def labels() -> Iterator[str]:
    """The texts of tables, which are not marked there: the page translates them where it shows them.

    `connectors` knows no languages.
    """
    yield origin_label(LOCAL)
    yield from (hub.key_note for hub in HUBS.values())
    yield from (hub.description for hub in HUBS.values())
    yield from UNDER_WAY
    yield from WORDS.values()
    yield from get_args(Reason)
    yield from (words for _begins, words, _unless in OTHER_PROGRAMS["unmapped"])
    yield from (row.reason for row in SUBSTITUTIONS)
    for field in FIELDS:
        yield from (field.meaning, *field.texts)
        if field.facet:
            yield from (field.facet.name, *field.facet.labels.values())
    for words in TABLES.values():
        yield from (text if isinstance(text, str) else text[0] for text in words.values())
    yield from (text for term in TERMS.values() for text in (term["title"], term["text"], term["more"]) if text)


def _add(found: Catalog, path: Path, method: str) -> None:
    options = {"trimmed": "false", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
    with path.open("rb") as file:
        for _line, text, _comments, _context in extract(method, file, keywords=KEYWORDS, options=options):
            # Line numbers would change with every change of the sources.
            found.add(text, locations=[(path.relative_to(PACKAGE.parent).as_posix(), 0)])


def read_catalogue(code: str) -> Catalog:
    with (FOLDER / catalogue_path(code)).open("rb") as file:
        return read_po(file, locale=code.replace("-", "_"), domain=DOMAIN)


def update(found: Catalog) -> None:
    """Writes the template, and each catalogue with just the texts of the sources."""
    TEMPLATE.write_bytes(write(found))
    for code in LANGUAGES:
        path = FOLDER / catalogue_path(code)
        if code == "en":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        known = read_catalogue(code) if path.exists() else Catalog(locale=code.replace("-", "_"), domain=DOMAIN)
        # A text that has got a plural, or lost it, is marked as fuzzy.
        known.update(found, no_fuzzy_matching=True, update_header_comment=True)
        path.write_bytes(write(known))


def write(catalogue: Catalog) -> bytes:
    """Always the same for the same texts: sorted, without dates and names of programs."""
    file = BytesIO()
    write_po(file, catalogue, width=120, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    text = re.sub(
        rb'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Generated-By|Language-Team|Report-'
        rb"Msgid-Bugs-To|Project-Id-Version)[^\n]*\n",
        b"",
        file.getvalue(),
        flags=re.MULTILINE,
    )
    return text.replace(b'#, fuzzy\nmsgid ""', b'msgid ""')


def find_faults(code: str, found: Catalog) -> Iterator[str]:
    """What a catalogue lacks, and what it has that nothing needs."""
    catalogue = read_catalogue(code)
    for message in found:
        if message.id:
            translated = catalogue.get(message.id)
            if translated is None or translated.fuzzy or not all(strings(translated)):
                yield f"{code}: untranslated: {message.id!r}"
            elif wrong := [
                text for text in strings(translated) if placeholders(text) != placeholders(longest(message))
            ]:
                yield f"{code}: other placeholders than {message.id!r}: {wrong}"
    for message in catalogue:
        if message.id and message.id not in found:
            yield f"{code}: unused: {message.id!r}"


def strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (str(message.string or ""),)


def longest(message: Message) -> str:
    """The text for many: that for one may say "a file" where the other has the number."""
    return str(message.id[1] if isinstance(message.id, tuple) else message.id)


def placeholders(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))
