from __future__ import annotations

import torch

from hub_ui.generate.lora.merge_rule import MergeRule, ModuleChange, saves_time
from hub_ui.generate.lora.patch import LowRankPatch


def test_merging_pays_with_more_steps_and_in_layers_that_are_not_wide_at_both_ends() -> None:
    deep, shallow = (1280, 1280, 3, 3), (320, 320)
    assert [saves_time(deep, 16, steps) for steps in (2, 30, None)] == [False, True, True]
    assert [saves_time(shallow, 16, steps) for steps in (2, 30, None)] == [True, True, True]
    assert saves_time((320,), 0, 1)


def change(side: int) -> ModuleChange:
    """In half precision, with a LoRA of rank 4."""
    patch = LowRankPatch(down=torch.empty(4, side, device="meta"), up=torch.empty(side, 4, device="meta"))
    return ModuleChange(shape=(side, side), itemsize=2, patches=[patch])


def test_what_takes_more_memory_than_the_budget_is_not_merged_for_speed() -> None:
    small, large = ("unet", "small"), ("unet", "large")
    rule = MergeRule(steps=None)
    assert rule.choose({}, {small: change(1000), large: change(10_000)}) == {small, large}
    assert rule.choose({}, {small: change(1000), large: change(100_000)}) == set()
    assert rule.choose({large: change(100_000)}, {small: change(1000)}) == set()
