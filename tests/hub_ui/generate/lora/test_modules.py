from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import cpu_offload  # type: ignore[import-untyped]
from diffusers import ModularPipeline, StableDiffusionPipeline
from torch import nn

from hub_ui.generate.lora.algorithms import Factors
from hub_ui.generate.lora.merge import Originals
from hub_ui.generate.lora.modules import components, model_of, param_handles
from hub_ui.generate.lora.patch import WeightPatch


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 4))
        self.layer = nn.Linear(3, 2, bias=False)


def test_the_parts_of_a_pipeline_are_those_that_loras_are_made_for(base: str) -> None:
    pipe: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None)  # type: ignore[no-untyped-call]
    assert sorted(components(pipe)) == ["text_encoder", "unet"]
    assert model_of(pipe)["unet"]["conv_in.weight"] == (32, 4, 3, 3)


def test_parts_of_a_modular_pipeline_are_found_too() -> None:
    pipe: Any = ModularPipeline.__new__(ModularPipeline)
    pipe._component_specs = {"transformer": None, "vae": None, "text_conditioner": None, "scheduler": None}
    pipe.__dict__ |= {"transformer": nn.Linear(1, 1), "vae": nn.Linear(1, 1), "text_conditioner": nn.Linear(1, 1)}
    assert sorted(components(pipe)) == ["text_conditioner", "transformer"]


def test_a_module_has_its_weight_and_its_bias_where_it_has_one() -> None:
    assert list(param_handles(Holder(), "layer")) == ["weight"]


def test_a_bare_parameter_is_found_by_its_own_name() -> None:
    holder = Holder()
    [param] = param_handles(holder, "table").values()
    param.write(torch.ones(1, 4))
    assert holder.table.tolist() == [[1, 1, 1, 1]]


def test_what_is_not_there_raises() -> None:
    with pytest.raises(AttributeError):
        param_handles(Holder(), "nothing")


def test_weights_that_accelerate_keeps_elsewhere_are_changed_and_restored_there() -> None:
    holder, kept, x = nn.Sequential(nn.Linear(3, 2)), Originals(), torch.randn(1, 3)
    own = holder(x)
    cpu_offload(holder, execution_device=torch.device("cpu"))
    patch = WeightPatch(algorithm="diff", factors=Factors(parts={"diff": torch.ones(2, 3)}, keys={}))
    kept.merge(param_handles(holder, "0"), [(patch, 1.0)])
    torch.testing.assert_close(holder(x), own + x.sum())
    kept.restore_all()
    assert torch.equal(holder(x), own)
