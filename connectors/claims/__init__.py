"""Claims: facts about a LoRA from hubs and model cards.

The words and patterns are in TOML files; wording.toml has the wording of authors.
"""

import re
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """The words and patterns of one table.

    `words` keep their order, which matters to some users; so do `lists` of patterns.
    """

    words: Mapping[str, Set[str]]
    patterns: Mapping[str, re.Pattern[str]]
    lists: Mapping[str, tuple[re.Pattern[str], ...]]


@cache
def read_tables(file: str) -> Mapping[str, Any]:
    """Return a TOML file of connectors/."""
    return tomllib.loads((Path(__file__).parents[1] / file).read_text(encoding="utf-8"))


@cache
def read_wording(name: str, file: str = "wording.toml") -> Wording:
    table = read_tables(file)[name]
    parts: dict[str, str] = {}
    for part, text in table.get("parts", {}).items():
        parts[part] = fill(text, parts)
    return Wording(
        words={key: dict.fromkeys(words).keys() for key, words in table.get("words", {}).items()},
        patterns={key: re.compile(fill(text, parts)) for key, text in table.get("patterns", {}).items()},
        lists={
            key: tuple(re.compile(fill(text, parts)) for text in texts) for key, texts in table.get("lists", {}).items()
        },
    )


def fill(text: str | list[str], parts: Mapping[str, str]) -> str:
    """Return `text`, or the texts of a list joined, with each {PART} replaced."""
    whole = "".join(text)
    for name, part in parts.items():
        whole = whole.replace(f"{{{name}}}", part)
    return whole
