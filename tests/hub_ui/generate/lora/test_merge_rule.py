from __future__ import annotations

import torch

from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import Factors
from hub_ui.generate.lora.merge_rule import MergeRule, ModuleChange
from hub_ui.generate.lora.patch import LowRankPatch, WeightPatch


def test_merging_pays_with_more_steps_and_in_layers_that_are_not_wide_at_both_ends() -> None:
    deep, shallow = (1280, 1280, 3, 3), (320, 320)
    assert [is_merged(lora(deep, 16), steps) for steps in (2, 30, None)] == [False, True, True]
    assert [is_merged(lora(shallow, 16), steps) for steps in (2, 30, None)] == [True, True, True]


def is_merged(change: ModuleChange, steps: int | None) -> bool:
    return bool(MergeRule(steps=steps).choose({}, {("unet", "a"): change}))


def lora(shape: tuple[int, ...], rank: int) -> ModuleChange:
    """In half precision."""
    down, up = torch.empty(rank, *shape[1:], device="meta"), torch.empty(shape[0], rank, device="meta")
    return ModuleChange(shape=shape, itemsize=2, patches=[LowRankPatch(down=down, up=up)])


def change(side: int) -> ModuleChange:
    return lora((side, side), 4)


def test_a_lokr_of_unequal_factors_is_merged_sooner_than_one_of_equal_ones() -> None:
    def lokr(first: int) -> ModuleChange:
        parts: dict[Part, torch.Tensor] = {
            "lokr_w1": torch.empty(first, first, device="meta"),
            "lokr_w2": torch.empty(1024 // first, 1024 // first, device="meta"),
        }
        patch = WeightPatch(algorithm="lokr", factors=Factors(parts=parts, keys={}))
        return ModuleChange(shape=(1024, 1024), itemsize=2, patches=[patch])

    assert [is_merged(lokr(first), 1) for first in (2, 32)] == [True, False]


def test_what_takes_more_memory_than_the_budget_is_not_merged_for_speed() -> None:
    small, large = ("unet", "small"), ("unet", "large")
    rule = MergeRule(steps=None)
    assert rule.choose({}, {small: change(1000), large: change(10_000)}) == {small, large}
    assert rule.choose({}, {small: change(1000), large: change(100_000)}) == set()
    assert rule.choose({large: change(100_000)}, {small: change(1000)}) == set()
