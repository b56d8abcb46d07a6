"""What the engine's images are made of: the base, LoRAs with their weights, prompts and seeds."""

import os
from pathlib import Path

from PIL import Image

from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import Callbacks, Step
from tests.hub_ui.generate.building import adapter, job, save_kohya, save_peft
from tests.hub_ui.generate.comparing import alike, apart, one, pair, same


def test_without_is_the_picture_of_the_base_alone(studio: Engine, base: str, kohya: Path) -> None:
    alone = one(studio, base=base)
    studio.close()
    assert alike(alone, pair(studio, adapter(kohya), base=base).images[0])


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
