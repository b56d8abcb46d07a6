"""The prompt as used: trigger words are put in by themselves, because without them many LoRAs do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub_ui.preview.job import Job


def as_used(job: Job) -> str:
    words = (word for adapter in job.adapters for word in adapter.trigger_words) if job.use_trigger_words else ()
    return with_words(job.prompt, words)


def with_words(prompt: str, words: Iterable[str]) -> str:
    """Words that are not in the prompt yet go in front, each once, in the author's order."""
    prompt = prompt.strip()
    missing: list[str] = []
    for word in (" ".join(word.split()).strip(" ,") for word in words):
        if word and not _contains(prompt, word) and not any(_contains(other, word) for other in missing):
            missing.append(word)
    return ", ".join([*missing, prompt] if prompt else missing)


def _contains(text: str, word: str) -> bool:
    """As a whole word or phrase, in any letter case and with any spaces: "ink" is not in "drinking"."""
    spaced = r"\s+".join(re.escape(part) for part in word.split())
    return re.search(rf"(?<!\w){spaced}(?!\w)", text, re.IGNORECASE) is not None
