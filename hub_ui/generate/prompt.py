"""The prompt as used: trigger words are put in by themselves, because without them many LoRAs do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_ui.generate.request import LoraInput


def trigger_words(adapters: Sequence[LoraInput]) -> tuple[str, ...]:
    """Those of all the LoRAs, each once, in their order."""
    words = (_plain(word) for adapter in adapters for word in adapter.trigger_words)
    return tuple(dict.fromkeys(word for word in words if word))


def add_words(prompt: str, words: Iterable[str]) -> str:
    """Words that are not in the prompt yet go in front, each once, in the author's order."""
    prompt = prompt.strip()
    missing: list[str] = []
    for word in map(_plain, words):
        if word and not any(re.search(_pattern(word), text, re.IGNORECASE) for text in (prompt, *missing)):
            missing.append(word)
    return ", ".join([*missing, prompt] if prompt else missing)


def remove_words(prompt: str, words: Iterable[str]) -> str:
    """The same prompt with none of the words, and no comma left behind by them."""
    for word in sorted(words, key=len, reverse=True):
        prompt = re.sub(_pattern(word), "", prompt, flags=re.IGNORECASE)
    parts = (" ".join(part.split()) for part in prompt.split(","))
    return ", ".join(part for part in parts if part)


def _plain(word: str) -> str:
    return " ".join(word.split()).strip(" ,")


def _pattern(word: str) -> str:
    """A whole word or phrase with any spaces between: "ink" is not in "drinking"."""
    phrase = r"\s+".join(re.escape(part) for part in word.split())
    return rf"(?<!\w){phrase}(?!\w)"
