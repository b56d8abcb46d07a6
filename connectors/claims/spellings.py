"""Undo disguised spellings of words, such as "l0li", "l.o.l.i" and "p*rn".

The rules for ratings (content.py) and for minors (minors.py) look for their words in each reading of a text.
"""

import re
import unicodedata

_LONGEST = 20_000
# Titles, tags and prompts are disguised, whole cards are not. More readings would double the time to parse a card.
_LONGEST_DISGUISED = 1_000
# Letters of Cyrillic and Greek that look like Latin ones.
_LOOKALIKES = str.maketrans("авекмнорстухіѕјһӏԁαεικνορτυχ", "abekmhopctyxisjhldaeikvoptux")
# Accents that Unicode writes as characters of their own, and characters without a width.
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# "l o l i", "l.o.l.i", "1 0 y o"
_SPACED = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[ ._*-][a-z0-9]){2,}(?![a-z0-9])")
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_SPACED_CJK = re.compile(rf"(?<=[{_CJK}])[ ._*-](?=[{_CJK}](?:[ ._*-]|$))")
# Words with digits and signs for letters. They have at least two letters: "a55d", but not "45s".
_MIXED = re.compile(r"[a-z0-9@$!*]*[a-z][a-z0-9@$!*]*[a-z][a-z0-9@$!*]*")
_SIGNS = str.maketrans("03457@$!", "oeastasi")
_ONE = re.compile(r"(?<=[a-z])1|1(?=[a-z])")
_HIDDEN_LETTER = re.compile(r"(?<=[a-z])\*(?=[a-z])")


def readings(text: str) -> tuple[str, ...]:
    """Return the case-folded text and other readings of a short text: words split, joined, and digits as letters."""
    text = text[:_LONGEST]
    plain = _fold(text)
    if len(text) > _LONGEST_DISGUISED:
        return (plain,)
    joined = _SPACED_CJK.sub("", _SPACED.sub(lambda match: re.sub(r"[ ._*-]", "", match[0]), plain))
    found = [plain, _fold(_CAMEL.sub(" ", text)), joined]
    letters = _MIXED.sub(lambda match: match[0].translate(_SIGNS), joined)
    # A 1 is an i or an l.
    found += [_ONE.sub(letter, letters) for letter in "il"]
    if _HIDDEN_LETTER.search(plain):
        found += [_HIDDEN_LETTER.sub(vowel, plain) for vowel in "aeiou"]
    return tuple(dict.fromkeys(found))


def _fold(text: str) -> str:
    # Only the accents of Latin letters go: NFC puts the marks of Japanese kana back into their letters.
    bare = _INVISIBLE.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare).casefold().translate(_LOOKALIKES)
