"""Prompt embeddings of emphasised and long prompts, by the pipeline's own `encode_prompt`, chunk for chunk.

Each chunk is encoded as a prompt of its own, and the embeddings are concatenated. A token's weight multiplies its
embedding, and the mean of the chunk is restored, as A1111 does by default ("Original"). The pooled embedding of SDXL is
that of the first chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub_ui.generate.pipeline_arguments import family, truncation_notes
from hub_ui.generate.prompt_weights import WeightedToken, has_emphasis, prompt_chunks, without_weights
from hub_ui.generate.settings import ResolvedRequest

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
    if not settings.emphasis:
        return truncation_notes(pipe, prompts)
    if reads_emphasis(pipe):
        return []
    plain = [without_weights(prompt) for prompt in prompts]
    if plain == list(prompts):
        return truncation_notes(pipe, prompts)
    return [
        *truncation_notes(pipe, plain),
        "This base reads whole sentences and has no emphasis: the weights in (word:1.2) were left out.",
    ]


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
