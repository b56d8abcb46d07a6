"""What the engine's images are made of: the base, LoRAs with their weights, prompts and seeds."""

import os
from pathlib import Path

from PIL import Image

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import Callbacks, Step
from tests.hub_ui.generate.building import adapter, job, save_kohya, save_peft
from tests.hub_ui.generate.comparing import alike, apart, one, pair, same, strip


def test_a_pair_differs_by_the_lora_alone(studio: Engine, base: str, kohya: Path) -> None:
    without, with_lora = pair(studio, adapter(kohya), base=base).images
    assert without.image.size == (32, 32)
    assert apart(without, with_lora) > 2


def test_without_is_the_picture_of_the_base_alone(studio: Engine, base: str, kohya: Path) -> None:
    alone = one(studio, base=base)
    studio.close()
    assert alike(alone, pair(studio, adapter(kohya), base=base).images[0])


def test_each_picture_of_a_batch_is_the_one_drawn_alone(studio: Engine, base: str, kohya: Path) -> None:
    together = strip(studio, adapter(kohya), base=base).images
    studio.close()
    for picture, weight in zip(together, comparison.DEFAULT_SWEEP, strict=True):
        assert alike(picture, one(studio, adapter(kohya, weight=weight), base=base))


def test_the_same_job_makes_the_same_pair_in_another_studio(studio: Engine, base: str, kohya: Path) -> None:
    first = pair(studio, adapter(kohya), base=base)
    studio.close()
    second = pair(studio, adapter(kohya), base=base)
    assert all(map(same, first.images, second.images))


def test_the_trigger_word_alone_makes_the_difference(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya, trigger_words=("sks",)), base=base)
    made = studio.generate(asked, comparison.trigger_comparison(asked))
    assert apart(*made.images) > 0
    assert alike(made.images[1], one(studio, adapter(kohya, trigger_words=("sks",)), base=base))


def test_two_loras_are_drawn_apart_and_together(studio: Engine, base: str, kohya: Path, tmp_path: Path) -> None:
    a, b = adapter(kohya), adapter(save_peft(tmp_path / "peft.safetensors", seed=5))
    asked = job(a, b, base=base)
    made = studio.generate(asked, comparison.lora_combinations(asked))
    studio.close()
    assert alike(made.images[1], one(studio, a, base=base))
    assert alike(made.images[2], one(studio, b, base=base))
    assert alike(made.images[3], one(studio, a, b, base=base))


def test_loras_stack_and_their_order_does_not_matter(studio: Engine, base: str, kohya: Path, tmp_path: Path) -> None:
    both = adapter(kohya), adapter(save_peft(tmp_path / "peft.safetensors", seed=5), weight=0.5)
    asked = job(*both, base=base)
    made = studio.generate(asked, comparison.single(asked))
    assert [(found.applied, found.total) for found in made.report.coverage] == [(72, 72), (48, 48)]
    studio.close()
    assert alike(made.images[0], one(studio, *reversed(both), base=base))


def test_a_lora_of_the_text_encoder_counts_for_each_picture(studio: Engine, base: str, tmp_path: Path) -> None:
    lora = adapter(save_kohya(tmp_path / "text.safetensors", text=True))
    together = strip(studio, lora, weights=(0.0, 1.0), base=base).images
    studio.close()
    assert alike(together[0], one(studio, base=base))
    assert alike(together[1], one(studio, lora, base=base))


def test_a_lora_replaced_while_it_is_drawn_is_drawn_anew_the_next_time(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya, sha256="ab" * 32), base=base)
    before = studio.generate(asked, comparison.single(asked)).images[0]
    studio._image_cache.clear()

    def replace_it(step: Step) -> None:
        if step.stage == "Generating":
            save_kohya(kohya, seed=9, rank=8)

    first = studio.generate(asked, comparison.single(asked), Callbacks(on_progress=replace_it)).images[0]
    second = studio.generate(asked, comparison.single(asked)).images[0]
    assert (same(first, before), same(second, before)) == (True, False)


def test_a_control_image_replaced_under_its_name_is_another_one(
    studio: Engine, base: str, kohya: Path, tmp_path: Path, runs: list[int]
) -> None:
    control, lora = tmp_path / "control.png", adapter(kohya)
    for number, color in enumerate(("red", "blue"), 1):
        Image.new("RGB", (32, 32), color).save(control)
        os.utime(control, ns=(number, number))
        for _ in range(2):
            one(studio, lora, base=base, control=control)
        # Two steps of each.
        assert len(runs) == 2 * number


def test_closing_gives_the_memory_of_loras_back_too(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    assert studio._lora_cache.currsize > 0
    studio.close()
    assert studio._lora_cache.currsize == 0


def test_sides_are_brought_to_what_latents_can_be_cut_into(studio: Engine, base: str) -> None:
    assert one(studio, base=base, width=47, height=33, steps=1).image.size == (32, 32)
