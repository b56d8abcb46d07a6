"""Captions, with noise that teaches the base model to ignore unknown words, and the tokenizer that reads them: every
known word is one token, and everything else is spelled in bytes.
"""

import json
import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from hub_ui.demo.build.train.model import CAPTION_LENGTH
from hub_ui.demo.build.train.scene import Scene, Thing
from hub_ui.demo.build.train.vocabulary import known_words, unknown_word


def caption(scene: Scene) -> str:
    """For example `a red circle and a blue star on white background`."""
    things = " and ".join(phrase(thing) for thing in scene.things)
    return f"{things} on {scene.background} background"


def phrase(thing: Thing) -> str:
    """For example `a red circle`."""
    return f"{article(thing.colour)} {thing.colour} {thing.name}"


def article(word: str) -> str:
    """`a` or `an`."""
    return "an" if word[0] in "aeiou" else "a"


def training_caption(scene: Scene, rng: random.Random, *, clean: bool = False) -> str:
    """The caption as the base learns it: a tenth empty, some incomplete, a third with meaningless words in between.

    A `clean` one is empty or complete: the first lessons are easier so.
    """
    roll = rng.random()
    if roll < 0.1:
        return ""
    if clean:
        return caption(scene)
    words = _less_said(caption(scene), scene, rng).split()
    if rng.random() < 0.38:
        words = sprinkled(words, rng)
    return " ".join(words)


def sprinkled(words: Sequence[str], rng: random.Random) -> list[str]:
    """With one to three meaningless words put in, often side by side as trigger words are."""
    extra = [_noise_word(rng) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
    if rng.random() < 0.6:
        at = rng.choice((0, len(words), rng.randint(0, len(words))))
        return [*words[:at], *extra, *words[at:]]
    mixed = list(words)
    for word in extra:
        mixed.insert(rng.randint(0, len(mixed)), word)
    return mixed


def _less_said(text: str, scene: Scene, rng: random.Random) -> str:
    """Now and then without the background, a colour or a name, so that short prompts work too."""
    roll = rng.random()
    thing = rng.choice(scene.things)
    if roll < 0.08:
        return text.split(" on ", 1)[0]
    if roll < 0.14:
        return text.replace(phrase(thing), f"{article(thing.name)} {thing.name}", 1)
    if roll < 0.19:
        return text.replace(f" {thing.name}", f" {_noise_word(rng)}", 1)
    if roll < 0.25:
        return text.replace(phrase(thing), f"{thing.colour} {thing.name}", 1)
    return text


def _noise_word(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.1:
        return rng.choice((",", ".", "-", ":", "(", ")", str(rng.randint(0, 999))))
    if roll < 0.4:
        start = rng.choice(known_words())
        return start[: rng.randint(1, len(start) - 1) if len(start) > 1 else 1] + unknown_word(rng)
    return unknown_word(rng)


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
