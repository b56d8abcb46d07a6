"""Sheets of LoRAs, and what is measured of them with a tiny CLIP of random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL.Image import Image, new
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from connectors.errors import DoesNotFit
from connectors.ref import Ref
from hub_ui.generate.compare import lora_axis
from hub_ui.generate.compare.comparison import Comparison, lora_columns
from hub_ui.generate.compare.lora_axis import CLIP_COMMIT, find_clip, generate, measure, no_clip
from hub_ui.generate.engine import Engine
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationCancelled, GenerationRequest, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.images.history import UnfinishedComparison
from tests.hub_ui.generate import building, making
from tests.hub_ui.generate.building import adapter, alike, job, one, same, save_kohya, save_peft
from tests.hub_ui.generate.compare.test_comparison import lora
from tests.hub_ui.generate.pipelines import tokens


@pytest.fixture
def three(base: str, tmp_path: Path) -> GenerationRequest:
    files = [save_kohya(tmp_path / "kohya.safetensors"), save_peft(tmp_path / "a.safetensors", seed=5)]
    files.append(save_peft(tmp_path / "b.safetensors", seed=6))
    loras = [adapter(file, title=file.stem, trigger_words=(file.stem,)) for file in files]
    return job(*loras, base=base, seed=3)


def test_each_image_is_the_one_of_its_lora_prompt_and_seed_alone(studio: Engine, three: GenerationRequest) -> None:
    columns = lora_columns(three, ["a cat", "a dog"], seeds=2)
    made = lora_axis.generate(studio.generate, three, columns, NO_CALLBACKS)
    assert [coverage.title for coverage in made.report.coverage] == ["kohya", "a", "b"]
    second_seed_of_a, last_of_b = made.images[4], made.images[11]
    base = three.base
    assert alike(second_seed_of_a, one(studio, three.adapters[1], base=base, prompt="a cat", seed=4))
    assert alike(last_of_b, one(studio, three.adapters[2], base=base, prompt="a dog", seed=4))


def one_more(studio: Engine) -> lora_axis.Generate:
    """Makes one LoRA's images, then is stopped."""
    calls: list[GenerationRequest] = []

    def make(request: GenerationRequest, comparison: Comparison, callbacks: Callbacks) -> GenerationResult:
        if calls:
            raise GenerationCancelled("Stopped.")
        calls.append(request)
        return studio.generate(request, comparison, callbacks)

    return make


def test_one_that_is_stopped_twice_ends_the_same_bits(studio: Engine, three: GenerationRequest, tmp_path: Path) -> None:
    columns = lora_columns(three, ["a cat", "a dog"])
    at_once = lora_axis.generate(studio.generate, three, columns, NO_CALLBACKS)
    for _ in range(2):
        studio.close()
        kept = UnfinishedComparison(tmp_path / "unfinished", three, columns)
        with pytest.raises(GenerationCancelled, match=r"of 3 LoRAs are kept: .* from seed 3, goes on"):
            lora_axis.generate(one_more(studio), three, columns, NO_CALLBACKS, kept)
    studio.close()
    made = lora_axis.generate(one_more(studio), three, columns, NO_CALLBACKS, kept)
    assert all(map(same, at_once.images, made.images))
    assert (made.comparison, made.report.notes) == (at_once.comparison, at_once.report.notes)
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_another_comparison_goes_on_without_it(studio: Engine, three: GenerationRequest, tmp_path: Path) -> None:
    columns = lora_columns(three)
    part = lora_axis.split(three, columns)[0]
    made = studio.generate(part.request, part.comparison)
    kept = UnfinishedComparison(tmp_path, three, columns)
    kept.add(part, made)
    assert kept.find(part) is not None
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "b.safetensors").read_bytes())
    assert UnfinishedComparison(tmp_path, three, columns).find(part) is None


def test_one_that_does_not_fit_stands_aside_and_why(studio: Engine, three: GenerationRequest, tmp_path: Path) -> None:
    other = adapter(save_peft(tmp_path / "other.safetensors", prefix="elsewhere."), title="Other")
    asked = job(three.adapters[0], other, three.adapters[2], base=three.base)
    made = lora_axis.generate(studio.generate, asked, lora_columns(asked, ["a cat", "a dog"]), NO_CALLBACKS)
    assert (made.comparison.columns, len(made.images)) == (("kohya 1", "b 1"), 4)
    assert [cell.weights for cell in made.comparison.cells] == [(1.0, 0.0), (0.0, 1.0)] * 2
    assert made.report.notes[0].startswith("“Other” stands aside: None of the 48 tensors")
    alone = job(other, other, base=three.base)
    with pytest.raises(DoesNotFit):
        lora_axis.generate(studio.generate, alone, lora_columns(alone), NO_CALLBACKS)


def test_progress_is_that_of_all_loras(studio: Engine, three: GenerationRequest) -> None:
    steps: list[Step] = []
    callbacks = Callbacks(on_progress=steps.append)
    lora_axis.generate(studio.generate, three, lora_columns(three), callbacks)
    counted = [(step.done, step.total) for step in steps if step.total]
    assert counted == sorted(counted)
    assert (counted[-1], steps[-1].stage) == ((6, 6), "LoRA 3 of 3: Generating")


SD, OTHER_SD, FLUX = (
    lora(name, architecture=architecture, base_model=base)
    for name, architecture, base in (("Ink", "sd1", "sd-1.5"), ("Old", "sd1", "sd-1.5"), ("New", "flux1", "flux.1-dev"))
)


def test_the_base_is_the_one_of_most_of_them_and_the_others_stand_aside() -> None:
    found = lora_axis.fit(GenerationRequest(adapters=(FLUX, SD, OTHER_SD), prompt="a cat"), choose_spec)
    assert (found.kept, found.base) == ((1, 2), "sd-1.5")
    assert [note[:41] for note in found.aside] == ["“New” stands aside: The LoRA is for flux1"]


def test_a_base_that_was_asked_for_decides() -> None:
    asked = GenerationRequest(adapters=(SD, FLUX, FLUX), prompt="a cat", base="flux.1-dev")
    assert lora_axis.fit(asked, choose_spec).kept == (1, 2)


def test_one_alone_is_no_comparison() -> None:
    with pytest.raises(DoesNotFit, match="“New” stands aside"):
        lora_axis.fit(GenerationRequest(adapters=(FLUX, SD), prompt="a cat", base="sd-1.5"), choose_spec)


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
