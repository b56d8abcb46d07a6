from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray

from connectors.errors import DoesNotFit, HubDown, NoBase, NotWeights, PreviewError, UsageError
from hub_ui.generate import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import GenerationCancelled, LoraInput, Step
from hub_ui.generate.result import GeneratedImage, GenerationResult
from tests.hub_ui.generate.building import adapter, job, save_kohya, save_peft


@pytest.fixture
def kohya(tmp_path: Path) -> Path:
    return save_kohya(tmp_path / "kohya.safetensors")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each run of a UNet has, two for each image: guidance runs it without the prompt too."""
    counts: list[int] = []
    forward = UNet2DConditionModel.forward

    def counted(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        counts.append(len(sample))
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", counted)
    return counts


def one(studio: Engine, *adapters: LoraInput, **fields: Any) -> GeneratedImage:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.single(asked)).images[0]


def pair(studio: Engine, *adapters: LoraInput, **fields: Any) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.before_after(asked))


def strip(
    studio: Engine, *adapters: LoraInput, weights: tuple[float, ...] = comparison.DEFAULT_SWEEP, **fields: Any
) -> GenerationResult:
    asked = job(*adapters, **fields)
    return studio.generate(asked, comparison.weight_sweep(asked, weights))


def pixels(picture: GeneratedImage) -> NDArray[np.int64]:
    return np.asarray(picture.image, dtype=np.int64)


def same(one: GeneratedImage, other: GeneratedImage) -> bool:
    return bool((pixels(one) == pixels(other)).all())


def alike(one: GeneratedImage, other: GeneratedImage) -> bool:
    """Rows of a batch are summed up in another order than an image alone: a shade of one colour at most."""
    return int(np.abs(pixels(one) - pixels(other)).max()) <= 1


def apart(one: GeneratedImage, other: GeneratedImage) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


def test_a_pair_differs_by_the_lora_alone(studio: Engine, base: str, kohya: Path) -> None:
    without, with_lora = pair(studio, adapter(kohya), base=base).images
    assert without.image.size == (32, 32)
    assert apart(without, with_lora) > 2


def test_weight_0_is_the_base_bit_for_bit(studio: Engine, base: str, kohya: Path) -> None:
    without, with_lora = pair(studio, adapter(kohya, weight=0.0), base=base).images
    assert same(without, with_lora)


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


def test_another_seed_makes_another_pair(studio: Engine, base: str, kohya: Path) -> None:
    first = pair(studio, adapter(kohya), base=base)
    second = pair(studio, adapter(kohya), base=base, seed=8)
    assert not same(first.images[0], second.images[0])


def test_the_weight_turns_the_effect_up(studio: Engine, base: str, kohya: Path) -> None:
    none, low, high = strip(studio, adapter(kohya), weights=(0.0, 0.2, 1.0), base=base).images
    assert 0 < apart(none, low) < apart(none, high)


def test_a_strip_is_drawn_in_one_go(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    strip(studio, adapter(kohya), base=base)
    assert runs == [10, 10]


def test_a_strip_is_the_same_whatever_of_it_was_drawn_before(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    """Last bits depend on how many rows a call has, so that a picture of another call is none of this one."""
    fresh = strip(studio, adapter(kohya), base=base)
    studio.close()
    pair(studio, adapter(kohya, weight=0.6), base=base)
    one(studio, adapter(kohya, weight=0.9), base=base)
    runs.clear()
    assert all(map(same, strip(studio, adapter(kohya), base=base).images, fresh.images))
    assert runs == [10, 10]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture in each call, as of a larger size."""
    monkeypatch.setattr("hub_ui.generate.batch._PIXELS", {"cpu": 32 * 32})


@pytest.mark.usefixtures("one_by_one")
def test_from_a_pair_to_a_strip_only_what_is_new_is_drawn_one_by_one(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    first = pair(studio, adapter(kohya, weight=0.6), base=base)
    runs.clear()
    second = strip(studio, adapter(kohya, weight=0.8), base=base, weights=(0.0, 0.6, 0.9))
    assert runs == [2, 2]
    assert second.images[0].image is first.images[0].image
    assert second.images[1].image is first.images[1].image


@pytest.mark.usefixtures("one_by_one")
def test_pictures_one_by_one_come_by_weight_and_are_answered_in_their_order(
    studio: Engine, base: str, kohya: Path
) -> None:
    asked = job(adapter(kohya), base=base)
    grid = comparison.prompt_grid(asked, ["a cat", "a dog"], (0.0, 1.0))
    made = studio.generate(asked, grid)
    studio.close()
    for cell, picture in zip(grid.cells, made.images, strict=True):
        lora = adapter(kohya, weight=cell.weights[0])
        assert same(picture, one(studio, lora, base=base, prompt=cell.prompt))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("pixels", [8 * 32 * 32, 32 * 32], ids=["together", "one by one"])
def test_a_strip_is_the_same_the_first_and_the_third_time_and_with_little_memory(
    studio: Engine, base: str, tmp_path: Path, text: bool, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_ui.generate.batch._PIXELS", {"cpu": pixels})
    lora = adapter(save_kohya(tmp_path / "lora.safetensors", text=text))
    first = strip(studio, lora, base=base)
    for free in (100_000_000_000, 1_000_000):
        monkeypatch.setattr("hub_ui.generate.memory.available_memory", lambda free=free: free)
        one(studio, replace(lora, weight=0.3), base=base)
        studio._image_cache.clear()
        again = strip(studio, lora, base=base)
        assert all(map(same, again.images, first.images))


def test_the_same_sheet_again_draws_nothing(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    strip(studio, adapter(kohya), base=base)
    runs.clear()
    again = strip(studio, adapter(kohya), base=base)
    assert (runs, [picture.seconds for picture in again.images]) == ([], [0.0] * 5)


@pytest.mark.parametrize("fields", [{"seed": 8}, {"steps": 3}, {"guidance": 3.0}, {"width": 48}, {"negative": "x"}])
def test_anything_else_that_changes_the_picture_draws_it_anew(
    studio: Engine, base: str, runs: list[int], fields: dict[str, Any]
) -> None:
    one(studio, base=base)
    runs.clear()
    one(studio, **{"base": base, **fields})
    assert runs == [2] * int(fields.get("steps", 2))


def test_equal_cells_are_drawn_once(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    made = strip(studio, adapter(kohya), weights=(0.5, 0.5, 0.5), base=base)
    assert (runs, len(made.images)) == ([2, 2], 3)


def test_rows_of_a_grid_with_different_prompts_share_a_batch(
    studio: Engine, base: str, kohya: Path, runs: list[int]
) -> None:
    asked = job(adapter(kohya), base=base)
    made = studio.generate(asked, comparison.prompt_grid(asked, ["a cat", "a dog"], (0.0, 1.0)))
    assert runs == [8, 8]
    assert len({picture.image.tobytes() for picture in made.images}) == 4


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


def test_the_base_is_untouched_after_all_of_it(studio: Engine, base: str, kohya: Path, tmp_path: Path) -> None:
    before = one(studio, base=base, seed=9)
    for seed in range(8):
        one(studio, adapter(save_peft(tmp_path / f"{seed}.safetensors", seed=seed)), base=base, steps=1)
    studio._image_cache.clear()
    assert same(one(studio, base=base, seed=9), before)


def test_a_lora_replaced_while_it_is_drawn_is_drawn_anew_the_next_time(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya, sha256="ab" * 32), base=base)
    before = studio.generate(asked, comparison.single(asked)).images[0]
    studio._image_cache.clear()

    def replace_it(step: Step) -> None:
        if step.stage == "Generating":
            save_kohya(kohya, seed=9, rank=8)

    first = studio.generate(asked, comparison.single(asked), on_progress=replace_it).images[0]
    second = studio.generate(asked, comparison.single(asked)).images[0]
    assert (same(first, before), same(second, before)) == (True, False)


def test_closing_gives_the_memory_of_loras_back_too(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    assert studio._lora_cache.size > 0
    studio.close()
    assert studio._lora_cache.size == 0


def test_switching_reloads_nothing(studio: Engine, base: str, kohya: Path) -> None:
    one(studio, adapter(kohya), base=base)
    stages: list[Step] = []
    asked = job(adapter(kohya, weight=0.3), base=base)
    again = studio.generate(asked, comparison.single(asked), on_progress=stages.append)
    assert "Loading" not in " ".join(step.stage for step in stages)
    assert again.report.switch_seconds > 0


def test_the_report_says_how_it_came_about(studio: Engine, base: str, kohya: Path) -> None:
    asked = adapter(kohya, trigger_words=("sks",))
    made = pair(studio, asked, base=base, seed=3, steps=None, guidance=5.0, width=16, height=16)
    report = made.report
    assert [cell.prompt for cell in made.comparison.cells] == ["sks, a red cat"] * 2
    assert (report.seed, report.steps, report.guidance, report.sampler, report.notes) == (3, 25, 5.0, "DDIM", ())
    assert (report.device, report.width, report.height, report.base) == ("CPU", 16, 16, base)
    assert (report.dtype, report.rows, report.adapters) == ("float32", 2, "hooked")


def test_the_report_says_how_loras_were_applied(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya), base=base)
    made = studio.generate(asked, comparison.single(asked))
    assert (made.report.rows, made.report.adapters) == (1, "merged")
    alone = job(base=base)
    assert studio.generate(alone, comparison.single(alone)).report.adapters == ""


def test_every_step_is_told(studio: Engine, base: str, kohya: Path) -> None:
    steps: list[Step] = []
    asked = job(adapter(kohya), base=base)
    studio.generate(asked, comparison.before_after(asked), on_progress=steps.append)
    assert [(step.stage, step.done, step.total) for step in steps] == [
        (f"Loading {base}", 0, 0),
        ("Putting the LoRA on", 0, 0),
        *(("Generating 2 images", done, 4) for done in (0, 2, 4)),
    ]


def test_a_small_preview_comes_with_the_steps(studio: Engine, base: str) -> None:
    steps: list[Step] = []
    asked = job(base=base)
    studio.generate(asked, comparison.single(asked), on_progress=steps.append)
    sizes = [step.preview.size for step in steps if step.preview is not None]
    assert sizes == [(32, 32)]


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_drawing_is_stopped_within_one_step(
    studio: Engine, base: str, kohya: Path, runs: list[int], after: int
) -> None:
    steps: list[Step] = []
    asked = job(adapter(kohya), base=base, steps=20)
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked,
            comparison.single(asked),
            on_progress=steps.append,
            is_cancelled=lambda: len(runs) >= after and bool(steps),
        )
    assert len(runs) <= after + 1


def test_after_a_stop_everything_is_as_before(studio: Engine, base: str, kohya: Path, runs: list[int]) -> None:
    before = one(studio, base=base)
    asked = job(adapter(kohya), base=base, steps=20)
    runs.clear()
    with pytest.raises(GenerationCancelled):
        studio.generate(asked, comparison.weight_sweep(asked), is_cancelled=lambda: len(runs) > 2)
    studio._image_cache.clear()
    assert same(one(studio, base=base), before)


def test_who_comes_meanwhile_waits_and_may_give_up(studio: Engine, base: str) -> None:
    entered, leave, seen, asked = threading.Event(), threading.Event(), list[str](), job(base=base)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(10)

    first = threading.Thread(
        target=studio.generate, args=(asked, comparison.single(asked)), kwargs={"on_progress": hold}
    )
    first.start()
    entered.wait(10)
    with pytest.raises(GenerationCancelled):
        studio.generate(
            asked, comparison.single(asked), on_progress=lambda step: seen.append(step.stage), is_cancelled=lambda: True
        )
    leave.set()
    first.join()
    assert seen == ["Waiting for another image"]


def test_a_missing_compiler_is_said_before_the_base_is_loaded(
    studio: Engine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    asked = job(base=base, compile=True)
    with pytest.raises(PreviewError, match="--compile needs a"):
        studio.generate(asked, comparison.single(asked))
    assert studio._loaded is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes, which tell when they are read")
def test_who_waits_has_read_the_lora_before_it_is_his_turn(studio: Engine, base: str, tmp_path: Path) -> None:
    entered, leave, pipe = threading.Event(), threading.Event(), tmp_path / "lora.safetensors"
    asked, next_one = job(base=base), job(adapter(pipe), base=base)
    os.mkfifo(pipe)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(30)

    def wait() -> None:
        with pytest.raises(GenerationCancelled):
            studio.generate(next_one, comparison.single(next_one), is_cancelled=lambda: True)

    first = threading.Thread(
        target=studio.generate, args=(asked, comparison.single(asked)), kwargs={"on_progress": hold}
    )
    second = threading.Thread(target=wait)
    first.start()
    entered.wait(30)
    second.start()
    # Opened once the other end is: by whoever reads the file.
    pipe.write_bytes(b"a LoRA")
    leave.set()
    for thread in (first, second):
        thread.join(30)


def test_closing_waits_for_the_picture_that_is_being_drawn(studio: Engine, base: str) -> None:
    entered, leave, made, asked = threading.Event(), threading.Event(), list[GenerationResult](), job(base=base)

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(10)

    first = threading.Thread(
        target=lambda: made.append(studio.generate(asked, comparison.single(asked), on_progress=hold))
    )
    closing = threading.Thread(target=studio.close)
    first.start()
    entered.wait(10)
    closing.start()
    assert studio.estimate(asked, comparison.single(asked)).images == 1
    leave.set()
    for thread in (first, closing):
        thread.join(10)
    assert (len(made), studio._loaded) == (1, None)


def test_what_a_report_raises_keeps_nobody_waiting(studio: Engine, base: str) -> None:
    def gone(_step: Step) -> None:
        raise ConnectionResetError

    asked = job(base=base)
    with pytest.raises(ConnectionResetError):
        studio.generate(asked, comparison.single(asked), on_progress=gone)
    assert studio.generate(asked, comparison.single(asked)).images


@pytest.mark.parametrize("fields", [{"width": 48}, {"prefix": "lora_unet_nobody."}])
def test_a_lora_of_which_nothing_applies_is_refused(
    studio: Engine, base: str, tmp_path: Path, runs: list[int], fields: dict[str, Any]
) -> None:
    save = save_kohya if "width" in fields else save_peft
    path = save(tmp_path / "wrong.safetensors", **fields)
    with pytest.raises(DoesNotFit, match=r"(72|48) tensors"):
        pair(studio, adapter(path), base=base)
    assert runs == []
    asked = job(base=base)
    assert studio.generate(asked, comparison.single(asked)).report.coverage == ()


def test_loras_of_two_architectures_do_not_go_together(studio: Engine, kohya: Path) -> None:
    said = "is for sd1 and “Edges” for sdxl: LoRAs of different architectures can't be used together"
    with pytest.raises(DoesNotFit, match=said):
        pair(studio, adapter(kohya), adapter(kohya, architecture="sdxl", title="Edges"), base="sd-1.5")


def test_only_safetensors_are_loaded(studio: Engine, base: str, tmp_path: Path) -> None:
    (tmp_path / "lora.bin").write_bytes(b"\x80\x02")
    (tmp_path / "lora.safetensors").write_bytes(b"\x80\x02")
    for name in ("lora.bin", "lora.safetensors"):
        with pytest.raises(NotWeights):
            pair(studio, adapter(tmp_path / name), base=base)


def test_a_base_that_cannot_be_fetched_is_told(studio: Engine, kohya: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(HubDown, match=r"SD 1\.5 could not be fetched"):
        pair(studio, adapter(kohya))


def test_a_folder_without_a_model_is_no_base(studio: Engine, kohya: Path, tmp_path: Path) -> None:
    with pytest.raises(NoBase):
        pair(studio, adapter(kohya), base=str(tmp_path))


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 0}, {"steps": 1000}, {"width": 9000}, {"height": -1}, {"seed": -1}, {"seed": 2**64}, {"frames": 0},
        {"guidance": float("nan")}, {"guidance": -1.0},
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told_at_once(studio: Engine, base: str, fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        one(studio, **{"base": base, **fields})


def test_a_weight_that_is_no_number_is_told(studio: Engine, base: str, kohya: Path) -> None:
    with pytest.raises(UsageError, match=r"such as 0\.8"):
        one(studio, adapter(kohya, weight=float("nan")), base=base)


def test_a_sheet_of_another_job_is_told(studio: Engine, base: str, kohya: Path) -> None:
    with pytest.raises(UsageError, match="one weight for each LoRA"):
        studio.generate(job(base=base), comparison.before_after(job(adapter(kohya))))


def test_sides_are_brought_to_what_latents_can_be_cut_into(studio: Engine, base: str) -> None:
    assert one(studio, base=base, width=47, height=33, steps=1).image.size == (32, 32)


def test_nothing_to_draw_with_is_told(studio: Engine) -> None:
    with pytest.raises(UsageError, match="neither a LoRA nor a base"):
        one(studio)


def test_a_time_is_told_before_and_measured_after(studio: Engine, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya), base=base, steps=4)
    before = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (before.images, before.measured, studio._loaded) == (5, False, None)
    studio.generate(asked, comparison.before_after(asked))
    after = studio.estimate(asked, comparison.weight_sweep(asked))
    assert (after.images, after.measured) == (4, True)


def test_a_sampler_is_followed_and_the_base_has_its_own_back(studio: Engine, base: str) -> None:
    asked = job(base=base, sampler="Euler a")
    assert studio.generate(asked, comparison.single(asked)).report.sampler == "Euler a"
    asked = job(base=base)
    assert studio.generate(asked, comparison.single(asked)).report.sampler == "DDIM"


def test_a_sampler_that_calls_twice_for_a_step_is_counted_as_asked(studio: Engine, base: str) -> None:
    steps: list[Step] = []
    asked = job(base=base, sampler="Heun", steps=3)
    studio.generate(asked, comparison.single(asked), on_progress=steps.append)
    assert (steps[-1].done, steps[-1].total) == (3, 3)
