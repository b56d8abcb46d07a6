"""The forms that PEFT does not have, each computed another way: with whole matrices, or one number at a time."""

from typing import Any

import pytest
import torch

from hub_ui.generate.lora.algorithms import Factors, Inseparable, delta_of


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


def test_diag_oft_turns_neighbouring_outputs() -> None:
    raw, weight = torch.randn(3, 4, 4) * 0.3, torch.randn(12, 5)
    whole = diagonal(*(rotation(block) for block in raw))
    close(delta_of("oft", factors(oft=raw), weight), whole.T @ weight - weight)


def test_diag_oft_turns_convolutions_and_keeps_their_length() -> None:
    raw, weight = torch.randn(3, 4, 4), torch.randn(12, 5, 3, 3)
    turned = weight + delta_of("oft", factors(oft=raw), weight)
    close(turned.norm(), weight.norm())


def test_alpha_bounds_how_far_an_oft_turns() -> None:
    raw, weight = torch.randn(3, 4, 4), torch.randn(12, 5)
    length = (raw - raw.transpose(1, 2)).norm()
    bounded = raw * (0.01 * 12) / length
    found = delta_of("oft", factors(oft=raw, alpha=0.01), weight)
    close(found, delta_of("oft", factors(oft=bounded), weight))


def test_an_alpha_of_zero_bounds_nothing() -> None:
    raw, weight = torch.randn(3, 4, 4), torch.randn(12, 5)
    close(delta_of("oft", factors(oft=raw, alpha=0.0), weight), delta_of("oft", factors(oft=raw), weight))


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


def test_glora_adds_to_the_weight_and_through_it() -> None:
    a1, a2, b1, b2, weight = (torch.randn(s) for s in ((5, 2), (2, 5), (7, 2), (2, 5), (7, 5)))
    expected = 0.5 * (weight @ a1 @ a2 + b1 @ b2)
    close(delta_of("glora", factors(a1=a1, a2=a2, b1=b1, b2=b2, scale=0.5), weight), expected)


def test_glora_of_a_convolution_works_at_each_place_of_the_window() -> None:
    a1, a2, b1, weight = (
        torch.randn(5, 2, 1, 1),
        torch.randn(2, 5, 1, 1),
        torch.randn(7, 2, 1, 1),
        torch.randn(7, 5, 3, 3),
    )
    b2 = torch.randn(2, 5, 3, 3)
    inner = a1.flatten(1) @ a2.flatten(1)
    expected = torch.stack([weight[:, :, i // 3, i % 3] @ inner for i in range(9)], -1).view(7, 5, 3, 3)
    expected = expected + torch.einsum("or,rikl->oikl", b1.flatten(1), b2)
    close(delta_of("glora", factors(a1=a1, a2=a2, b1=b1, b2=b2), weight), expected)


def test_ia3_of_lycoris_adds_to_one_and_says_its_side() -> None:
    weight, outputs, inputs = torch.randn(7, 5), torch.randn(7), torch.randn(5)
    close(delta_of("ia3", factors(ia3=outputs), weight), weight * outputs[:, None])
    close(delta_of("ia3", factors(ia3=inputs, on_input=True), weight), weight * inputs[None, :])


def test_a_core_stands_between_the_factors_of_a_convolution() -> None:
    down, mid, up = torch.randn(3, 5, 1, 1), torch.randn(2, 3, 3, 3), torch.randn(7, 2, 1, 1)
    expected = torch.einsum("op,pqkl,qi->oikl", up[:, :, 0, 0], mid, down[:, :, 0, 0])
    close(delta_of("lora", factors(down=down, mid=mid, up=up), torch.zeros(7, 5, 3, 3)), expected)


def test_a_flat_up_goes_with_a_down_that_has_a_window() -> None:
    down, up = torch.randn(3, 5, 3, 3), torch.randn(7, 3)
    expected = torch.einsum("or,rikl->oikl", up, down)
    close(delta_of("lora", factors(down=down, up=up), torch.zeros(7, 5, 3, 3)), expected)


def test_rows_of_a_fused_layer_are_taken_in_the_order_asked_for() -> None:
    down, up = torch.randn(3, 5), torch.randn(8, 3)
    whole = up @ down
    found = delta_of("lora", factors(down=down, up=up, rows=((4, 8), (0, 4))), torch.zeros(8, 5))
    close(found, torch.cat([whole[4:], whole[:4]]))


@pytest.mark.parametrize(("shape", "axes"), [((7, 1), (1,)), ((1, 5), (0,))])
def test_dora_measures_outputs_or_inputs_by_the_shape_of_its_magnitudes(shape: Any, axes: Any) -> None:
    down, up, weight, magnitude = torch.randn(3, 5), torch.randn(7, 3), torch.randn(7, 5), torch.rand(shape)
    moved = weight + up @ down
    expected = magnitude * moved / moved.norm(dim=axes, keepdim=True) - weight
    close(delta_of("lora", factors(down=down, up=up, magnitude=magnitude), weight), expected)


def test_dora_of_a_convolution_measures_inputs_over_the_window() -> None:
    weight, magnitude = torch.randn(7, 5, 3, 3), torch.rand(1, 5, 1, 1)
    down, up = torch.zeros(3, 5, 3, 3), torch.zeros(7, 3)
    expected = magnitude * weight / torch.linalg.vector_norm(weight, dim=(0, 2, 3), keepdim=True) - weight
    close(delta_of("lora", factors(down=down, up=up, magnitude=magnitude), weight), expected)


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
