"""What a person may have meant by a word that is not among the known ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence such as " Did you mean “sdxl” or “sdxl-1.0”?", with a blank in front; empty where nothing is near."""
    spelled = {name.casefold(): name for name in known}
    near = [f"“{spelled[key]}”" for key in get_close_matches(word[:100].casefold(), spelled, n=3)]
    if not near:
        return ""
    return f" Did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
