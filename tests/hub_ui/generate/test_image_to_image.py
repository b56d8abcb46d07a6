from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from connectors.errors import PreviewError, UsageError
from hub_ui.generate.base_models import BASES
from hub_ui.generate.compare import comparison
from hub_ui.generate.control import sibling_pipeline
from hub_ui.generate.engine import Engine
from hub_ui.generate.request import Callbacks, Step
from tests.hub_ui.generate.building import adapter, alike, apart, job, one, pair, pixels, same, save_kohya, single
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.frame import Base, load
from tests.hub_ui.generate.pipelines.rows import WAN, in_frame
from tests.hub_ui.generate.pipelines.short_form import every_third

FAMILIES = [TINY[name] for name in ("sdxl", "sd3", "flux1 dev", "chroma", "qwen_image", "z_image")]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A ramp from black to red, and its transposed copy's blue."""
    ramp = np.linspace(0, 255, 32, dtype=np.uint8)
    across = np.broadcast_to(ramp, (32, 32))
    Image.fromarray(np.stack([across, np.zeros_like(across), across.T], -1)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def by_diffusers(base: str, photo: Path, strength: float, steps: int) -> Image.Image:
    kind: Any = diffusers.StableDiffusionImg2ImgPipeline
    pipe = kind.from_pretrained(base, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    with Image.open(photo) as image:
        found: Image.Image = pipe(
            "a red cat", image=image.convert("RGB"), strength=strength, num_inference_steps=steps, guidance_scale=7.5,
            generator=torch.Generator().manual_seed(7),
        ).images[0]  # fmt: skip
    return found


def test_it_is_the_image_that_diffusers_makes(studio: Engine, base: str, photo: Path) -> None:
    found = one(studio, base=base, image=photo, strength=0.6, steps=5, guidance=7.5)
    expected = np.asarray(by_diffusers(base, photo, 0.6, 5), dtype=np.int64)
    assert int(np.abs(pixels(found) - expected).max()) <= 1


def test_less_strength_runs_fewer_steps_and_says_so(studio: Engine, base: str, photo: Path) -> None:
    told: list[Step] = []
    single(studio, base=base, image=photo, strength=0.5, steps=8, callbacks=Callbacks(on_progress=told.append))
    steps = [(step.done, step.total) for step in told if step.total == 4]
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_each_image_of_a_sweep_is_as_generated_alone(studio: Engine, base: str, photo: Path, tmp_path: Path) -> None:
    lora, fields = adapter(save_kohya(tmp_path / "a.safetensors")), {"base": base, "image": photo, "steps": 4}
    asked = job(lora, **fields)
    images = studio.generate(asked, comparison.weight_sweep(asked, (0.0, 0.5, 1.0))).images
    studio.close()
    for image, weight in zip(images, (0.0, 0.5, 1.0), strict=True):
        assert alike(image, one(studio, adapter(lora.path, weight=weight), **fields))


def test_another_image_or_strength_is_another_result(studio: Engine, base: str, photo: Path) -> None:
    fields = {"base": base, "steps": 4}
    first = one(studio, image=photo, **fields)
    assert same(first, one(studio, image=photo, **fields))
    assert apart(first, one(studio, image=photo, strength=0.9, **fields)) > 0.1
    with Image.open(photo) as image:
        image.rotate(90).save(photo)
    assert apart(first, one(studio, image=photo, **fields)) > 0.1


def test_emphasis_counts_over_an_image_too(studio: Engine, base: str, photo: Path) -> None:
    fields = {"base": base, "image": photo, "steps": 4, "strength": 0.9}
    assert apart(one(studio, **fields), one(studio, prompt="a (red:1.9) cat", **fields)) > 0.1


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning")  # Chroma's, which diffusers itself deprecates
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_pipelines_of_other_families_are_of_the_same_parts(family: Base, tmp_path: Path) -> None:
    kind: Any = diffusers.DiffusionPipeline
    pipe = kind.from_pretrained(family.save(tmp_path))
    starting = sibling_pipeline(pipe, "Img2Img", "none")
    assert all(getattr(starting, name) is part for name, part in pipe.components.items())
    shared = starting.config.keys() & pipe.config.keys() - pipe.components.keys() - {"_class_name"}
    assert {name: starting.config[name] for name in shared} == {name: pipe.config[name] for name in shared}


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning")  # Chroma's, which diffusers itself deprecates
@pytest.mark.parametrize("family", every_third(FAMILIES, 0), ids=str)
def test_a_pair_of_each_family_starts_from_the_image(studio: Engine, family: Base, photo: Path, tmp_path: Path) -> None:
    base = str(family.save(tmp_path / "base"))
    asked = job(base=base, image=photo, steps=4, strength=0.5)
    cells = tuple(comparison.Cell(label=prompt, prompt=prompt, weights=()) for prompt in ("a red cat", "a blue dog"))
    rows = comparison.Comparison(kind="grid", rows=("", ""), columns=("",), cells=cells)
    found = studio.generate(asked, rows).images
    assert [image.image.size for image in found] == [(32, 32)] * 2
    assert apart(found[0], one(studio, base=base, image=photo, steps=4, strength=1.0)) > 0


def test_the_bases_that_can_are_those_that_the_message_names() -> None:
    can = {
        base.architecture
        for base in BASES
        if not base.video and f"{base.pipeline.removesuffix('Pipeline')}Img2ImgPipeline" in dir(diffusers)
    }
    # That of Kolors has a name only where sentencepiece is installed.
    others = {"sd1", "sd2", "sdxl", "sd3", "flux1", "chroma", "qwen-image", "z-image", "tiny-shapes"}
    assert can - {"kolors"} == others


def refused(studio: Engine, **fields: Any) -> str:
    with pytest.raises((UsageError, PreviewError)) as failed:
        one(studio, **fields)
    return failed.value.message


def test_what_can_t_be_started_from_is_refused_in_a_sentence(studio: Engine, base: str, photo: Path) -> None:
    assert refused(studio, base=base, image=photo, strength=0.1, steps=4) == (
        "A strength of 0.1 leaves none of 4 steps. Take more strength or more steps."
    )
    assert refused(studio, base=base, image=photo, strength=0) == (
        "Strength is a number above 0 and up to 1, such as 0.6."
    )
    assert refused(studio, base=base, image=photo, control=photo) == (
        "An image is either started from or steers as a control image. Leave one of the two out."
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny base whose clips begin with an image."""
    return str(TINY["wan_i2v"].save(tmp_path_factory.mktemp("bases") / "wan"))


def test_a_clip_that_begins_with_an_image_is_as_diffusers_makes_it(studio: Engine, clips: str, photo: Path) -> None:
    made = one(studio, base=clips, image=photo, steps=3, guidance=3.0, frames=5, strength=0.3)
    call = {**TINY["wan_i2v"].call, "negative_prompt": None, "image": Image.open(photo).convert("RGB")}
    pipe = load(TINY["wan_i2v"], Path(clips))
    output = pipe(
        prompt="a red cat", output_type="pil", generator=torch.Generator().manual_seed(7),
        **{name: value for name, value in call.items() if name != "max_sequence_length"},
    )  # fmt: skip
    assert [frame.tobytes() for frame in made.frames] == [frame.tobytes() for frame in output.frames[0]]


def test_a_lora_changes_a_clip_begun_with_an_image(studio: Engine, clips: str, photo: Path, tmp_path: Path) -> None:
    make = in_frame("comfy", WAN)
    path = make(load(TINY["wan_i2v"], Path(clips)), 1).save(tmp_path / "boats.safetensors")
    lora = adapter(path, architecture="wan", base_model="wan-2.1-i2v-14b-480p")
    made = pair(studio, lora, base=clips, image=photo, steps=2, frames=5, width=32, height=32)
    assert (made.report.coverage[0].whole, apart(*made.images) > 0.5) == (True, True)


def test_a_clip_needs_the_image_that_it_begins_with(studio: Engine, clips: str, photo: Path) -> None:
    for given in ({}, {"control": photo}):
        with pytest.raises(UsageError, match=r"begins with an image, and there is none\. Choose one \(--image FILE\)"):
            one(studio, base=clips, frames=5, **given)
