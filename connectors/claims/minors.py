"""Find a minor in the words of a card whose content is above soft. The parsers of all hubs use it.

`Lora.is_withheld` acts on the claim: such a LoRA is in no list and can't be opened, downloaded or tried.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from connectors.claims import read_wording
from connectors.claims.content import NEGATIVE_PROMPT
from connectors.claims.spellings import readings
from connectors.record import Claim, Nsfw, within

_RULES = read_wording("minors", "minors.toml")
_AGES, _WORDS, _ALONE = _RULES.lists["ages"], _RULES.lists["words"], _RULES.lists["alone"]
_INNOCENT = _RULES.lists["innocent"]
_DENIED, _FORBIDDEN = _RULES.patterns["denied"], _RULES.patterns["forbidden"]
_DENIAL = 80


def minor_claims(
    level: Nsfw | None, texts: Iterable[tuple[str, str]], card: str = "", claims: Iterable[Claim] = ()
) -> tuple[Claim, ...]:
    """Return a claim that a LoRA shows a minor in sexual content, with the first place that names the minor.

    `texts` are (text, where it stands) pairs of titles, tags, trigger words, prompts and file names. Of a card
    only ages count, because many cards forbid in words to depict minors. Two cases need no level above soft: words
    for the sexual interest in minors, and an age in the trigger words (from `claims`) of an unrated LoRA.
    """
    texts = tuple(texts)
    places = [where for text, where in texts if _finds(_ALONE, text)]
    if level is None:
        values = (claim.value for claim in claims if claim.field == "trigger_words")
        words = chain.from_iterable(value for value in values if isinstance(value, tuple))
        places += ["trigger words" for word in words if states_age(word)]
    if not within(level, "soft"):
        places += [where for text, where in texts if states_age(text) or names_minor(text)]
        places += ["card"] if states_age(card) else []
    return tuple(Claim(field="minor", value=True, source="tag", where=where) for where in places[:1])


def states_age(text: str) -> bool:
    """Return whether a text states a person's age under 18, in English, Chinese or Japanese."""
    return _finds(_AGES, text)


def names_minor(text: str) -> bool:
    """Return whether a text has a word for a child or teenager, also in a disguised spelling."""
    return _finds(_WORDS, text)


def _finds(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    for reading in readings(text):
        kept = _without_idioms(reading)
        matches = (match for pattern in patterns for match in pattern.finditer(kept))
        if not all(_is_ruled_out(match, kept) for match in matches):
            return True
    return False


def _without_idioms(text: str) -> str:
    text = NEGATIVE_PROMPT.sub(" ", text)
    for pattern in _INNOCENT:
        text = pattern.sub(" ", text)
    return text


def _is_ruled_out(match: re.Match[str], text: str) -> bool:
    """Return whether the author forbids it: "no kids", "do not depict minors", "minors are prohibited"."""
    before = _DENIED.search(text, max(0, match.start() - _DENIAL), match.start())
    return before is not None or _FORBIDDEN.match(text, match.end()) is not None
