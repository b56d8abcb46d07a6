import pytest

from connectors.claims import strength


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
    claims = strength.scale_claims(text, "card")
    assert [claim.value for claim in claims if claim.field == "weight"] == [scale]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("Recommended weight 1-1.2", (1.0, 1.2)),
        ("Strength :0.8-0.9", (0.8, 0.9)),
        ("weight0.7-0.85", (0.7, 0.85)),
        ("Weights from .4-.7 look natural", (0.4, 0.7)),
        ("推荐权重为1.1-0.8", (0.8, 1.1)),
        ("Load it with <lora:ink:0.8-0.9>", (0.8, 0.9)),
        ("The sweet spot is 0.55 to 0.75.", (0.55, 0.75)),
        ("Poids conseillé, weight 0,7-0,9", (0.7, 0.9)),
        ("Works fine between 0.5 - 0.9", (0.5, 0.9)),
        ("Recommended LoRA weight: `0.6` to `0.85` (higher weights may burn the style)", (0.6, 0.85)),
        ("Set LoRA strength between 0.7 and 1.0 (start with 0.8)", (0.7, 1.0)),
    ],
)
def test_a_range_keeps_both_ends_and_starts_at_the_low_one(text: str, ends: tuple[float, float]) -> None:
    said = {claim.field: claim.value for claim in strength.scale_claims(text, "card")}
    assert said == {"weight": ends[0], "weight_high": ends[1]}


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("Weight:\nAround 1.5", 1.5),
        ("dial it in at a weight of .65", 0.65),
        ("Recommended strength: 0.8, more than 1.0 gets overcooked", 0.8),
        ("Sampler: Euler, Steps: 30, CFG: 6, LoRA weight: 0.9", 0.9),
        ("I find 0.7 ideal", 0.7),
        ("Used weight: 0.5\nRecommended weight: 0.8", 0.8),
        ("## Training parameters\n- strength 0.3\n\n## Use\nLoRA weight 0.9", 0.9),
    ],
)
def test_the_number_that_is_recommended_is_picked_out(text: str, scale: float) -> None:
    assert [claim.value for claim in strength.scale_claims(text, "card")] == [scale]


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
        "A weight of 1.0 is too strong",
        "Weights above 1.2 break the image",
        "Keep the weight under 0.8",
        "The weight should not exceed 0.9",
        "do not set the weight to 1.5",
        "Anything past 1.1 weight will fry your picture",
        "At weight 1.2 the style breaks down",
        "suggested strength 0.8 or higher",
        "Weight 0.8 for V1",
        "With version 2 use weight 0.5",
        "Set LoRA scale (0.0 to 1.0)",
        "(worst quality:1.4), negative prompt weight 1.2",
        "Trained with noise offset strength 0.05",
        "For best results use Python 3.10",
        "SD 1.5 is recommended",
        "Strength 60%",
        "Changing the strength between 0.9 and 1.1 barely changes the face.",
        "Recommended weight for V2: 0.5 - 0.7",
        "Its strength lies in 3 styles",
        "Download the weights:\n1. Open the folder",
        "I recommend 2-3 images",
        "Works best with 1.5 models",
        "The weights of 2 LoRAs are merged",
        "",
    ],
)
def test_another_number_is_no_weight(text: str) -> None:
    assert strength.scale_claims(text, "card") == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (["<lora:x:0.7>"], 0.7),
        (["a", "<lyco:x:-1>"], None),
        (["<lora:x:0>", "<lora:x:-2>", "<lora:x:1.5>"], 1.5),
        (["<lora:x:0.6:0.8>"], 0.6),
        (["<lora:x>"], None),
        (["<lora:x:900>"], None),
        (["a"], None),
    ],
)
def test_a_lora_tag_tells_the_authors_weight(written: list[str], value: float | None) -> None:
    claims = strength.weight_claims(written, "trainedWords")
    assert [claim.value for claim in claims] == ([value] if value is not None else [])


def test_most_of_the_authors_prompts_tell_the_weight() -> None:
    prompts = ["a <lora:Fox:0.7>", "b <lora:fox:0.7>, <lora:other:1>", "c <lora:fox:1>", "d"]
    claims = strength.prompt_claims(prompts, ["fox"], "images")
    assert [(c.value, c.source, c.where) for c in claims] == [(0.7, "example", "images: 2 of 3 prompts")]


def test_a_weight_below_0_in_most_prompts_recommends_nothing() -> None:
    prompts = ["a <lora:fox:-0.81>", "b <lora:fox:-0.81>", "c <lora:fox:1>"]
    assert strength.prompt_claims(prompts, ["fox"], "images") == ()


def test_the_weight_of_other_loras_says_nothing() -> None:
    assert strength.prompt_claims(["<lora:other:1>"], ["fox"], "images") == ()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text", ["<lora:" + "a" * 200_000, "<lora:" * 30_000, "recommended " * 16_000, "weight " * 25_000, "0.1 " * 50_000]
)
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    strength.weight_claims([text], "trainedWords")
    strength.scale_claims(text, "card")
    strength.prompt_claims([text], ["a"], "images")
