"""Trigger words as authors wrote them: in their order, taken apart where they are lists, and none invented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from connectors.record import Claim

# Said on nearly every prompt, so being shared by all of them says nothing about this LoRA.
QUALITY = frozenset(
    (
        "1boy", "1girl", "4k", "8k", "absurdres", "best quality", "cinematic", "detailed", "high quality",
        "high resolution", "highly detailed", "highres", "masterpiece", "photorealistic", "realistic", "solo",
        "ultra detailed",
    )
)  # fmt: skip
# <lora:name:0.8> is how web UIs load the file, and no word.
LORA_TAG = re.compile(r"<(?:lora|lyco|lycoris):(?P<inside>[^<>]{0,200})>", re.IGNORECASE)
_SEPARATORS = ",，、;；\n"
_COMMAS = re.compile(f"[{_SEPARATORS}]")
# What belongs into the other prompt: "foo, negative prompt: bad hands".
_NEGATIVE = re.compile(r"\bneg(?:ative)?(?: (?:prompts?|words?|tags?))?\s*[:：].*", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(r"^\s*(?:trigger|activation|key)[ -]?(?:words?|phrases?|tokens?|tags?)?\s*[:：]\s*", re.IGNORECASE)
# "TLOU_EW (optional)": a remark about the word. A name's own brackets, "sakura (wars)", stay.
_REMARK = re.compile(
    r"\s*[(（](?:optional|recommended|required|(?:not|if) (?:required|needed|necessary|wanted))[^()]{0,40}[)）]$",
    re.IGNORECASE,
)
_NEGATION = r"(?:\b(?:no|not|none|nothing|never|without|nor)\b|n['’]t\b)"
_NONE = re.compile(
    r"null|nil|n/?a|n\.a\.|[-–—.*]+|無し?|无|なし|(?:不需要|无需|无)触发词|(?:un|not )?(?:needed|required|necessary)\W*"
    # "none", "nothing needed", "not needed", "no trigger words are necessary", "it doesn't need a keyword"
    rf"|(?:no|none|nothing)\W*|.{{0,40}}{_NEGATION}.{{0,20}}\b(?:need(?:s|ed)?|require[ds]?|necessary|used|special)\b.{{0,60}}"
    rf"|(?=.{{0,80}}\b(?:trigger|activation|key|tag|token|keyword)(?:[ -]?(?:word|phrase|token|tag))?s?\b)"
    rf".{{0,60}}{_NEGATION}.{{0,100}}|.{{0,60}}\b(?:unnecessary|unneeded)\b.{{0,60}}",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"([\"'`])(?P<word>[^\"'`]{1,290})\1")
_MAX_WORDS = 60
_MAX_WORD = 300


def clean(written: Iterable[str]) -> tuple[str, ...]:
    """The words of an author's list. One entry alone is taken apart at its commas; several are kept as phrases."""
    entries = [_NEGATIVE.sub("", LORA_TAG.sub("", entry)) for entry in written]
    entries = [entry for entry in entries if entry.strip(f" {_SEPARATORS}")]
    if len(entries) != 1:
        return _distinct(entries)
    pieces = _parted(_LABEL.sub("", entries[0]))
    # "Not required, but helps": a sentence about words, whose commas part no list.
    return () if _NONE.fullmatch(pieces[0][:1000].strip()) else _distinct(pieces)


def split(written: str) -> tuple[str, ...]:
    """The words of one text that is a comma list."""
    return _distinct(_parted(_NEGATIVE.sub("", LORA_TAG.sub("", written))))


def split_all(written: Iterable[str]) -> tuple[str, ...]:
    """The words of several comma lists, each word once."""
    return _distinct(word for entry in written for word in split(entry))


def _parted(written: str) -> list[str]:
    """At commas, but not inside brackets: "(red dress, hat:1.2)" is one. Brackets that don't match are just signs."""
    pieces, depth, start = [], 0, 0
    for i, char in enumerate(written):
        depth += (char in "(（") - (char in ")）")
        if depth < 0:
            break
        if depth == 0 and char in _SEPARATORS:
            pieces.append(written[start:i])
            start = i + 1
    return _COMMAS.split(written) if depth else [*pieces, written[start:]]


def _distinct(entries: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for entry in entries:
        word = " ".join(_LABEL.sub("", entry.strip(f" \t\r{_SEPARATORS}")[:1000]).split())[:_MAX_WORD]
        word = _QUOTED.sub(r"\g<word>", _REMARK.sub("", word))
        if word and not _NONE.fullmatch(word):
            found.setdefault(word.casefold(), word)
    return tuple(found.values())[:_MAX_WORDS]


def civitai_claims(trained_words: Sequence[str], where: str) -> tuple[Claim, ...]:
    words = clean(trained_words)
    return (Claim(field="trigger_words", value=words, source="hub", where=where),) if words else ()


def listed_claims(value: Sequence[str], where: str) -> tuple[Claim, ...]:
    """`instance_prompt` (or `trigger`) of a card's front matter: a phrase, a comma list, or a list."""
    words = split_all(value)
    return (Claim(field="trigger_words", value=words, source="card", where=where),) if words else ()
