"""What is measured of a sheet of LoRAs, with a tiny CLIP of random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL.Image import Image, new
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from connectors.ref import Ref
from hub_ui.generate.comparison import Comparison, lora_columns
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora_axis import CLIP_COMMIT, find_clip, generate, measure, no_clip
from hub_ui.generate.request import NO_CALLBACKS
from tests.hub_ui.generate import building, making
from tests.hub_ui.generate.pipelines import tokens

GREY, WHITE, BLACK = (128, 128, 128), (255, 255, 255), (0, 0, 0)
TOWER = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, words = tmp_path_factory.mktemp("clip"), tokens.clip()
    text = {**TOWER, "vocab_size": tokens.VOCABULARY, "eos_token_id": words.eos_token_id}
    config = CLIPConfig(text_config=text, vision_config={**TOWER, "image_size": 32, "patch_size": 8}, projection_dim=8)
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    processor: Any = CLIPProcessor
    processor(CLIPImageProcessor(size=size, crop_size=size), words).save_pretrained(folder)
    return folder


def sheet(*weights: float, seeds: int = 1) -> Comparison:
    loras = [making.adapter(ref=Ref.parse(f"civitai:{n}@1#1"), title=f"L{n}", trigger_words=()) for n in (1, 2)]
    return lora_columns(making.job(*loras, prompt="a fox"), seeds=seeds, weights=weights)


def images(*colours: tuple[int, int, int]) -> list[Image]:
    return [new("RGB", (40, 24), colour) for colour in colours]


def test_an_image_that_is_the_base_s_has_no_change_and_one_farther_off_has_more(clip: Path) -> None:
    found = measure(images(BLACK, GREY, BLACK, WHITE), sheet(0, 0.8), clip)
    assert (found.against, [one.mean for one in found.change]) == ("base", [0.0, 0.502, 0.0, 1.0])
    assert [one.mean == 0 for one in found.seen_change] == [True, False, True, False]


def test_without_an_image_of_the_base_a_lora_is_compared_with_the_others() -> None:
    found = measure(images(BLACK, WHITE), sheet(), None)
    assert (found.against, [one.mean for one in found.change]) == ("others", [1.0, 1.0])
    assert (found.model, found.seen_change, found.prompt) == ("", (), ())


def test_weights_of_one_lora_are_not_compared_with_each_other() -> None:
    found = measure(images(BLACK, BLACK, WHITE, WHITE), sheet(0.4, 0.8), None)
    assert [one.mean for one in found.change] == [1.0, 1.0, 1.0, 1.0]


def test_the_spread_is_that_over_seeds() -> None:
    found = measure(images(BLACK, BLACK, BLACK, WHITE), sheet(seeds=2), None)
    assert [(one.low, one.mean, one.high) for one in found.change] == [(0.0, 0.5, 1.0)] * 2


def test_the_prompt_is_read_without_seeds_and_trigger_words(clip: Path) -> None:
    plain = sheet(seeds=2)
    with_words = replace(plain, cells=tuple(replace(cell, prompt=f"{cell.label}, a fox") for cell in plain.cells))
    found = [measure(images(BLACK, WHITE, GREY, BLACK), each, clip).prompt for each in (plain, with_words)]
    assert found[0] == found[1]
    assert all(-1 <= one.low <= one.mean <= one.high <= 1 for one in found[0])


def test_the_same_image_is_as_near_to_the_prompt_in_each_column(clip: Path) -> None:
    one, other = measure(images(GREY, GREY), sheet(), clip).prompt
    assert one == other


def test_a_greater_weight_changes_more(studio: Engine, base: str, tmp_path: Path) -> None:
    files = [building.save_kohya(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (1, 2)]
    loras = [building.adapter(file, title=file.stem) for file in files]
    asked = building.job(*loras, base=base)
    made = generate(studio.generate, asked, lora_columns(asked, weights=(0, 0.3, 2)), NO_CALLBACKS)
    assert made.report.measures is not None
    none, little, much = (one.mean for one in made.report.measures.change[:3])
    assert none == 0 < little < much


def test_clip_counts_only_at_its_commit_and_is_not_fetched(tmp_path: Path) -> None:
    assert find_clip(tmp_path) is None
    folder = tmp_path / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K" / "snapshots" / CLIP_COMMIT
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    assert find_clip(tmp_path) == folder
    assert f"“hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K --revision {CLIP_COMMIT}”" in no_clip()
