import pytest

from connectors.claims import strength
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("text", "scale"), READ["a text says the weight"])
def test_a_text_says_the_weight(text: str, scale: float) -> None:
    claims = strength.scale_claims(text, "card")
    assert [claim.value for claim in claims if claim.field == "weight"] == [scale]


@pytest.mark.parametrize(("text", "ends"), READ["a range keeps both ends and starts at the low one"])
def test_a_range_keeps_both_ends_and_starts_at_the_low_one(text: str, ends: list[float]) -> None:
    said = {claim.field: claim.value for claim in strength.scale_claims(text, "card")}
    assert said == {"weight": ends[0], "weight_high": ends[1]}


@pytest.mark.parametrize(("text", "scale"), READ["the number that is recommended is picked out"])
def test_the_number_that_is_recommended_is_picked_out(text: str, scale: float) -> None:
    assert [claim.value for claim in strength.scale_claims(text, "card")] == [scale]


@pytest.mark.parametrize("text", READ["another number is no weight"])
def test_another_number_is_no_weight(text: str) -> None:
    assert strength.scale_claims(text, "card") == ()


@pytest.mark.parametrize(("written", "value"), READ["a lora tag tells the authors weight"])
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


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text", ["<lora:" + "a" * 200_000, "<lora:" * 30_000, "recommended " * 16_000, "weight " * 25_000, "0.1 " * 50_000]
)
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    strength.weight_claims([text], "trainedWords")
    strength.scale_claims(text, "card")
    strength.prompt_claims([text], ["a"], "images")
