"""Which file of a repo a card's words belong to: one repo may hold dozens of LoRAs, each with its own words.

Told apart only where the card itself does: a section that names one weight file, in its title or its text, or a table
with a column for files and one for trigger words. A file named alone tells nothing: every card names its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from connectors.facts.card_words import card_claims
from connectors.facts.claims import best
from connectors.facts.trigger_words import split
from connectors.facts.weight import scale_claims
from connectors.record import Claim

_HEADING = re.compile(r"^#{1,6}[ \t]+(?P<title>[^\n]{1,200})$", re.MULTILINE)
_FILE = re.compile(r"[^\s/\\()\[\]<>`\"'|=]{1,150}\.safetensors", re.IGNORECASE)
_ROW = re.compile(r"^[ \t]*\|(?P<cells>[^\n]{1,2000})\|[ \t]*$", re.MULTILINE)
_TRIGGER = re.compile(r"trigger|activation|keyword", re.IGNORECASE)
_NO_WORDS = re.compile(r"[-–— ]*|n/?a|none|no\b.*", re.IGNORECASE)
_MAX_SECTIONS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class TellingApart:
    """The claims of each file by its name in small letters, and the text that is left for the repo as a whole."""

    claims: Mapping[str, tuple[Claim, ...]]
    rest: str


def tell_apart(body: str, where: str, files: Iterable[str]) -> TellingApart:
    """`files` are the repo's weight files. A card read without its repo shows them by their names alone."""
    stems = {_letters(name.rpartition(".")[0]): name.casefold() for name in files}
    tables = dict(_tables(body, where))
    found = {file: (_claims(text, f"{where}: {title}"), text) for file, title, text in _sections(body, stems)}
    said = {file: (claims, text) for file, (claims, text) in found.items() if claims}
    if len(said) < 2:
        return TellingApart(claims=tables if len(tables) > 1 else {}, rest=body)
    rest = body
    for _, text in said.values():
        rest = rest.replace(text, "\n", 1)
    return TellingApart(claims={**tables, **{file: claims for file, (claims, _) in said.items()}}, rest=rest)


def disagrees(body: str, files: int) -> bool:
    """Whether parts of a card with several weight files name words that have nothing in common: one part a LoRA."""
    if files < 2 and len(_named(body)) < 2:
        return False
    said = [set(words) for _, text in _parts(body) if (words := best(card_claims(text, ""), "trigger_words"))]
    return any(one.isdisjoint(other) for one, other in pairwise(said))


def _claims(text: str, where: str) -> tuple[Claim, ...]:
    return (*card_claims(text, where), *scale_claims(text, where))


def _sections(body: str, stems: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The parts between two headings that name one weight file, and no other part names it."""
    seen = set[str]()
    for title, text in _parts(body):
        titled = stems.get(_letters(title))
        files = {titled} if titled else _named(text)
        if len(files) == 1 and (file := files.pop()) not in seen:
            seen.add(file)
            yield file, title, text


def _named(text: str) -> set[str]:
    """The weight files that a text names; in a link, a space is %20."""
    return {unquote(name).casefold() for name in _FILE.findall(text)}


def _letters(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _parts(body: str) -> Iterator[tuple[str, str]]:
    headings = list(_HEADING.finditer(body))[:_MAX_SECTIONS]
    for heading, after in zip(headings, [*headings[1:], None], strict=False):
        # With its heading, which may be "Trigger words".
        text = body[heading.start() : after.start() if after else len(body)]
        yield heading["title"].strip(" #*"), text


def _tables(body: str, where: str) -> Iterator[tuple[str, tuple[Claim, ...]]]:
    column: int | None = None
    for row in _ROW.finditer(body):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        titled = next(
            (i for i, cell in enumerate(cells) if _TRIGGER.match(cell.strip("*_` ")) and len(cell) < 40), None
        )
        if titled is not None and not _FILE.search(row["cells"]):
            column = titled
        elif column is not None and column < len(cells) and (file := _FILE.search(row["cells"])):
            yield from _row(file[0], cells[column], where)


def _row(file: str, cell: str, where: str) -> Iterable[tuple[str, tuple[Claim, ...]]]:
    words = () if _NO_WORDS.fullmatch(cell) else split(re.sub(r"[`*\"]|<br ?/?>", "", cell))
    if words:
        claim = Claim(field="trigger_words", value=words, source="card", where=f"{where}: table, {file}")
        yield file.casefold(), (claim,)
