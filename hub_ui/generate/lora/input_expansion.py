"""The wider input layer that a control LoRA needs, and the old one afterwards.

A control LoRA for FLUX gives `x_embedder` 128 inputs in place of 64: the control image is put beside the noise. The new
inputs have the weight 0, so that the network alone behaves as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.generate.lora.modules import ModuleKey, ParamHandle, param_handles

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ExpandedInput:
    """A module with more inputs than its own; it stays the same object, so that offloading follows.

    `weight` is its own one. `config` is the network's before it was changed, None where it was not.
    """

    network: Any
    param: ParamHandle
    weight: Tensor
    config: Any

    def restore(self) -> None:
        layer: Any = self.param.module
        self.param.write(self.weight)
        layer.in_features = self.weight.shape[1]
        if self.config is not None:
            self.network._internal_dict = self.config


def expand_input(parts: Mapping[str, nn.Module], at: ModuleKey, inputs: int) -> ExpandedInput:
    import torch

    network: Any = parts[at[0]]
    param = param_handles(network, at[1])["weight"]
    layer: Any = param.module
    weight = param.read()
    with torch.inference_mode(False), torch.no_grad():
        param.write(torch.cat([weight, weight.new_zeros(weight.shape[0], inputs - weight.shape[1])], 1))
    layer.in_features = inputs
    config = getattr(network, "config", None)
    if getattr(config, "in_channels", None) != weight.shape[1]:
        return ExpandedInput(network=network, param=param, weight=weight, config=None)
    # From this the pipeline computes how many channels the noise has.
    network.register_to_config(in_channels=inputs)
    return ExpandedInput(network=network, param=param, weight=weight, config=config)
