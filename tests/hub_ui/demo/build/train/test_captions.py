"""Captions, and a tokenizer that knows their words and can spell any other."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from hub_ui.demo.build.train.captions import caption, sprinkled, training_caption
from hub_ui.demo.build.train.model import CAPTION_LENGTH
from hub_ui.demo.build.train.recipes import RECIPES
from hub_ui.demo.build.train.scene import Scene, Thing, random_scene
from hub_ui.demo.build.train.tokenizer import apply_merges, build_tokenizer, merges_for
from hub_ui.demo.build.train.vocabulary import TRIGGERS, known_words, unknown_word

PAIR = Scene(things=(Thing(name="cat", colour="orange"), Thing(name="star", colour="blue")), background="mint")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def base_captions(count: int) -> list[str]:
    rng = random.Random(3)
    return [training_caption(random_scene(rng), rng) for _ in range(count)]


def holds(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether `others` come in this order within `words`."""
    rest = iter(words)
    return all(word in rest for word in others)


def test_a_caption_names_everything_in_the_scene() -> None:
    assert caption(PAIR) == "an orange cat and a blue star on mint background"


def test_a_tenth_of_the_captions_are_empty() -> None:
    assert 0.07 < base_captions(2000).count("") / 2000 < 0.13


def test_a_clean_caption_is_whole_or_empty() -> None:
    texts = {training_caption(PAIR, random.Random(seed), clean=True) for seed in range(60)}
    assert texts == {"", caption(PAIR)}


def test_meaningless_words_leave_the_others_in_order() -> None:
    words = caption(PAIR).split()
    mixed = sprinkled(words, random.Random(4))
    assert len(mixed) > len(words)
    assert holds(mixed, words)


def test_no_base_caption_holds_a_trigger_word() -> None:
    seen = {word for text in base_captions(3000) for word in text.split()}
    assert not seen & set(TRIGGERS)


def test_every_trigger_word_of_a_recipe_is_kept_from_the_base() -> None:
    assert {word for recipe in RECIPES for trigger in recipe.triggers for word in trigger.split()} <= set(TRIGGERS)


def test_unknown_words_are_neither_known_nor_triggers() -> None:
    rng = random.Random(9)
    assert not {unknown_word(rng) for _ in range(3000)} & {*known_words(), *TRIGGERS}


def test_every_known_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    assert [word for word in known_words() if tokenizer.tokenize(word) != [f"{word}</w>"]] == []


def test_any_text_is_spelled_without_unknown_tokens(tokenizer: CLIPTokenizer) -> None:
    texts = [*TRIGGERS, "Ünïcode, 42% (of) it!", "мир 世界"]
    assert all(tokenizer.unk_token not in tokenizer.tokenize(text) for text in texts)


def test_captions_fit_the_model(tokenizer: CLIPTokenizer) -> None:
    assert max(len(tokenizer(text).input_ids) for text in base_captions(1000)) <= CAPTION_LENGTH


def test_the_tokenizer_is_two_plain_files(tmp_path: Path) -> None:
    build_tokenizer(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vocab.json", "merges.txt"}


def test_the_tokenizer_that_ships_is_the_one_that_is_built(tokenizer: CLIPTokenizer, weights_folder: Path) -> None:
    shipped = CLIPTokenizer.from_pretrained(weights_folder / "base" / "tokenizer")
    assert tokenizer.get_vocab() == shipped.get_vocab()
    assert all(tokenizer.tokenize(text) == shipped.tokenize(text) for text in base_captions(100))


def test_later_merges_leave_earlier_words_whole() -> None:
    merges = merges_for(["red", "tree", "street"])
    assert apply_merges(["r", "e", "d</w>"], merges) == ["red</w>"]
    assert apply_merges(["t", "r", "e", "e</w>"], merges) == ["tree</w>"]
