"""What is refused before it is put on a module: files hold anything."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hub_ui.generate.lora.modules import Layer, Target, param_handles
from hub_ui.generate.lora.patch import LowRankPatch, Module, Patch, Unfit, patches
from hub_ui.generate.lora.scale import Scales


def made(module: nn.Module, algorithm: str = "lora", name: str = "it", **parts: torch.Tensor) -> list[Patch]:
    """Of a file with these parts, for a module of this kind within a model."""
    layer = Layer(name="x", algorithm=algorithm, keys={part: part for part in parts})  # type: ignore[misc]
    params = param_handles(nn.ModuleDict({"it": module}), name)
    whole = Module(shape=tuple(params["weight"].read().shape), params=params)
    return patches(layer, Target(component="unet", module=name), whole, parts, Scales())


@pytest.mark.parametrize("alpha", [{}, {"alpha": torch.tensor(4.0)}])
def test_a_layer_of_rank_nought_is_refused(alpha: Any) -> None:
    with pytest.raises(Unfit, match="without any numbers"):
        made(nn.Linear(6, 4), down=torch.zeros(0, 6), up=torch.zeros(4, 0), **alpha)


@pytest.mark.parametrize("algorithm", ["oft", "boft"])
def test_a_rotation_of_no_blocks_is_refused(algorithm: str) -> None:
    with pytest.raises(Unfit, match="without any numbers"):
        made(nn.Linear(4, 4), algorithm, oft=torch.zeros(0, 1, 4, 4))


def test_whole_numbers_are_refused_because_their_scale_is_unknown() -> None:
    numbers = torch.ones(2, 6, dtype=torch.int8)
    with pytest.raises(Unfit, match="whole numbers"):
        made(nn.Linear(6, 4), down=numbers, up=torch.ones(4, 2))


def test_an_alpha_may_be_a_whole_number() -> None:
    [patch] = made(nn.Linear(6, 4), down=torch.ones(2, 6), up=torch.ones(4, 2), alpha=torch.tensor(8))
    assert isinstance(patch, LowRankPatch)
    assert patch.scale == 4.0


def test_factors_with_too_few_axes_are_refused() -> None:
    with pytest.raises(Unfit, match="other sizes"):
        made(nn.Linear(6, 4), down=torch.ones(2, 6), up=torch.ones(4))


def test_a_bias_is_added_to_what_a_module_without_one_gives() -> None:
    for module in (nn.Linear(6, 4, bias=False), nn.RMSNorm(4)):
        [patch] = made(module, "diff", diff_b=torch.ones(4))
        assert isinstance(patch, LowRankPatch)


def test_what_gives_other_numbers_than_its_rows_takes_no_bias() -> None:
    with pytest.raises(Unfit, match="biases"):
        made(nn.Embedding(6, 4), "diff", diff_b=torch.ones(6))
    holder = nn.Module()
    holder.table = nn.Parameter(torch.zeros(6))
    with pytest.raises(Unfit, match="biases"):
        made(holder, "diff", name="it.table", diff_b=torch.ones(6))
