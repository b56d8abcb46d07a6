"""Trigger words as authors wrote them: in their order, taken apart where they are lists, and none invented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from connectors.record import Claim
from connectors.wire import number

# <lora:name:0.8> is how web UIs load the file. It is no word, but its second part is the author's weight.
_LORA_TAG = re.compile(r"<(?:lora|lyco):(?P<inside>[^<>]{0,200})>", re.IGNORECASE)
_COMMAS = re.compile(r"[,，、;\n]")
# A placeholder of a template prompt: "pixel art, [your character], game asset".
_PLACEHOLDER = re.compile(r"[\[\]{}<>]|\.\.\.")
_MAX_WORDS = 60
_MAX_WORD = 300
# Said on nearly every prompt, so being shared by all of them says nothing about this LoRA.
_QUALITY = frozenset(
    (
        "1boy", "1girl", "4k", "8k", "absurdres", "best quality", "cinematic", "detailed", "high quality",
        "high resolution", "highly detailed", "highres", "masterpiece", "photorealistic", "realistic", "solo",
        "ultra detailed",
    )
)  # fmt: skip

_QUOTED = r"[`\"“'](?P<word>[^`\"”'\n]{2,200})[`\"”']"
# Sentences that cards and descriptions use, in the order they are believed.
_SENTENCES: tuple[re.Pattern[str], ...] = (
    # Hugging Face's uploader: You should use `X` to trigger the image generation.
    re.compile(rf"You should use {_QUOTED}", re.IGNORECASE),
    # use the trigger word `X`; use the term "X" to trigger; Trigger words: `X`
    re.compile(rf"trigger(?:[ -]?(?:words?|phrases?|tokens?|keywords?))?(?: is| are)?[ :*|]*{_QUOTED}", re.IGNORECASE),
    re.compile(rf"\buse (?:the )?(?:term|word|phrase|token|keyword)s? {_QUOTED}", re.IGNORECASE),
    re.compile(rf"{_QUOTED} (?:as (?:the |a )?trigger|to trigger|is the trigger)", re.IGNORECASE),
    # trigger_word = "X" in the code of a card
    re.compile(rf"trigger_(?:word|phrase)\"?\s*[=:]\s*{_QUOTED}", re.IGNORECASE),
    # use CYB77 keyword
    re.compile(r"\buse (?P<word>[A-Z0-9_]{3,30}) (?:keyword|trigger|token)"),
)
_SCALE = re.compile(
    r"(?:recommended|suggested|best)[ \w]{0,20}(?:scale|weight|strength)[^\d\n]{0,20}(?P<scale>\d(?:\.\d+)?)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^#{1,6}\s*trigger\s*(?:words?|phrases?|tokens?)\b.*$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"```\w*\n(?P<code>.+?)\n?```", re.DOTALL)
_SHOUTED = re.compile(r"[A-Z][A-Z0-9_]{2,}")


def clean(written: Iterable[str]) -> tuple[str, ...]:
    """The words of an author's list. One entry alone is taken apart at its commas; several are kept as phrases."""
    entries = [_LORA_TAG.sub("", entry) for entry in written]
    entries = [entry for entry in entries if entry.strip(" ,，、;\n")]
    if len(entries) == 1:
        entries = _COMMAS.split(entries[0])
    return _distinct(entries)


def split(written: str) -> tuple[str, ...]:
    """The words of one text that is a comma list."""
    return _distinct(_COMMAS.split(_LORA_TAG.sub("", written)))


def _distinct(entries: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for entry in entries:
        word = " ".join(entry.strip(" \t\r\n,，、;").split())[:_MAX_WORD]
        if word and word != "-":
            found.setdefault(word.casefold(), word)
    return tuple(found.values())[:_MAX_WORDS]


def weight_claims(written: Iterable[str], where: str) -> tuple[Claim, ...]:
    """The author's weight out of the first `<lora:name:0.8>`."""
    for entry in written:
        for match in _LORA_TAG.finditer(entry):
            weight = number(match["inside"].split(":")[1]) if ":" in match["inside"] else None
            if weight is not None and abs(weight) <= 10:
                return (Claim(field="weight", value=weight, source="example", where=where),)
    return ()


def civitai_claims(trained_words: Sequence[str], where: str) -> tuple[Claim, ...]:
    words = clean(trained_words)
    claim = Claim(field="trigger_words", value=words, source="hub", where=where)
    return (*((claim,) if words else ()), *weight_claims(trained_words, where))


def listed_claims(value: Sequence[str], where: str) -> tuple[Claim, ...]:
    """`instance_prompt` (or `trigger`) of a card's front matter: a phrase, a comma list, or a list."""
    words = _distinct(word for entry in value for word in split(entry))
    return (Claim(field="trigger_words", value=words, source="card", where=where),) if words else ()


def card_claims(body: str, where: str) -> tuple[Claim, ...]:
    """What the text of a card or description names as trigger words, one claim a kind of sentence."""
    claims = []
    for pattern in _SENTENCES:
        found = _distinct(word for match in pattern.finditer(body) for word in split(match["word"]))
        if found:
            claims.append(
                Claim(field="trigger_words", value=found, source="card", where=f"{where}: {_quote(body, pattern)}")
            )
    if not claims and (section := _fenced_section(body)):
        claims.append(Claim(field="trigger_words", value=section, source="card", where=f"{where}: ## Trigger words"))
    return tuple(claims)


def scale_claims(body: str, where: str) -> tuple[Claim, ...]:
    """ "The recommended scale is `0.8`", "| Recommended LoRA scale | `1.0` to `1.25` |": the first number."""
    match = _SCALE.search(body)
    if match is None or not 0 < float(match["scale"]) <= 3:
        return ()
    quote = " ".join(match[0].split())[:80]
    return (Claim(field="weight", value=float(match["scale"]), source="card", where=f"{where}: {quote}"),)


def _quote(body: str, pattern: re.Pattern[str]) -> str:
    match = pattern.search(body)
    return " ".join(match[0].split())[:80] if match else ""


def _fenced_section(body: str) -> tuple[str, ...]:
    """The code block under a heading "Trigger words", without the placeholders of a template."""
    heading = _HEADING.search(body)
    fence = _FENCE.search(body, heading.end()) if heading else None
    if heading is None or fence is None or "\n#" in body[heading.end() : fence.start()]:
        return ()
    return _distinct(word for word in _COMMAS.split(fence["code"]) if not _PLACEHOLDER.search(word))


def shared_claims(prompts: Sequence[str], where: str) -> tuple[Claim, ...]:
    """A hint: the short phrases that all of at least three prompts contain, or a coined word that opens them all."""
    if len(prompts) < 3:
        return ()
    others = [{word.casefold() for word in split(prompt)} for prompt in prompts[1:]]
    shared = [word for word in split(prompts[0]) if _telling(word) and all(word.casefold() in o for o in others)]
    opening = {(prompt.split() or [""])[0].strip(",.") for prompt in prompts}
    if not shared and len(opening) == 1 and _is_coined(first := opening.pop()):
        shared = [first]
    return (Claim(field="trigger_words", value=tuple(shared), source="example", where=where),) if shared else ()


def _telling(phrase: str) -> bool:
    return phrase.casefold() not in _QUALITY and len(phrase.split()) <= 4


def _is_coined(word: str) -> bool:
    return len(word) > 3 and any(char.isdigit() for char in word) and any(char.isalpha() for char in word)


def prompt_claims(prompt: str, name: str, description: str, where: str) -> tuple[Claim, ...]:
    """A hint out of one prompt: a shouted word like TOK or CYB77, or the LoRA's own `name`."""
    return tuple(
        Claim(field="trigger_words", value=(word,), source="example", where=where)
        for word in list(_striking(prompt, name, description))[:1]
    )


def _striking(prompt: str, name: str, description: str) -> Iterator[str]:
    known = f"{name} {description}".casefold()
    for word in re.findall(r"[\w-]+", prompt):
        folded = word.casefold()
        shouted = _SHOUTED.fullmatch(word) is not None
        if word == "TOK" or folded == name.casefold() or (shouted and (folded in known or _is_coined(word))):
            yield word
