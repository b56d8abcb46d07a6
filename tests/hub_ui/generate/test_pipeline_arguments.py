from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.pipeline_arguments import call_arguments, output_images, unused_notes
from hub_ui.generate.request import Callbacks, GenerationRequest, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import ResolvedRequest
from tests.hub_ui.generate.building import adapter, apart
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.frame import Base, load
from tests.hub_ui.generate.pipelines.rows import FLUXES, OTHERS, TRANSFORMERS, UNETS, Row, control_of_diffusers, widen
from tests.hub_ui.generate.pipelines.short_form import every_third

SETTINGS = ResolvedRequest(negative="", seed=1, steps=2, guidance=4.0, width=32, height=48)


class QwenImagePipeline:
    def __call__(
        self, prompt: str, negative_prompt: str, true_cfg_scale: float, num_inference_steps: int, guidance_scale: float
    ) -> None:
        """As the real one, whose network does not fit into a test."""


class Plain:
    guider: Any = None

    def __call__(self, prompt: str, num_inference_steps: int, guidance_scale: float, width: int, height: int) -> None:
        """A pipeline without a negative prompt."""


class WanPipeline:
    def __call__(self, prompt: str, negative_prompt: str, num_frames: int, output_type: str) -> None:
        """A pipeline that generates videos."""


class FluxPipeline:
    transformer = SimpleNamespace(config={"guidance_embeds": True})

    def __call__(self, prompt: str, negative_prompt: str, guidance_scale: float, true_cfg_scale: float) -> None:
        """Its guidance is an input; a negative prompt takes part only with another guidance beside it."""


@pytest.mark.parametrize(
    ("pipe", "fields", "expected"),
    [
        (
            QwenImagePipeline(), {},
            {"prompt": "a cat", "negative_prompt": " ", "true_cfg_scale": 4.0, "num_inference_steps": 2},
        ),
        (
            Plain(), {"negative": "blurred"},
            {"prompt": "a cat", "num_inference_steps": 2, "guidance_scale": 4.0, "width": 32, "height": 48},
        ),
        (
            WanPipeline(), {"frames": 17, "negative": "blurred"},
            {"prompt": "a cat", "negative_prompt": "blurred", "num_frames": 17, "output_type": "pil"},
        ),
    ],
)  # fmt: skip
def test_each_pipeline_gets_what_its_call_takes(pipe: Any, fields: Any, expected: dict[str, Any]) -> None:
    assert call_arguments(pipe, replace(SETTINGS, **fields), ["a cat"]) == expected


def test_several_prompts_go_in_as_lists() -> None:
    call = call_arguments(QwenImagePipeline(), SETTINGS, ["a cat", "a dog"])
    assert (call["prompt"], call["negative_prompt"]) == (["a cat", "a dog"], [" ", " "])


@pytest.mark.parametrize(
    ("pipe", "count"), [(Plain(), 1), (FluxPipeline(), 1), (QwenImagePipeline(), 0), (WanPipeline(), 0)]
)
def test_a_negative_prompt_that_has_no_effect_is_said(pipe: Any, count: int) -> None:
    assert len(unused_notes(pipe, replace(SETTINGS, negative="blurred"))) == count


def test_frames_on_a_base_for_still_pictures_are_said() -> None:
    (said,) = unused_notes(QwenImagePipeline(), replace(SETTINGS, frames=9))
    assert said == "This base generates images that stand still; the number of frames was left out."
    assert unused_notes(WanPipeline(), replace(SETTINGS, frames=9)) == []


def test_a_clip_is_several_frames_of_one_picture() -> None:
    frame = Image.new("RGB", (8, 8))
    assert output_images(SimpleNamespace(frames=[[frame] * 3])) == [(frame,) * 3]
    assert output_images(SimpleNamespace(images=[frame, frame])) == [(frame,), (frame,)]
    assert output_images(SimpleNamespace(image=[frame])) == [(frame,)]


# Of each family, the row whose file it can be given here.
FIRST = {row.base.name: row for row in reversed((*UNETS, *OTHERS, *FLUXES, *TRANSFORMERS))}
FAMILIES = [
    FIRST[name]
    for name in (
        "flux1 dev", "flux1 Kontext", "pixart", "qwen_image", "z_image", "sana", "anima", "ernie", "ideogram4",
        "kandinsky5", "wan_21", "wan_22", "ltx_video", "ltx2", "ltx23", "hunyuan_image", "hunyuan_video_15",
        "kandinsky5_t2v", "flux3 klein", "flux3 klein-base", "fibo2",
    )
]  # fmt: skip


def strip(studio: Engine, row: Row, folder: Path, steps: list[Step]) -> GenerationResult:
    base = row.base.save(folder / "base")
    path = row.make(load(row.base, base), 1).save(folder / "lora.safetensors")
    call = row.base.call
    job = GenerationRequest(
        adapters=(adapter(path, architecture=row.base.architecture),), prompt="a red cat", steps=2, base=str(base),
        guidance=3.0, width=call.get("width", 32), height=call.get("height", 32), frames=call.get("num_frames"),
    )  # fmt: skip
    return studio.generate(job, comparison.weight_sweep(job, (0.0, 0.5, 1.0)), Callbacks(on_progress=steps.append))


@pytest.mark.parametrize("row", every_third(FAMILIES, 0), ids=str)
def test_every_family_draws_a_strip(studio: Engine, tmp_path: Path, row: Row) -> None:
    steps: list[Step] = []
    made = strip(studio, row, tmp_path, steps)
    none, half, whole = made.images
    assert [coverage.whole for coverage in made.report.coverage] == [True]
    assert 0.5 < apart(none, half) < apart(none, whole)
    assert (steps[-1].done, steps[-1].total) == (6, 6)
    assert (len(none.frames) > 1) is (made.request.frames is not None)
    assert any(step.preview for step in steps)


@pytest.mark.parametrize("base", [TINY["hunyuan_image"], TINY["hunyuan_video_15"]], ids=["image", "video"])
def test_a_guider_is_given_the_guidance_of_the_report(studio: Engine, tmp_path: Path, base: Base) -> None:
    folder = base.save(tmp_path / "base")
    job = GenerationRequest(
        adapters=(), base=str(folder), prompt="a red cat", steps=2, width=32, height=32, guidance=9.0, frames=5
    )
    made = studio.generate(job, comparison.single(job))

    # As the engine loads it.
    pipe = load(replace(base, attributes={}), folder)
    pipe.guider = pipe.guider.new(guidance_scale=9.0)
    noise = torch.Generator().manual_seed(made.report.seed)
    output = pipe(prompt="a red cat", num_inference_steps=2, generator=noise, output_type="pil", **base.call)
    (wanted,) = output_images(output)
    assert made.report.guidance == 9.0
    assert made.images[0].image.tobytes() == wanted[len(wanted) // 2].tobytes()


@pytest.mark.parametrize(("name", "count"), [("dev", 0), ("schnell", 1)])
def test_guidance_that_a_base_does_not_take_is_said(tmp_path: Path, name: str, count: int) -> None:
    base = TINY[f"flux1 {name}"]
    pipe = load(base, base.save(tmp_path / "base"))
    expected = ["This base takes no guidance; the 4 was left out."] * count
    assert unused_notes(pipe, SETTINGS) == expected


def test_a_negative_prompt_without_guidance_is_said() -> None:
    asked = replace(SETTINGS, negative="blurred", guidance=1.0)
    (said,) = unused_notes(QwenImagePipeline(), asked)
    assert said == "A negative prompt has no effect with a guidance of 1; it was left out."


def test_guidance_that_a_base_takes_for_a_part_of_the_steps_is_said() -> None:
    guider = SimpleNamespace(
        guidance_scale=3.5, adaptive_projected_guidance_scale=10.0, adaptive_projected_guidance_start_step=5
    )
    pipe = Plain()
    pipe.guider = guider
    assert unused_notes(pipe, replace(SETTINGS, steps=50)) == [
        "The guidance of 4 was for the first 6 of 50 steps; after them this base has its own, of 10."
    ]
    assert unused_notes(pipe, replace(SETTINGS, steps=6)) == []


def control_job(folder: Path, **fields: Any) -> GenerationRequest:
    base = TINY["flux1 dev"].save(folder / "base")
    wide = widen(load(TINY["flux1 dev"], base))
    path = control_of_diffusers(wide, 1).save(folder / "control.safetensors")
    picture = folder / "picture.png"
    Image.fromarray((np.indices((32, 32)).sum(0) // 8 % 2 * 255).astype(np.uint8)).save(picture)
    values: dict[str, Any] = {"prompt": "a red cat", "steps": 2, "width": 32, "height": 32, "control": picture}
    return GenerationRequest(adapters=(adapter(path, architecture="flux1"),), base=str(base), **{**values, **fields})


def test_a_control_lora_is_steered_by_its_picture(studio: Engine, tmp_path: Path) -> None:
    job = control_job(tmp_path)
    made = studio.generate(job, comparison.weight_sweep(job, (0.0, 0.5, 1.0)))
    none, half, whole = made.images
    assert (apart(none, half) > 1, apart(none, whole) > 1, apart(half, whole) > 1) == (True, True, True)
    assert made.report.control is not None
    other = control_job(tmp_path, control_kind="ready")
    assert apart(studio.generate(other, comparison.single(other)).images[0], whole) > 0


def test_the_base_beside_a_control_lora_is_the_base_alone(studio: Engine, tmp_path: Path) -> None:
    job = control_job(tmp_path)
    without = studio.generate(job, comparison.before_after(job)).images[0]
    studio._image_cache.clear()
    alone = GenerationRequest(adapters=(), base=job.base, prompt="a red cat", steps=2, width=32, height=32)
    assert apart(studio.generate(alone, comparison.single(alone)).images[0], without) == 0


def test_a_base_that_changes_pictures_is_given_the_picture_itself(studio: Engine, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "a.png")
    base = TINY["flux1 Kontext"].save(tmp_path / "base")
    job = GenerationRequest(
        adapters=(), base=str(base), prompt="a", steps=1, width=32, height=32, control=tmp_path / "a.png"
    )
    made = studio.generate(job, comparison.single(job))
    assert made.report.control is not None
    assert made.report.control.getpixel((0, 0)) == (200, 30, 30)
    assert made.images[0].image.size == (32, 32)
