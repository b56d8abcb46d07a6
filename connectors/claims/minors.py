"""Find a minor in the words of a card whose content is above soft. The parsers of all hubs use it.

`Lora.is_withheld` acts on the claim: such a LoRA is in no list and can't be opened, downloaded or tried.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from connectors.claims import read_wording
from connectors.claims.content import NEGATIVE_PROMPT
from connectors.record import Claim, Nsfw, within

_RULES = read_wording("minors", "minors.toml")
_AGES, _WORDS = _RULES.lists["ages"], _RULES.lists["words"]
_DENIED = _RULES.patterns["denied"]
_DENIAL = 40
_LONGEST = 20_000
# Letters of Cyrillic that look like Latin ones, and digits and signs that stand for letters: "l0li".
_LOOKALIKES = str.maketrans("оеарсухі", "oeapcyxi")
_LEET = str.maketrans("013457@$!", "oieastasi")
# "l o l i", "l.o.l.i"
_SPACED = re.compile(r"(?<![a-z])[a-z](?:[ ._*-][a-z]){2,}(?![a-z])")


def minor_claims(level: Nsfw | None, texts: Iterable[tuple[str, str]], card: str = "") -> tuple[Claim, ...]:
    """Return a claim that a LoRA above soft shows a minor, with the first place that names one.

    `texts` are (text, where it stands) pairs of titles, tags, trigger words, prompts and file names. Of a card
    only ages count, because many cards forbid in words to depict minors.
    """
    if within(level, "soft"):
        return ()
    places = [where for text, where in texts if states_age(text) or names_minor(text)]
    places += ["card"] if states_age(card) else []
    return tuple(Claim(field="minor", value=True, source="tag", where=where) for where in places[:1])


def states_age(text: str) -> bool:
    """Return whether a text states an age under 18, in English, Chinese or Japanese."""
    return _finds(_AGES, _fold(text))


def names_minor(text: str) -> bool:
    """Return whether a text has a word for a child or teenager, also in a disguised spelling."""
    plain = _fold(text)
    spelled = _SPACED.sub(lambda found: re.sub(r"[^a-z]", "", found[0]), plain.translate(_LEET))
    return _finds(_WORDS, plain) or _finds(_WORDS, spelled)


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().translate(_LOOKALIKES)
    return NEGATIVE_PROMPT.sub(" ", folded)


def _finds(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    found = (match.start() for pattern in patterns for match in pattern.finditer(text))
    return any(_DENIED.search(text, max(0, start - _DENIAL), start) is None for start in found)
