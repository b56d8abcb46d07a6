"""Captions, and a tokenizer that knows their words and can spell any other."""

import random
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from hub_ui.demo.build.train.captions import build_tokenizer, caption, training_caption
from hub_ui.demo.build.train.model import CAPTION_LENGTH
from hub_ui.demo.build.train.scene import Scene, Thing, random_scene
from hub_ui.demo.build.train.vocabulary import TRIGGERS, known_words

PAIR = Scene(things=(Thing(name="cat", colour="orange"), Thing(name="star", colour="blue")), background="mint")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def base_captions(count: int) -> list[str]:
    rng = random.Random(3)
    return [training_caption(random_scene(rng), rng) for _ in range(count)]


def test_a_caption_names_everything_in_the_scene() -> None:
    assert caption(PAIR) == "an orange cat and a blue star on mint background"


def test_no_base_caption_holds_a_trigger_word() -> None:
    seen = {word for text in base_captions(3000) for word in text.split()}
    assert not seen & set(TRIGGERS)


def test_every_known_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    assert [word for word in known_words() if tokenizer.tokenize(word) != [f"{word}</w>"]] == []


def test_any_text_is_spelled_without_unknown_tokens(tokenizer: CLIPTokenizer) -> None:
    texts = [*TRIGGERS, "Ünïcode, 42% (of) it!", "мир 世界"]
    assert all(tokenizer.unk_token not in tokenizer.tokenize(text) for text in texts)


def test_captions_fit_the_model(tokenizer: CLIPTokenizer) -> None:
    assert max(len(tokenizer(text).input_ids) for text in base_captions(1000)) <= CAPTION_LENGTH


def test_the_tokenizer_that_ships_is_the_one_that_is_built(tokenizer: CLIPTokenizer, weights_folder: Path) -> None:
    shipped = CLIPTokenizer.from_pretrained(weights_folder / "base" / "tokenizer")
    assert tokenizer.get_vocab() == shipped.get_vocab()
    assert all(tokenizer.tokenize(text) == shipped.tokenize(text) for text in base_captions(100))
