"""Captions, and a tokenizer that knows their words and can spell any other."""

import random
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from hub_ui.demo.build.train.captions import build_tokenizer, training_caption
from hub_ui.demo.build.train.scene import random_scene
from hub_ui.demo.build.train.vocabulary import TRIGGERS


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def base_captions(count: int) -> list[str]:
    rng = random.Random(3)
    return [training_caption(random_scene(rng), rng) for _ in range(count)]


def test_no_base_caption_holds_a_trigger_word() -> None:
    seen = {word for text in base_captions(3000) for word in text.split()}
    assert not seen & set(TRIGGERS)


def test_any_text_is_spelled_without_unknown_tokens(tokenizer: CLIPTokenizer) -> None:
    texts = [*TRIGGERS, "Ünïcode, 42% (of) it!", "мир 世界"]
    assert all(tokenizer.unk_token not in tokenizer.tokenize(text) for text in texts)


def test_the_tokenizer_that_ships_is_the_one_that_is_built(tokenizer: CLIPTokenizer, weights_folder: Path) -> None:
    shipped = CLIPTokenizer.from_pretrained(weights_folder / "base" / "tokenizer")
    assert tokenizer.get_vocab() == shipped.get_vocab()
    assert all(tokenizer.tokenize(text) == shipped.tokenize(text) for text in base_captions(100))
