"""Hints at trigger words out of example prompts: the least that is believed, and claimed as an example's word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from connectors.facts.trigger_words import QUALITY, split
from connectors.record import Claim

# Words that are written in capitals anyway.
_ACRONYMS = frozenset(
    (
        "BREAK", "CCTV", "CGI", "DOF", "DSLR", "DVD", "FBI", "HDR", "HUD", "IMAX", "LED", "MRI", "NASA", "NSFW",
        "NYC", "ONLY", "POV", "PVC", "RAW", "RGB", "RPG", "SFW", "SLR", "SUV", "TED", "UFO", "UHD", "USA", "UVA", "VFX",
        "VHS", "XXL", "AND", "NOT", "THE", "FHD", "QHD", "ARRI", "BMW", "CEO", "MTV", "WWII", "XRAY",
    )
)  # fmt: skip
_SHOUTED = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_SPOKEN = re.compile(r"[\"“][^\"”\n]{0,200}[\"”]")
# What a prompt says of the camera: "shot on a Nikon D850, ISO 400", IMG_1025.CR2, DSC_0231.
_CAMERA = re.compile(
    r"\b(?:shot|taken|captured|photographed|filmed|snapped|recorded) (?:on|with|by|using|from)\b[^,.;\n]{0,80}"
    r"|\b[\w-]+\.[A-Za-z]\w{1,4}\b|\b[A-Za-z]{1,6}[_-]?\d{4,}\b|\b[A-Za-z]{1,6}[_-]\d{3,}\b"
    # Capitals before a number, "ISO 400", or behind a maker's name, "a Canon EOS": no word of its own.
    r"|\b(?!TOK\b)[A-Z]{2,6} \d\w+|(?<=[\w,] )[A-Z][a-z]{2,} (?!TOK\b)[A-Z][A-Z0-9]+\b"
)
_STYLE_OF = re.compile(r"\bin the style of (?:an? |the )?(?P<word>[\w-]+)", re.IGNORECASE)
# What opens or recurs in this share of the prompts is no accident; an author may well leave it out of some.
_MOST = 2 / 3


def shared_claims(prompts: Sequence[str], where: str) -> tuple[Claim, ...]:
    """The short phrases that all of at least three prompts contain, or a coined word that most of them contain."""
    if len(prompts) < 3:
        return ()
    others = [{word.casefold() for word in split(prompt)} for prompt in prompts[1:]]
    shared = [word for word in split(prompts[0]) if _telling(word) and all(word.casefold() in o for o in others)]
    words = tuple(shared) or _recurring(prompts)
    return (Claim(field="trigger_words", value=words, source="example", where=where),) if words else ()


def _telling(phrase: str) -> bool:
    return phrase.casefold() not in QUALITY and len(phrase.split()) <= 4


def _recurring(prompts: Sequence[str]) -> tuple[str, ...]:
    counted = Counter(word for prompt in prompts for word in dict.fromkeys(_words(prompt)) if _is_coined(word))
    return tuple(word for word, times in counted.most_common(1) if times >= max(3, _MOST * len(prompts)))


def _words(prompt: str) -> list[str]:
    return re.findall(r"[\w-]+", _CAMERA.sub(" ", prompt[:20_000]))


def _is_coined(word: str) -> bool:
    """Letters and digits mixed as no word does it: "rz88p4stl", "CYB77". Not "1girl", "1990s", "version2", "D850"."""
    mixed = any(char.isdigit() for char in word) and sum(char.isalpha() for char in word) >= 3
    return len(word) > 3 and mixed and not word[0].isdigit() and not re.fullmatch(r"[a-z]+-?\d", word)


def prompt_claims(prompt: str, name: str, description: str, where: str) -> tuple[Claim, ...]:
    """A hint out of one prompt: a shouted word like TOK or CYB77, or the LoRA's own `name`."""
    found = next(_striking(prompt, name, description), None) or _shouted_alone(prompt)
    return (Claim(field="trigger_words", value=(found,), source="example", where=where),) if found else ()


def _striking(prompt: str, name: str, description: str) -> Iterator[str]:
    """TOK is what Replicate's trainers write unless told otherwise. A name in small letters may be a plain word."""
    known = f"{name} {description}".casefold()
    styles = {match["word"] for match in _STYLE_OF.finditer(prompt)}
    for word in _words(prompt):
        folded = word.casefold()
        shouted = _SHOUTED.fullmatch(word) is not None and word not in _ACRONYMS
        own = folded == name.casefold() and any(char.isupper() or char.isdigit() for char in word)
        if folded == "tok" or own or (shouted and (folded in known or _is_coined(word) or word in styles)):
            yield word


def _shouted_alone(prompt: str) -> str | None:
    """The one word in capitals of a prompt that doesn't shout, outside of what a sign in the picture says."""
    shouted = {word for word in _words(_SPOKEN.sub(" ", prompt[:20_000])) if _SHOUTED.fullmatch(word)}
    return shouted.pop() if len(shouted) == 1 and not shouted & _ACRONYMS else None
