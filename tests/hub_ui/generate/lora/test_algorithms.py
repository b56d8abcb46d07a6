"""The forms that PEFT does not have, each computed another way: as trainers do, or with whole matrices."""

from typing import Any

import pytest
import torch
from torch import nn

from hub_ui.generate.lora.algorithms import Factors, Inseparable, delta_of
from hub_ui.generate.lora.modules import Target, layers_of
from hub_ui.generate.lora.parameters import ParamHandle
from hub_ui.generate.lora.patch import patches
from tests.hub_ui.generate.pipelines.algorithms import LYCORIS


def factors(keys: dict[str, str] | None = None, **fields: Any) -> Factors:
    """Fields that are tensors are parts, the others are the Factors' own."""
    parts: Any = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor)}
    others = {name: value for name, value in fields.items() if name not in parts}
    written: Any = {name: name for name in parts} | (keys or {})
    return Factors(parts=parts, keys=written, **others)


def rotation(raw: torch.Tensor) -> torch.Tensor:
    """(1 + Q)(1 - Q)^-1 of one block."""
    skew, one = raw - raw.T, torch.eye(len(raw))
    return (one + skew) @ torch.inverse(one - skew)


def diagonal(*blocks: torch.Tensor) -> torch.Tensor:
    whole: torch.Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return whole


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [0, 1, 3], ids=["linear", "1x1", "3x3"])
@pytest.mark.parametrize("algorithm", LYCORIS)
def test_a_weight_becomes_what_its_trainer_had(algorithm: str, window: int) -> None:
    module = nn.Conv2d(8, 12, window) if window else nn.Linear(8, 12)
    weight = module.weight.data
    parts, becomes = LYCORIS[algorithm](weight, lambda *shape, size=1.0: torch.randn(shape) * size)
    tensors = {f"a{ending}": value for ending, value in parts.items()}
    [layer], missed = layers_of({name: tuple(value.shape) for name, value in tensors.items()})
    params = {name: ParamHandle(module=module, name=name) for name in ("weight", "bias")}
    [patch] = patches(layer, Target(component="unet", module="a"), tuple(weight.shape), params, tensors, {})
    assert missed == ()
    close(weight + patch.delta(weight, 1.0), becomes)  # type: ignore[operator]


def test_rescaled_oft_scales_each_output_after_turning() -> None:
    raw, weight, scale = torch.randn(3, 4, 4) * 0.3, torch.randn(12, 5), torch.rand(12, 1)
    whole = diagonal(*(rotation(block) for block in raw))
    named = Factors(parts={"oft": raw, "scale": scale}, keys={})
    close(delta_of("oft", named, weight), scale * (whole.T @ weight) - weight)


def test_a_fused_oft_is_cut_between_blocks_and_refused_within_one() -> None:
    raw, weight = torch.randn(3, 4, 4) * 0.3, torch.randn(12, 5)
    whole = delta_of("oft", factors(oft=raw), weight)
    close(delta_of("oft", factors(oft=raw, rows=((4, 12),)), weight[4:12]), whole[4:12])
    with pytest.raises(Inseparable, match="into each other"):
        delta_of("oft", factors(oft=raw, rows=((0, 6),)), weight[:6])


def test_boft_pairs_outputs_ever_further_apart() -> None:
    raw, weight = torch.randn(2, 4, 2, 2) * 0.3, torch.randn(8, 5)
    turned = weight.clone()
    # Blocks of two: neighbours first, then those two apart.
    for blocks, pairs in zip(raw, ([0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 1, 3, 4, 6, 5, 7]), strict=True):
        whole, order = diagonal(*(rotation(block) for block in blocks)), torch.eye(8)[pairs]
        turned = order.T @ whole @ order @ turned
    close(delta_of("boft", factors(oft=raw), weight), turned - weight)


def test_a_flat_up_goes_with_a_down_that_has_a_window() -> None:
    down, up = torch.randn(3, 5, 3, 3), torch.randn(7, 3)
    expected = torch.einsum("or,rikl->oikl", up, down)
    close(delta_of("lora", factors(down=down, up=up), torch.zeros(7, 5, 3, 3)), expected)


def test_rows_of_a_fused_layer_are_taken_in_the_order_asked_for() -> None:
    down, up = torch.randn(3, 5), torch.randn(8, 3)
    whole = up @ down
    found = delta_of("lora", factors(down=down, up=up, rows=((4, 8), (0, 4))), torch.zeros(8, 5))
    close(found, torch.cat([whole[4:], whole[:4]]))


def test_a_fused_dora_by_input_is_refused() -> None:
    parts = factors(down=torch.zeros(3, 5), up=torch.zeros(8, 3), magnitude=torch.ones(1, 5), rows=((0, 4),))
    with pytest.raises(Inseparable, match="measures several layers together"):
        delta_of("lora", parts, torch.ones(4, 5))


def test_dora_goes_with_lokr_too() -> None:
    first, second, weight, magnitude = torch.randn(2, 2), torch.randn(3, 4), torch.randn(6, 8), torch.rand(6, 1)
    moved = weight + torch.kron(first, second)
    expected = magnitude * moved / moved.norm(dim=1, keepdim=True) - weight
    close(delta_of("lokr", factors(lokr_w1=first, lokr_w2=second, magnitude=magnitude), weight), expected)


def test_differences_are_added_and_set_values_replace() -> None:
    weight, value = torch.randn(4, 3), torch.randn(4, 3)
    close(delta_of("diff", factors(diff=value), weight), value)
    close(weight + delta_of("set", factors(set=value), weight), value)
    close(delta_of("norm", factors(diff=value[:, 0]), weight[:, 0]), value[:, 0])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
