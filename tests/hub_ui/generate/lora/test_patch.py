"""What is refused before it is put on a module: files hold anything."""

import json
from typing import Any

import pytest
import torch
from peft.utils.other import get_pattern_key
from torch import nn

from hub_ui.generate.lora.modules import Layer, Target
from hub_ui.generate.lora.parameters import param_handles
from hub_ui.generate.lora.patch import Patch, Unfit, configs_of, patches, scale_of


def made(module: nn.Module, algorithm: str = "lora", name: str = "it", **parts: torch.Tensor) -> list[Patch]:
    """Of a file with these parts, for a module of this kind within a model."""
    layer = Layer(name="x", algorithm=algorithm, keys={part: part for part in parts})  # type: ignore[misc]
    params = param_handles(nn.ModuleDict({"it": module}), name)
    shape = tuple(params["weight"].read().shape)
    return patches(layer, Target(component="unet", module=name), shape, params, parts, {})


NO_RANK = {"down": torch.zeros(0, 6), "up": torch.zeros(4, 0)}


@pytest.mark.parametrize(
    ("algorithm", "parts", "said"),
    [
        ("lora", NO_RANK, "without any numbers"),
        ("lora", {**NO_RANK, "alpha": torch.tensor(4.0)}, "without any numbers"),
        ("oft", {"oft": torch.zeros(0, 4, 4)}, "without any numbers"),
        ("boft", {"oft": torch.zeros(0, 1, 4, 4)}, "without any numbers"),
        # Their scale is unknown.
        ("lora", {"down": torch.ones(2, 6, dtype=torch.int8), "up": torch.ones(4, 2)}, "whole numbers"),
        ("lora", {"down": torch.ones(2, 6), "up": torch.ones(4)}, "other sizes"),
    ],
)
def test_factors_that_give_no_change_are_refused(algorithm: str, parts: Any, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        made(nn.Linear(6, 4), algorithm, **parts)


def test_an_alpha_may_be_a_whole_number() -> None:
    [patch] = made(nn.Linear(6, 4), down=torch.ones(2, 6), up=torch.ones(4, 2), alpha=torch.tensor(8))
    assert (patch.is_low_rank, patch.factors.scale) == (True, 4.0)


def test_a_bias_is_added_to_what_a_module_without_one_gives() -> None:
    for module in (nn.Linear(6, 4, bias=False), nn.RMSNorm(4)):
        [patch] = made(module, "diff", diff_b=torch.ones(4))
        assert patch.is_low_rank


def test_what_gives_other_numbers_than_its_rows_takes_no_bias() -> None:
    with pytest.raises(Unfit, match="biases"):
        made(nn.Embedding(6, 4), "diff", diff_b=torch.ones(6))
    holder = nn.Module()
    holder.table = nn.Parameter(torch.zeros(6))
    with pytest.raises(Unfit, match="biases"):
        made(holder, "diff", name="it.table", diff_b=torch.ones(6))


def scale(metadata: dict[str, str], module: str = "a.to_q", alpha: float | None = None, rank: int | None = 8) -> float:
    return scale_of(configs_of(metadata), Target(component="unet", module=module), alpha, rank)


def written(**fields: Any) -> dict[str, str]:
    return {"lora_adapter_metadata": json.dumps({f"unet.{name}": value for name, value in fields.items()})}


@pytest.mark.parametrize(
    ("metadata", "alpha", "rank", "expected"),
    [
        ({}, 2.0, 8, 0.25),
        ({}, None, 8, 1.0),
        # It stands for the rank.
        ({}, 0.0, 8, 1.0),
        ({"alpha": "4"}, None, 8, 0.5),
        # A LoKr with both factors whole has no rank but in PEFT's settings, and its alpha means nothing.
        ({}, 1e10, None, 1.0),
        (written(r=4, alpha=8), None, None, 2.0),
        (written(r=-4, alpha=8, use_rslora=True), None, None, 1.0),
        (written(alpha=8), None, None, 1.0),
        # PEFT's settings count where there is no tensor.
        (written(r=8, lora_alpha=4), None, 8, 0.5),
        (written(r=8, lora_alpha=4), 8.0, 8, 1.0),
        # It is divided by the root of the rank.
        (written(r=16, lora_alpha=4, use_rslora=True), None, 16, 1.0),
        (written(r=8, lora_alpha=8, alpha_pattern={"(broken": 16}), None, 8, 1.0),
        # Of another component.
        ({"lora_adapter_metadata": json.dumps({"text_encoder.lora_alpha": 4, "text_encoder.r": 8})}, None, 8, 1.0),
    ],
)
def test_the_scale_is_alpha_over_rank_as_tensors_or_settings_say(
    metadata: dict[str, str], alpha: float | None, rank: int | None, expected: float
) -> None:
    assert scale(metadata, alpha=alpha, rank=rank) == expected


@pytest.mark.parametrize("name", ["a.to_q", "b.a.to_q"])
@pytest.mark.parametrize("pattern", ["to_q", "a.to_q", "o_q", r"^a\.to_q", "^to_q", r"a\..*", ".*to_q", "to_[qk]"])
def test_the_same_patterns_match_as_in_peft(pattern: str, name: str) -> None:
    matched = get_pattern_key([pattern], name) == pattern
    assert scale(written(r=8, lora_alpha=8, alpha_pattern={pattern: 16}), name) == (2.0 if matched else 1.0)


@pytest.mark.timeout(30)
def test_a_pattern_made_to_take_forever_is_passed_over() -> None:
    assert scale(written(r=8, lora_alpha=8, alpha_pattern={"(a+)+b": 16}), "a" * 60) == 1.0


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"unet.lora_alpha": "much"}', '{"unet.lora_alpha": 1e999}', "[" * 9999]
)
def test_settings_that_make_no_sense_say_nothing(text: str) -> None:
    assert scale({"lora_adapter_metadata": text}) == 1.0
