import random
from typing import Any

from connectors.civitai import parse
from connectors.record import Claim, Version, WeightFile
from connectors.ref import Ref
from hub_ui.images.example_settings import Used, usage
from tests.connectors.building import civitai_image

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


def test_a_base_is_the_one_that_images_were_made_on() -> None:
    found = used(*[image("Illustrious")] * 6, *[image("NoobAI")] * 3, image("Pony"))
    assert [(one.value, one.count, one.total) for one in found["base_model"]] == [
        ("illustrious", 6, 10), ("noobai", 3, 10),
    ]  # fmt: skip


def test_loras_that_are_combined_with_it_are_named_but_for_mature_ones() -> None:
    alone, detail = image(), image(prompt="a <lora:ink:1> <lora:add detail:0.5> <lora:nude pose:1>")
    assert used(*[alone] * 6, *[detail] * 2)["used_with"] == [
        Used(field="used_with", value="add detail", count=2, total=8)
    ]


def test_one_that_is_named_by_its_version_alone_is_a_ref() -> None:
    listed = [{"type": "lora", "weight": 1, "modelVersionId": id_} for id_ in (2001, 9)]
    (other,) = used(*[image(prompt="a cat", civitaiResources=listed)] * 5)["used_with"]
    assert (other.value, other.count) == ("civitai:@9", 5)


def test_a_weight_is_that_of_the_version_in_the_list_of_the_hubs_own_generator() -> None:
    listed = [{"type": "lora", "weight": weight, "modelVersionId": id_} for weight, id_ in ((0.4, 2001), (1, 9))]
    (weight,) = used(*[image(prompt="a cat", civitaiResources=listed)] * 5)["weight"]
    assert (weight.value, weight.low, weight.high, weight.total) == (0.4, 0.4, 0.4, 5)


def test_fewer_than_five_images_say_nothing() -> None:
    assert used(*[image(steps=20, sampler="Euler a")] * 4) == {}


def test_what_is_no_number_counts_for_nothing() -> None:
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
