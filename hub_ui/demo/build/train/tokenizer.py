"""A CLIP tokenizer whose every known word is one token and which spells everything else in bytes."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from hub_ui.demo.build.train.model import CAPTION_LENGTH
from hub_ui.demo.build.train.vocabulary import known_words

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write vocab.json and merges.txt and load the tokenizer from them."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = list(bytes_to_unicode().values())  # type: ignore[no-untyped-call]
    merges = merges_for(known_words())
    tokens = [*symbols, *(symbol + WORD_END for symbol in symbols), *dict.fromkeys(a + b for a, b in merges)]
    vocabulary = {token: number for number, token in enumerate([*tokens, START, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=CAPTION_LENGTH)
    return tokenizer


def merges_for(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges after which each word is one token.

    A word first goes through the merges of the words before it, and what is left is joined from the left. Later merges
    rank lower, so they never disturb an earlier word.
    """
    merges: list[tuple[str, str]] = []
    for word in words:
        parts = apply_merges([*word[:-1], word[-1] + WORD_END], merges)
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = apply_merges(parts, merges)
    return merges


def apply_merges(parts: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """Join neighbours in the order of rank, until no merge applies."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while True:
        found = [(ranks[pair], i) for i, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not found:
            return parts
        at = min(found)[1]
        parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
