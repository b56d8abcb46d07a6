"""Prompt emphasis and long prompts, as AUTOMATIC1111's web UI reads them.

    (word:1.2)  the word 1.2 times as strong; (word) 1.1 times, [word] 1 / 1.1 times; brackets inside brackets multiply
    \\( \\) \\[ \\]     brackets as text
    BREAK       the rest of the prompt is read on its own

CLIP reads 75 tokens at once, so a longer prompt is cut into chunks, at a comma where one is near the end.
compel, the library for this, has another syntax ("word++", "(word)1.2") and blends embeddings in place of multiplying
them, so prompts that people share would give other images.

Each chunk is encoded as a prompt of its own by the pipeline's `encode_prompt`, and the embeddings are concatenated. A
token's weight multiplies its embedding, and the mean of the chunk is restored, as A1111 does by default ("Original").
The pooled embedding of SDXL is that of the first chunk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.generate.pipeline_arguments import family
from hub_ui.generate.settings import ResolvedRequest

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
# Characters of what is left out that are shown.
_LONGEST_LOST = 60


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


if TYPE_CHECKING:
    from torch import Tensor

_MOST_RESTORED = 2.0

Chunks = tuple[tuple[WeightedToken, ...], ...]


def reads_emphasis(pipe: Any) -> bool:
    return family(type(pipe).__name__).emphasis


def chunk_count(pipe: Any, settings: ResolvedRequest, prompt: str) -> int:
    """The number of chunks of what the pipeline's own call can't encode; 0 for prompts that it can."""
    if not settings.emphasis or not reads_emphasis(pipe):
        return 0
    negative = settings.negative
    count = max(len(_chunks(pipe.tokenizer, text)) for text in (prompt, negative))
    return count if count > 1 or has_emphasis(prompt) or has_emphasis(negative) else 0


def prompt_notes(pipe: Any, settings: ResolvedRequest, prompts: Sequence[str]) -> list[str]:
    """Notes on what this pipeline does not read of the prompts."""
    if settings.emphasis and reads_emphasis(pipe):
        return []
    read = [without_weights(prompt) if settings.emphasis else prompt for prompt in prompts]
    notes = truncation_notes(pipe, read)
    if read != list(prompts):
        notes.append("This base reads whole sentences and has no emphasis: the weights in (word:1.2) were left out.")
    return notes


def truncation_notes(pipe: Any, prompts: Sequence[str]) -> list[str]:
    """Notes on prompt text beyond CLIP's limit, for pipelines without a longer encoder such as T5."""
    tokenizers = [part for name, part in pipe.components.items() if name.startswith("tokenizer") and part is not None]
    if not tokenizers or not all(type(each).__name__.startswith("CLIPTokenizer") for each in tokenizers):
        return []
    for prompt in prompts:
        tokens, most = tokenizers[0](prompt).input_ids, tokenizers[0].model_max_length
        if len(tokens) > most:
            # The first and last token are markers.
            lost = tokenizers[0].decode(tokens[most - 1 : -1]).strip()
            shown = lost if len(lost) <= _LONGEST_LOST else f"{lost[:_LONGEST_LOST]}…"
            words = most // 4 * 3
            return [f"This base reads {most - 2} tokens of a prompt, some {words} words; left out was “{shown}”."]
    return []


def encode_prompts(pipe: Any, prompts: Sequence[str], negative: str, count: int) -> dict[str, Any]:
    """The arguments of the call in place of its prompts, one row for each. `count` is the longest one's chunks."""
    import torch

    negatives = [negative] * len(prompts) if negative else None
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    chunks: list[dict[str, Any]] = []
    for number in range(count):
        with _replace_tokenizers(pipe, number):
            outputs = pipe.encode_prompt(
                prompt=list(prompts),
                device=pipe._execution_device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=True,
                negative_prompt=negatives,
            )
        encoded = dict(zip(names, outputs, strict=False))
        encoded[names[0]] = _multiply(pipe, encoded[names[0]], prompts, number)
        if negatives:
            encoded[names[1]] = _multiply(pipe, encoded[names[1]], negatives, number)
        chunks.append(encoded)
    joined = {name: torch.cat([chunk[name] for chunk in chunks], dim=1) for name in names[:2]}
    return {**chunks[0], **joined}


def _multiply(pipe: Any, embeddings: Tensor, prompts: Sequence[str], number: int) -> Tensor:
    """[rows, tokens, channels], of which each text encoder has its own channels with a mean of their own."""
    import torch

    encoders = [part for name in ("text_encoder", "text_encoder_2") if (part := getattr(pipe, name, None)) is not None]
    rows: list[Tensor] = []
    for row, prompt in zip(embeddings, prompts, strict=True):
        weights = [weight for _, weight in _chunk(pipe.tokenizer, prompt, number)]
        if all(weight == 1 for weight in weights):
            rows.append(row)
            continue
        factors = torch.ones(len(row), 1, device=row.device)
        factors[1 : 1 + len(weights), 0] = torch.tensor(weights, device=row.device)
        parts = row.float().split([encoder.config.hidden_size for encoder in encoders], dim=-1)
        rows.append(torch.cat([_restore_mean(part * factors, part.mean()) for part in parts], dim=-1))
    return torch.stack([row.to(embeddings.dtype) for row in rows])


def _restore_mean(embeddings: Tensor, mean: Tensor) -> Tensor:
    """Where the mean is close to 0, what would restore it is any number; then it stays, as A1111's "No norm" has it."""
    factor = float(mean / embeddings.mean())
    return embeddings * factor if _MOST_RESTORED > factor > 1 / _MOST_RESTORED else embeddings


class _ChunkTokenizer:
    """A tokenizer that returns one chunk of each text, with its first and last token, padded."""

    def __init__(self, tokenizer: Any, number: int) -> None:
        self._tokenizer = tokenizer
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, texts: str | Sequence[str], **_options: Any) -> Any:
        import torch
        from transformers import BatchEncoding

        own, rows = self._tokenizer, []
        for text in [texts] if isinstance(texts, str) else texts:
            tokens = (token for token, _ in _chunk(own, text, self._number))
            rows.append([own.bos_token_id, *tokens, own.eos_token_id])
        size = own.model_max_length
        ids = [row + [own.pad_token_id] * (size - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (size - len(row)) for row in rows]
        return BatchEncoding({"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)})


@contextmanager
def _replace_tokenizers(pipe: Any, number: int) -> Iterator[None]:
    """Past the pipeline's own `__setattr__`, which would write them into its config."""
    own = {name: part for name in ("tokenizer", "tokenizer_2") if (part := vars(pipe).get(name)) is not None}
    vars(pipe).update({name: _ChunkTokenizer(part, number) for name, part in own.items()})
    try:
        yield
    finally:
        vars(pipe).update(own)


def _chunks(tokenizer: Any, prompt: str) -> Chunks:
    def tokenize(text: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        return ids

    comma = next(iter(tokenize(",")), None)
    return prompt_chunks(prompt, tokenize, comma, tokenizer.model_max_length - 2)


def _chunk(tokenizer: Any, prompt: str, number: int) -> tuple[WeightedToken, ...]:
    """Empty after the last one."""
    chunks = _chunks(tokenizer, prompt)
    return chunks[number] if number < len(chunks) else ()
