from __future__ import annotations

from typing import Any

import torch
from diffusers.models.transformers.transformer_hidream_image import MOEFeedForwardSwiGLU
from diffusers.models.transformers.transformer_krea2 import Krea2TextFusion

from hub_ui.generate.lora.tokens import RowsByModule, follow_tokens


def seen(module: Any, watched: list[Any], states: torch.Tensor) -> list[tuple[list[float], list[int]]]:
    """The first number of each token that the modules are given, which is its row's; and the rows that are told."""
    found: RowsByModule = {}
    pairs: list[tuple[list[float], list[int]]] = []

    def watch(each: Any, args: tuple[torch.Tensor]) -> None:
        first = args[0].reshape(len(args[0]), -1)[:, 0]
        pairs.append((first.tolist(), found[each].rows.tolist()))

    for each in watched:
        each.register_forward_pre_hook(watch)
    with torch.no_grad(), follow_tokens([module], found):
        module.eval()(states)
    assert found == {}
    return pairs


def test_tokens_that_are_sorted_by_experts_keep_their_rows() -> None:
    torch.manual_seed(0)
    kind: Any = MOEFeedForwardSwiGLU
    experts = kind(dim=8, hidden_dim=16, num_routed_experts=4, num_activated_experts=2)
    states = torch.randn(3, 5, 8)
    states[:, :, 0] = torch.arange(3.0)[:, None]
    pairs = seen(experts, list(experts.experts), states)
    assert sum(len(rows) for _, rows in pairs) == 3 * 5 * 2
    assert all(numbers == rows for numbers, rows in pairs)


def test_tokens_of_one_image_after_another_are_counted() -> None:
    kind: Any = Krea2TextFusion
    fusion = kind(
        num_text_layers=3, dim=8, num_heads=2, num_kv_heads=1, intermediate_size=8, num_layerwise_blocks=1,
        num_refiner_blocks=1, eps=1e-5,
    )  # fmt: skip
    states = torch.arange(2.0)[:, None, None, None].expand(2, 4, 3, 8)
    assert seen(fusion, list(fusion.layerwise_blocks), states) == [([0.0] * 4 + [1.0] * 4, [0] * 4 + [1] * 4)]


def test_nothing_stays_on_the_modules() -> None:
    kind: Any = MOEFeedForwardSwiGLU
    experts = kind(dim=8, hidden_dim=16, num_routed_experts=4, num_activated_experts=2)
    with follow_tokens([experts], {}):
        assert len(experts.gate._forward_hooks) == 1
    assert len(experts.gate._forward_hooks) == 0
