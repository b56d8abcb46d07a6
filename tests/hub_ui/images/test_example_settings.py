import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.civitai import parse
from connectors.record import Example, Version, WeightFile
from connectors.ref import Ref
from hub_ui.images import infotext
from hub_ui.images.example_settings import ExampleSettings, is_of, of_text, settings
from hub_ui.images.infotext import UsedLora
from tests.corpus import RESPONSES, absence

CIVITAI = {
    "seed": 2735602534, "steps": 28, "sampler": "DPM++ 2M Karras", "cfgScale": 7.5, "Size": "512x768",
    "negativePrompt": "blurry", "Model": "dreamy_v3", "Model hash": "5a1c2b4a08", "Version": "v1.6.0",
    "Lora hashes": "ink: 1861fe1b6fd4", "Clip skip": "2", "Hires upscale": "2", "Hires upscaler": "Latent",
    "Denoising strength": "0.4", "ADetailer model": "face_yolov8n.pt", "ADetailer version": "23.6.2",
}  # fmt: skip


def of(prompt: str | None = None, **params: Any) -> ExampleSettings:
    return settings(Example(url="https://hub.invalid/a.png", prompt=prompt, params=params))


def version(name: str = "ink.safetensors", sha256: str | None = None) -> Version:
    ref = Ref.parse("civitai:1001@2001")
    return Version(ref=ref, name="v1", files=(WeightFile(ref=ref.at("2001", "3001"), name=name, sha256=sha256),))


def test_a_picture_of_civitai_gives_its_settings() -> None:
    found = of("a cat <lora:ink:0.8>, (sharp:1.2)", **CIVITAI)
    assert found == ExampleSettings(
        prompt="a cat, (sharp:1.2)", negative="blurry", seed=2735602534, steps=28, guidance=7.5,
        sampler="DPM++ 2M Karras",
        size=(512, 768), loras=(UsedLora(name="ink", weight=0.8, hash="1861fe1b6fd4"),),
        unmapped=(
            "ADetailer, which generates faces again", "Hires upscale 2",
            "clip skip 2", "the checkpoint “dreamy_v3”",
        ),
    )  # fmt: skip


def test_what_is_not_taken_over_is_one_sentence() -> None:
    assert of("a cat", **{"Clip skip": "2", "ENSD": "31337"}).sentence() == "Not taken over: clip skip 2, ENSD 31337."
    assert of("a cat", **{"Clip skip": "1"}).sentence() is None


def test_a_prediction_of_replicate_gives_its_settings() -> None:
    found = of(
        "TOK cat", num_inference_steps=28, guidance_scale=3.5, lora_scale=0.9, aspect_ratio="16:9", seed=7, width=100
    )
    assert found == ExampleSettings(
        prompt="TOK cat", steps=28, guidance=3.5, scale=0.9, size=(1344, 768), seed=7
    )  # fmt: skip
    assert found.weight(version()) == 0.9


def test_sdxl_on_replicate_names_its_sampler_a_scheduler() -> None:
    found = of("a cat", scheduler="K_EULER_ANCESTRAL", width=768, height=512)
    assert (found.sampler, found.size) == ("Euler a", (768, 512))


def test_comfyui_names_the_spacing_a_scheduler() -> None:
    assert of("a cat", sampler="dpmpp_2m", scheduler="karras").sampler == "DPM++ 2M Karras"


def test_a_widget_of_hugging_face_gives_its_prompt() -> None:
    assert of("a cat") == ExampleSettings(prompt="a cat")


def test_additional_networks_are_loras() -> None:
    found = of("a cat", **{"AddNet Model 1": "penink(1861fe1b6fd4)", "AddNet Weight A 1": "0.85"})
    assert found.loras == (UsedLora(name="penink", weight=0.85, hash="1861fe1b6fd4"),)


def test_the_hubs_own_list_names_the_version() -> None:
    resources = json.dumps([{"type": "lora", "weight": 0.7, "modelVersionId": 2001}])
    found = of("a cat", **{"Civitai resources": resources})
    assert (found.weight(version()), found.others(version())) == (0.7, ())


def test_other_loras_are_told_apart() -> None:
    found = of("a cat <lora:Ink:0.8> <lora:add_detail:-1>")
    assert found.weight(version()) == 0.8
    assert found.others(version()) == (UsedLora(name="add_detail", weight=-1.0),)


@pytest.mark.parametrize(
    ("lora", "same"),
    [
        (UsedLora(name="Ink Lines"), True),
        (UsedLora(name="renamed", hash="abcdef0123"), True),
        (UsedLora(name="renamed", hash="0123456789"), False),
        (UsedLora(name="x", version="2001"), True),
        (UsedLora(name="ink_lines", version="2002"), False),
    ],
)
def test_a_lora_is_known_by_id_bytes_or_name(lora: UsedLora, same: bool) -> None:
    assert is_of(lora, version("ink_lines.safetensors", "abcdef0123" + "0" * 54)) is same


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sampler": "DPM adaptive"}, "the sampler “DPM adaptive”"),
        ({"Sampler": "Euler", "Schedule type": "Align Your Steps"}, "the schedule type “Align Your Steps”"),
        ({"Denoising strength": "0.4"}, "the image it was generated over (denoising strength 0.4)"),
        ({"VAE": "kl-f8", "VAE hash": "1"}, "the VAE “kl-f8”"),
        ({"image": "https://replicate.delivery/a.png"}, "the image it was generated over"),
        ({"Regional Prompter Active": "True"}, "Regional Prompter Active True"),
        ({"steps": 9999}, "9999 steps"),
        ({"cfgScale": -3}, "CFG scale -3"),
        ({"seed": 1e30}, "seed 1e+30"),
        ({"Size": "99999x1"}, "size 99999x1"),
    ],
)
def test_what_has_no_counterpart_is_named(params: dict[str, Any], said: str) -> None:
    assert of("a cat", **params).unmapped == (said,)


@pytest.mark.parametrize(
    "params",
    [
        {"seed": -1}, {"steps": "many"}, {"cfgScale": "nan"}, {"Size": "big"}, {"seed": True},
        {"aspect_ratio": "custom"}, {"ENSD": "0"}, {'"broken ["key': "1"}, {"sampler": "Undefined"},
        {"AddNet Model 1": "None"},
    ],
)  # fmt: skip
def test_what_says_nothing_sets_nothing(params: dict[str, Any]) -> None:
    found = of("a cat", **params)
    assert (found.seed, found.steps, found.guidance, found.sampler, found.loras) == (None, None, None, "", ())


def test_a_text_of_a1111_gives_the_same() -> None:
    text = "a cat <lora:ink:0.8>\nNegative prompt: dull\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 8x16"
    assert of_text(infotext.read(text)) == ExampleSettings(
        prompt="a cat", negative="dull", seed=5, steps=20, guidance=7.0, sampler="Euler a", size=(8, 16),
        loras=(UsedLora(name="ink", weight=0.8),),
    )  # fmt: skip


def recorded() -> Iterator[tuple[Version, Example]]:
    for path in sorted(RESPONSES.glob("civitai_model_*.json")):
        lora = parse.lora(json.loads(path.read_text(encoding="utf-8")), "https://civitai.com", datetime.now(UTC))
        for found in lora.versions if lora else ():
            yield from ((found, example) for example in found.examples if example.params)


@pytest.mark.skipif(absence() is not None, reason=str(absence()))
def test_recorded_pictures_give_nearly_all_they_say() -> None:
    read = [(found, settings(example)) for found, example in recorded()]
    assert len(read) > 300
    assert sum(None not in (s.seed, s.steps, s.guidance, s.size) for _, s in read) >= 0.95 * len(read)
    assert {name for _, s in read for name in s.unmapped if "sampler" in name} == {"the sampler “DPM adaptive”"}
    assert sum(s.weight(found) is not None for found, s in read) >= 0.85 * len(read)
