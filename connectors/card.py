"""A Hugging Face model card: YAML front matter, then Markdown."""

from __future__ import annotations

import re

import yaml

from connectors.wire import Table, table

# As huggingface_hub reads it: only at the very start, since cards use --- as a rule in their text too.
_FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?P<front>.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MAX_FRONT = 200_000


def split(card: str) -> tuple[Table, str]:
    """The front matter (empty where there is none or it is broken) and the text after it."""
    match = _FRONT.match(card)
    if match is None or len(match["front"]) > _MAX_FRONT:
        return {}, card
    try:
        return table(yaml.safe_load(match["front"])), card[match.end() :]
    except (yaml.YAMLError, ValueError, RecursionError):
        # ValueError: a date like 2024-13-45. RecursionError: nesting made to break readers.
        return {}, card[match.end() :]
