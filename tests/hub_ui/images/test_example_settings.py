import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.civitai import parse
from connectors.record import Claim, Example, Version, WeightFile
from connectors.ref import Ref
from hub_ui.images.example_settings import ExampleSettings, Used, is_of, settings, usage
from hub_ui.images.infotext import UsedLora
from tests.connectors.building import civitai_image
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


def test_a_picture_of_civitai_gives_its_settings_and_what_is_not_taken_over_is_one_sentence() -> None:
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
    assert of("a cat", **{"Clip skip": "2", "ENSD": "31337"}).sentence() == "Not taken over: clip skip 2, ENSD 31337."
    assert of("a cat", **{"Clip skip": "1"}).sentence() is None


def test_a_prediction_of_replicate_gives_its_settings_and_a_scheduler_is_what_each_program_means_by_it() -> None:
    found = of(
        "TOK cat", num_inference_steps=28, guidance_scale=3.5, lora_scale=0.9, aspect_ratio="16:9", seed=7, width=100
    )
    assert found == ExampleSettings(
        prompt="TOK cat", steps=28, guidance=3.5, scale=0.9, size=(1344, 768), seed=7
    )  # fmt: skip
    assert found.weight(version()) == 0.9
    found = of("a cat", scheduler="K_EULER_ANCESTRAL", width=768, height=512)
    assert (found.sampler, found.size) == ("Euler a", (768, 512))
    assert of("a cat", sampler="dpmpp_2m", scheduler="karras").sampler == "DPM++ 2M Karras"
    assert of("a cat", Sampler="dpmpp_2m", Scheduler="karras").sampler == "DPM++ 2M Karras"


def test_forge_says_the_guidance_of_flux_beside_a_scale_that_does_nothing() -> None:
    found = of("a cat", **{"CFG scale": "1", "Distilled CFG Scale": "3.5", "Module 1": "ae"})
    assert found == ExampleSettings(prompt="a cat", guidance=3.5)


def test_a_widget_of_hugging_face_gives_its_prompt_and_additional_networks_are_loras() -> None:
    assert of("a cat") == ExampleSettings(prompt="a cat")
    found = of("a cat", **{"AddNet Model 1": "penink(1861fe1b6fd4)", "AddNet Weight A 1": "0.85"})
    assert found.loras == (UsedLora(name="penink", weight=0.85, hash="1861fe1b6fd4"),)


def test_the_hubs_own_list_names_the_version_and_other_loras_are_told_apart() -> None:
    resources = json.dumps([{"type": "lora", "weight": 0.7, "modelVersionId": 2001}])
    found = of("a cat", **{"Civitai resources": resources})
    assert (found.weight(version()), found.others(version())) == (0.7, ())
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


REF = Ref.parse("civitai:1001@2001")
VERSION = Version(ref=REF, name="v1", files=(WeightFile(ref=REF.at("2001", "3001"), name="ink.safetensors"),))


def used(*images: dict[str, Any]) -> dict[str, list[Used]]:
    found: dict[str, list[Used]] = {}
    for one in usage(VERSION, filter(None, map(parse.community_image, images))):
        found.setdefault(one.field, []).append(one)
    return found


def image(base: str = "Pony", **meta: Any) -> dict[str, Any]:
    return civitai_image(baseModel=base, meta={"prompt": "a cat <lora:ink:0.8>", **meta})


def test_planted_settings_come_out_within_their_bounds() -> None:
    drawn = random.Random(5)
    images = [
        image(
            prompt=f"a fox <lora:ink:{drawn.gauss(0.7, 0.1):.2f}>", steps=drawn.randint(24, 32),
            cfgScale=drawn.choice((6, 7, 7.5)), sampler=drawn.choices(("Euler a", "DPM++ 2M Karras"), (3, 1))[0],
        )
        for _ in range(200)
    ]  # fmt: skip
    found = used(*images)
    weight, steps, guidance, sampler = (found[name][0] for name in ("weight", "steps", "guidance", "sampler"))
    assert (0.67 < float(weight.value) < 0.73, weight.low, weight.high) == (True, 0.65, 0.78)
    assert (27 <= float(steps.value) <= 29, guidance.value) == (True, 7)
    assert (sampler.value, 135 < sampler.count < 165, sampler.total) == ("Euler a", True, 200)


def test_a_base_is_the_one_that_images_were_made_on_and_a_lora_named_by_its_version_alone_a_ref() -> None:
    found = used(*[image("Illustrious")] * 6, *[image("NoobAI")] * 3, image("Pony"))
    assert [(one.value, one.count, one.total) for one in found["base_model"]] == [
        ("illustrious", 6, 10), ("noobai", 3, 10),
    ]  # fmt: skip
    listed = [{"type": "lora", "weight": 1, "modelVersionId": id_} for id_ in (2001, 9)]
    (other,) = used(*[image(prompt="a cat", civitaiResources=listed)] * 5)["used_with"]
    assert (other.value, other.count) == ("civitai:@9", 5)


def test_loras_that_are_combined_are_named_but_for_mature_ones_and_a_weight_is_that_of_the_version() -> None:
    alone, detail = image(), image(prompt="a <lora:ink:1> <lora:add detail:0.5> <lora:nude pose:1>")
    assert used(*[alone] * 6, *[detail] * 2)["used_with"] == [
        Used(field="used_with", value="add detail", count=2, total=8)
    ]
    listed = [{"type": "lora", "weight": weight, "modelVersionId": id_} for weight, id_ in ((0.4, 2001), (1, 9))]
    (weight,) = used(*[image(prompt="a cat", civitaiResources=listed)] * 5)["weight"]
    assert (weight.value, weight.low, weight.high, weight.total) == (0.4, 0.4, 0.4, 5)


def test_fewer_than_five_images_and_what_is_no_number_say_nothing() -> None:
    assert used(*[image(steps=20, sampler="Euler a")] * 4) == {}
    counts: tuple[Any, ...] = ("many", -3, 1e99, [], {"a": 1})
    odd = [image(prompt="a cat", steps=count, cfgScale=None) for count in counts]
    assert used(*odd, *[image(prompt="a cat", steps="30")] * 5)["steps"][0].total == 5


def test_a_claim_says_of_how_many_images_it_is() -> None:
    number = Used(field="weight", value=0.7, count=84, total=84, low=0.6, high=0.8)
    assert number.claim("CivitAI") == Claim(
        field="weight", value=0.7, source="usage", where="median of 84 images on CivitAI, half of them from 0.6 to 0.8"
    )
    choice = Used(field="sampler", value="Euler a", count=41, total=84)
    assert choice.claim("CivitAI").where == "41 of 84 images on CivitAI"
