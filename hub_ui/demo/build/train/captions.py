"""Captions, with noise that teaches the base model to ignore unknown words."""

import random
from collections.abc import Sequence

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
