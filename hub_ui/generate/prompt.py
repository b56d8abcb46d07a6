"""The prompt as used: trigger words are put in by themselves, because without them many LoRAs do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_ui.generate.request import GenerationRequest, LoraInput


def as_used(job: GenerationRequest, prompt: str | None = None) -> str:
    """The job's prompt, or another in its place, with the trigger words if they are wanted."""
    text = job.prompt if prompt is None else prompt
    return with_words(text, trigger_words(job.adapters) if job.use_trigger_words else ())


def trigger_words(adapters: Sequence[LoraInput]) -> tuple[str, ...]:
    """Those of all the LoRAs, each once, in their order."""
    words = (" ".join(word.split()).strip(" ,") for adapter in adapters for word in adapter.trigger_words)
    return tuple(dict.fromkeys(word for word in words if word))


def with_words(prompt: str, words: Iterable[str]) -> str:
    """Words that are not in the prompt yet go in front, each once, in the author's order."""
    prompt = prompt.strip()
    missing: list[str] = []
    for word in (" ".join(word.split()).strip(" ,") for word in words):
        if word and not _contains(prompt, word) and not any(_contains(other, word) for other in missing):
            missing.append(word)
    return ", ".join([*missing, prompt] if prompt else missing)


def without_words(prompt: str, words: Iterable[str]) -> str:
    """The same prompt with none of the words, and no comma left behind by them."""
    for word in sorted(words, key=len, reverse=True):
        prompt = re.sub(_pattern(word), "", prompt, flags=re.IGNORECASE)
    parts = (" ".join(part.split()) for part in prompt.split(","))
    return ", ".join(part for part in parts if part)


def _contains(text: str, word: str) -> bool:
    """As a whole word or phrase, in any letter case and with any spaces: "ink" is not in "drinking"."""
    return re.search(_pattern(word), text, re.IGNORECASE) is not None


def _pattern(word: str) -> str:
    spaced = r"\s+".join(re.escape(part) for part in word.split())
    return rf"(?<!\w){spaced}(?!\w)"
