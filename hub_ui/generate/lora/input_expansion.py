"""The input layer of a network made wider for a control LoRA, and the old one put back.

A control LoRA for FLUX gives `x_embedder` 128 inputs in place of 64: the picture to steer by stands beside the noise.
The new inputs have no weight in the base, so that the network alone gives what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.generate.lora.cache import Place
from hub_ui.generate.lora.modules import ParamHandle, slots_of

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class ExpandedInput:
    """One module, which stays the same object so that offloading follows, and the weight that it had before.

    `config` is the network's, None where it was left alone.
    """

    network: Any
    slot: ParamHandle
    own: Tensor
    config: Any

    def restore(self) -> None:
        layer: Any = self.slot.module
        self.slot.put(self.own)
        layer.in_features = self.own.shape[1]
        if self.config is not None:
            self.network._internal_dict = self.config


def widen(parts: Mapping[str, nn.Module], at: Place, inputs: int) -> ExpandedInput:
    network: Any = parts[at[0]]
    slot = slots_of(network, at[1])["weight"]
    layer: Any = slot.module
    own = slot.read()
    slot.put(_wider(own, inputs))
    layer.in_features = inputs
    config = getattr(network, "config", None)
    counted = getattr(config, "in_channels", None) == own.shape[1]
    if counted:
        # The pipeline looks there to see how many channels of the noise are the picture's.
        network.register_to_config(in_channels=inputs)
    return ExpandedInput(network=network, slot=slot, own=own, config=config if counted else None)


def _wider(weight: Tensor, inputs: int) -> Tensor:
    import torch

    with torch.inference_mode(False), torch.no_grad():
        return torch.cat([weight, weight.new_zeros(weight.shape[0], inputs - weight.shape[1])], 1)
