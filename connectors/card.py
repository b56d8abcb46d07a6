"""A Hugging Face model card: YAML front matter, then Markdown."""

from __future__ import annotations

import re

import yaml

from connectors.wire import Table, table

# As huggingface_hub reads it: only at the very start, since cards use --- as a rule in their text too.
_FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?P<front>.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MAX_FRONT = 200_000
# HTML in cards: authors mix it into Markdown, and descriptions moved over from CivitAI are nothing else.
_TAGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<h([1-6])\b[^<>]{0,300}>", re.IGNORECASE), "\n# "),
    (re.compile(r"</?code\b[^<>]{0,300}>", re.IGNORECASE), "`"),
    (re.compile(r"<(?:br|/p|/li|/h[1-6]|/div|/tr|p|li|div)\b[^<>]{0,300}>", re.IGNORECASE), "\n"),
    (
        re.compile(r"</?(?:a|b|i|u|em|strong|span|font|center|ul|ol|s|del|small|mark)\b[^<>]{0,600}>", re.IGNORECASE),
        "",
    ),
)


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


def lines(text: str) -> str:
    """The text with its HTML turned into lines and Markdown, for reading facts from; never for showing."""
    text = text.replace("\r\n", "\n")
    for tag, plain in _TAGS:
        text = tag.sub(plain, text)
    return text
