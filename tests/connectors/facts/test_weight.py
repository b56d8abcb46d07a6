from __future__ import annotations

import pytest

from connectors.facts import weight


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("The recommended scale is `0.8` in diffusers.", 0.8),
        ("| Recommended LoRA scale | `1.0` to `1.25` |", 1.0),
        ("Best strength: 0.65", 0.65),
        ("preferred weight: 0.65", 0.65),
        ("Weight: 0.8 [change as you like]", 0.8),
        ("Used weight: 0.5", 0.5),
        ("with a LoRA weight of 1.0.", 1.0),
        ("Set LoRA strength: **0.85 - 1.4**", 0.85),
        ("it is recommended to set the weight between 0.5 and 0.8", 0.5),
        ("best results with 0.7 and 0.8 weight", 0.7),
        ("0.2~0.6 weight", 0.2),
        ("推荐权重为0.8", 0.8),
        ("Use weight 0.6~0.8 for best results", 0.6),
        ("LoRA strength should be between 0.5 and 1.", 0.5),
        ("Nice.\n- Strength 0.7-1.0", 0.7),
        ("denoising strength 0.4, LoRA weight: 0.7", 0.7),
    ],
)
def test_a_text_says_the_weight(text: str, scale: float) -> None:
    assert [claim.value for claim in weight.scale_claims(text, "card")] == [scale]


@pytest.mark.parametrize(
    "text",
    [
        "recommended 512 pixels",
        "The recommended scale is 8",
        "| CFG Scale | 1.0 |",
        "denoising strength 0.4",
        "denoising strength: 0.4",
        "control_strength: 0.8",
        "ControlNet weight: 0.5",
        "weight decay 0.01",
        "",
    ],
)
def test_another_number_is_no_weight(text: str) -> None:
    assert weight.scale_claims(text, "card") == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (["<lora:x:0.7>"], 0.7),
        (["a", "<lyco:x:-1>"], -1.0),
        (["<lora:x:0.6:0.8>"], 0.6),
        (["<lora:x>"], None),
        (["<lora:x:900>"], None),
        (["a"], None),
    ],
)
def test_a_lora_tag_tells_the_authors_weight(written: list[str], value: float | None) -> None:
    claims = weight.weight_claims(written, "trainedWords")
    assert [claim.value for claim in claims] == ([value] if value is not None else [])


def test_most_of_the_authors_prompts_tell_the_weight() -> None:
    prompts = ["a <lora:Fox:0.7>", "b <lora:fox:0.7>, <lora:other:1>", "c <lora:fox:1>", "d"]
    claims = weight.prompt_claims(prompts, ["fox"], "images")
    assert [(c.value, c.source, c.where) for c in claims] == [(0.7, "example", "images: 2 of 3 prompts")]


def test_the_weight_of_other_loras_says_nothing() -> None:
    assert weight.prompt_claims(["<lora:other:1>"], ["fox"], "images") == ()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text", ["<lora:" + "a" * 200_000, "<lora:" * 30_000, "recommended " * 16_000, "weight " * 25_000, "0.1 " * 50_000]
)
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    weight.weight_claims([text], "trainedWords")
    weight.scale_claims(text, "card")
    weight.prompt_claims([text], ["a"], "images")
