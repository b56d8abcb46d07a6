"""Prompt emphasis and long prompts, as AUTOMATIC1111's web UI reads them.

    (word:1.2)  the word 1.2 times as strong; (word) 1.1 times, [word] 1 / 1.1 times; brackets inside brackets multiply
    \\( \\) \\[ \\]     brackets as text
    BREAK       the rest of the prompt is read on its own

CLIP reads 75 tokens at once, so a longer prompt is cut into chunks, at a comma where one is near the end.
compel, the library for this, has another syntax ("word++", "(word)1.2") and blends embeddings in place of multiplying
them, so prompts that people share would give other images.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_ROUND, _SQUARE = 1.1, 1 / 1.1
_TOKEN = re.compile(
    r"\\(?P<escaped>[\\()\[\]]?)|:\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)|(?P<bracket>[()\[\]])"
    r"|(?P<text>[^\\()\[\]:]+|:)"
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_SPECIAL = re.compile(r"[\\()\[\]]")
_WEIGHTED = re.compile(r"(?<!\\)\(([^()\[\]\\]*?):\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)")
# As far before the end of a chunk, a comma is where it is cut; A1111's own number.
_NEAR = 20
# Brackets inside brackets, where a weight means nothing.
_DEEPEST = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptPart:
    """Text of one weight. `starts_chunk`: a BREAK is before it."""

    text: str
    weight: float = 1.0
    starts_chunk: bool = False


def parse_prompt(prompt: str) -> tuple[PromptPart, ...]:
    """Brackets without a partner are closed at the end, or text. Neighbours of the same weight are one part."""
    texts: list[str] = []
    weights: list[float] = []
    # The number of texts before each open bracket.
    open_: dict[str, list[int]] = {"(": [], "[": []}

    def close(start: int, factor: float) -> None:
        weights[start:] = [weight * factor for weight in weights[start:]]

    for match in _TOKEN.finditer(prompt):
        bracket, text = match["bracket"], match["escaped"] or match["text"] or ""
        if bracket in ("(", "["):
            open_[bracket].append(len(texts))
        elif match["weight"] is not None and open_["("]:
            close(open_["("].pop(), float(match["weight"]))
        elif bracket == ")" and open_["("]:
            close(open_["("].pop(), _ROUND)
        elif bracket == "]" and open_["["]:
            close(open_["["].pop(), _SQUARE)
        elif text := text or bracket or (match.group() if match["weight"] is not None else ""):
            texts.append(text)
            weights.append(1.0)
    for starts, factor in ((open_["("], _ROUND), (open_["["], _SQUARE)):
        for start in starts:
            close(start, factor)
    return _merge(texts, weights)


def _merge(texts: Sequence[str], weights: Sequence[float]) -> tuple[PromptPart, ...]:
    joined: list[tuple[str, float]] = []
    for text, weight in zip(texts, weights, strict=True):
        if joined and joined[-1][1] == weight:
            joined[-1] = joined[-1][0] + text, weight
        else:
            joined.append((text, weight))
    return tuple(
        PromptPart(text=piece, weight=weight, starts_chunk=number > 0)
        for text, weight in joined
        for number, piece in enumerate(_BREAK.split(text))
        if piece or number
    )


def escape_prompt(text: str) -> str:
    """The prompt that reads as this text."""
    return _SPECIAL.sub(lambda match: f"\\{match.group()}", text)


def has_emphasis(prompt: str) -> bool:
    """Whether the prompt is anything else than one text of weight 1."""
    return parse_prompt(prompt) not in ((), (PromptPart(text=prompt),))


def without_weights(prompt: str) -> str:
    """The prompt for models without emphasis: "(word:1.2)" is "word" there; other brackets are text."""
    for _ in range(_DEEPEST):
        prompt = _WEIGHTED.sub(r"\1", prompt)
    return prompt


WeightedToken = tuple[int, float]


def prompt_chunks(
    prompt: str, tokenize: Callable[[str], Sequence[int]], comma: int | None, size: int
) -> tuple[tuple[WeightedToken, ...], ...]:
    """The prompt's tokens with their weights, in chunks of at most `size`; at least one chunk, which may be empty."""
    chunks: list[tuple[WeightedToken, ...]] = []
    now: list[WeightedToken] = []
    last_comma: int | None = None
    for part in parse_prompt(prompt):
        if part.starts_chunk:
            chunks.append(tuple(now))
            now, last_comma = [], None
        for token in tokenize(part.text):
            if len(now) == size:
                is_near = last_comma is not None and size - last_comma <= _NEAR and token != comma
                cut = last_comma + 1 if is_near and last_comma is not None else size
                chunks.append(tuple(now[:cut]))
                now, last_comma = now[cut:], None
            if token == comma:
                last_comma = len(now)
            now.append((token, part.weight))
    return (*chunks, tuple(now)) if now or not chunks else tuple(chunks)
