from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.errors import DoesNotFit, NoBase, UsageError
from hub_ui.generate.base_models import BASES, check_name, choose, for_architecture, repo_layout, resolve


@pytest.mark.parametrize(
    ("architecture", "base_model", "asked", "chosen"),
    [
        ("sdxl", "pony", None, "pony"),
        ("sdxl", "sdxl-1.0", None, "sdxl-1.0"),
        ("sdxl", "a lineage nobody knows", None, "sdxl-1.0"),
        ("sdxl", None, None, "sdxl-1.0"),
        ("auraflow", "pony-v7", None, "pony-v7"),
        ("qwen-image", "qwen-image", None, "qwen-image"),
        ("krea2", "krea-2", None, "krea-2"),
        ("wan", "wan", None, "wan-2.1-t2v-14b"),
        (None, "illustrious", None, "illustrious"),
        ("flux1", "flux.1-schnell", None, "flux.1-schnell"),
        ("flux1", "flux.1-canny", None, "flux.1-dev"),
        ("flux1", "flux.1-dev", "flux.1-krea", "flux.1-krea"),
        ("sd1", "sd-1.5", "sd1", "sd-1.5"),
        ("sdxl", "sdxl-1.0", "Laxhar/noobai-XL-1.1", "noobai"),
        ("tiny-shapes", "tiny-shapes", None, "tiny-shapes"),
        (None, None, "sd-1.5", "sd-1.5"),
        # What the file proves outweighs what the hub calls it.
        ("flux1", "sdxl-1.0", None, "flux.1-dev"),
    ],
)
def test_the_base_is_picked(architecture: str | None, base_model: str | None, asked: str | None, chosen: str) -> None:
    assert choose(architecture, base_model, asked).id == chosen


def test_a_repo_not_listed_is_taken_for_what_the_lora_needs_until_it_is_read() -> None:
    choice = choose("sdxl", None, "someone/her-model")
    assert (choice.source, choice.pipeline, choice.width) == ("someone/her-model", "StableDiffusionXLPipeline", 1024)
    assert (choice.revision, choice.license, choice.assumed) == (None, "", True)


def test_a_repo_without_a_lora_is_what_its_index_says() -> None:
    choice = choose(None, None, "someone/her-model")
    assert (choice.architecture, choice.assumed) == ("", True)
    found = resolve(choice, repo_layout.Index(pipeline="FluxPipeline", parts={}))
    assert (found.id, found.architecture, found.steps) == ("someone/her-model", "flux1", 28)


def folder(path: Path, pipeline: str) -> Path:
    (path / "model_index.json").write_text(json.dumps({"_class_name": pipeline, "vae": ["diffusers", "AutoencoderKL"]}))
    return path


@pytest.mark.parametrize(
    ("pipeline", "architecture", "steps"),
    [
        ("StableDiffusionXLPipeline", "sdxl", 25),
        ("FluxKontextPipeline", "flux1", 28),
        ("LatentConsistencyModelPipeline", "sd1", 25),
        ("WanPipeline", "wan", 30),
    ],
)
def test_a_folder_is_what_its_index_says(tmp_path: Path, pipeline: str, architecture: str, steps: int) -> None:
    choice = choose(None, None, str(folder(tmp_path, pipeline)))
    assert (choice.source, choice.architecture, choice.pipeline) == (str(tmp_path), architecture, pipeline)
    assert (choice.steps, choice.assumed) == (steps, False)


def test_two_architectures_of_one_pipeline_are_told_apart_by_the_lora(tmp_path: Path) -> None:
    choice = choose("sd2", None, str(folder(tmp_path, "StableDiffusionPipeline")))
    assert choice.architecture == "sd2"


def test_a_folder_of_another_architecture_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"LoRA is for sdxl, but .* is flux1"):
        choose("sdxl", None, str(folder(tmp_path, "FluxPipeline")))


def test_a_folder_without_an_index_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match=r"no model_index\.json"):
        choose("sd1", None, str(tmp_path))


def test_a_repo_of_a_pipeline_that_draws_nothing_is_told() -> None:
    assumed = choose("sd1", None, "someone/upscaler")
    index = repo_layout.Index(pipeline="StableDiffusionUpscalePipeline", parts={})
    with pytest.raises(NoBase, match="for diffusers' StableDiffusionUpscalePipeline, which the preview can't draw"):
        resolve(assumed, index)


def test_a_row_of_the_table_stays_as_it_is() -> None:
    base = choose("sd1", None, None)
    assert resolve(base, repo_layout.Index(pipeline="Whatever", parts={})) is base


def test_a_base_of_another_architecture_does_not_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"for sdxl, but FLUX\.1 dev is flux1"):
        choose("sdxl", "pony", "flux.1-dev")


@pytest.mark.parametrize(
    ("architecture", "asked", "said"),
    [
        (None, None, "Choose one yourself"),
        ("svd", None, "no base model here that can draw with LoRAs for svd"),
        ("sdxl", "what?", "Choose one of: sdxl-1.0, pony"),
        ("svd", "someone/svd", "draw with LoRAs for svd, so someone/svd can't be used"),
        ("sd1", "gone.safetensors", "gone.safetensors can't be read: No such file"),
        ("sd1", "old.ckpt", "Pickled checkpoints"),
    ],
)
def test_without_a_base_the_next_step_is_told(architecture: str | None, asked: str | None, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        choose(architecture, None, asked)


def test_a_name_that_can_be_no_base_is_a_usage_error_with_those_that_can() -> None:
    with pytest.raises(
        UsageError, match=r"“sdx1-1\.0” is no base model\. Did you mean “sdxl-1\.0”.* A repo OWNER/NAME"
    ):
        check_name("sdx1-1.0")


@pytest.mark.parametrize("name", ["sdxl-1.0", "SDXL", "someone/model", "gone.safetensors", "."])
def test_a_name_that_may_be_a_base_passes(name: str) -> None:
    check_name(name)


def test_a_base_model_that_nobody_here_knows_is_named() -> None:
    with pytest.raises(NoBase, match="made for “Halcyon 2”, which is none of the base models known here"):
        choose(None, "Halcyon 2", None)


def test_a_person_chooses_among_bases_of_the_architecture() -> None:
    assert [base.id for base in for_architecture("sd2")] == ["sd-2.1", "sd-2.1-768"]
    assert for_architecture(None) == BASES
