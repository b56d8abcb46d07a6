from __future__ import annotations

import json
from typing import Any

import pytest
from peft.utils.other import get_pattern_key

from hub_ui.generate.lora.scale import scales_of


def scale(metadata: dict[str, str], module: str = "a.to_q", alpha: float | None = None, rank: int | None = 8) -> float:
    return scales_of(metadata).of("unet", module, alpha, rank)


def written(**fields: Any) -> dict[str, str]:
    return {"lora_adapter_metadata": json.dumps({f"unet.{name}": value for name, value in fields.items()})}


def test_it_is_alpha_over_rank() -> None:
    assert scale({}, alpha=2.0) == 0.25


def test_without_an_alpha_it_is_one() -> None:
    assert scale({}) == 1.0


def test_an_alpha_of_zero_stands_for_the_rank() -> None:
    assert scale({}, alpha=0.0) == 1.0


def test_a_lokr_with_both_factors_whole_has_no_rank_and_its_alpha_means_nothing() -> None:
    assert scale({}, alpha=1e10, rank=None) == 1.0


def test_pefts_settings_count_where_there_is_no_tensor() -> None:
    assert scale(written(r=8, lora_alpha=4)) == 0.5
    assert scale(written(r=8, lora_alpha=4), alpha=8.0) == 1.0


def test_rank_stabilised_settings_divide_by_the_root_of_the_rank() -> None:
    assert scale(written(r=16, lora_alpha=4, use_rslora=True), rank=16) == 1.0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("to_q", 2.0),
        ("a.to_q", 2.0),
        ("o_q", 1.0),
        ("^a\\.to_q", 2.0),
        ("^to_q", 1.0),
        ("a\\..*", 2.0),
        ("(broken", 1.0),
    ],
)
def test_patterns_match_ends_of_names_as_in_peft(pattern: str, expected: float) -> None:
    assert scale(written(r=8, lora_alpha=8, alpha_pattern={pattern: 16})) == expected


@pytest.mark.parametrize("pattern", ["to_q", "o_q", "a.to_q", ".*to_q", "to_[qk]"])
def test_the_same_patterns_match_as_in_peft(pattern: str) -> None:
    matched = get_pattern_key([pattern], "b.a.to_q") == pattern
    assert scale(written(r=8, lora_alpha=8, alpha_pattern={pattern: 16}), "b.a.to_q") == (2.0 if matched else 1.0)


@pytest.mark.timeout(30)
def test_a_pattern_made_to_take_forever_is_passed_over() -> None:
    assert scale(written(r=8, lora_alpha=8, alpha_pattern={"(a+)+b": 16}), "a" * 60) == 1.0


def test_settings_of_another_component_say_nothing() -> None:
    metadata = {"lora_adapter_metadata": json.dumps({"text_encoder.lora_alpha": 4, "text_encoder.r": 8})}
    assert scale(metadata) == 1.0


def test_one_alpha_for_all_layers() -> None:
    assert scale({"alpha": "4"}) == 0.5


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"unet.lora_alpha": "much"}', '{"unet.lora_alpha": 1e999}', "[" * 9999]
)
def test_settings_that_make_no_sense_say_nothing(text: str) -> None:
    assert scale({"lora_adapter_metadata": text}) == 1.0
