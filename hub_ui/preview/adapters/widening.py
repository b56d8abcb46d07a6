"""The input layer of a network made wider for a control LoRA, and the old one put back.

A control LoRA for FLUX gives `x_embedder` 128 inputs in place of 64: the picture to steer by stands beside the noise.
The new inputs have no weight in the base, so that the network alone gives what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.preview.adapters.cache import Place

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Widened:
    """What stood in the place of one module before. `config` is the network's, None where it was left alone."""

    network: Any
    owner: nn.Module
    name: str
    module: nn.Module
    config: Any

    def restore(self) -> None:
        setattr(self.owner, self.name, self.module)
        if self.config is not None:
            self.network._internal_dict = self.config


def widen(parts: Mapping[str, nn.Module], at: Place, inputs: int) -> Widened:
    component, module_name = at
    network: Any = parts[component]
    owner_name, _, name = module_name.rpartition(".")
    owner = network.get_submodule(owner_name)
    old: Any = getattr(owner, name)
    setattr(owner, name, _wider(old, inputs))
    config = getattr(network, "config", None)
    counted = getattr(config, "in_channels", None) == old.in_features
    if counted:
        # The pipeline looks there to see how many channels of the noise are the picture's.
        network.register_to_config(in_channels=inputs)
    return Widened(network=network, owner=owner, name=name, module=old, config=config if counted else None)


def _wider(old: Any, inputs: int) -> Any:
    import torch

    with torch.inference_mode(False), torch.no_grad():
        wide: Any = torch.nn.Linear(inputs, old.out_features, bias=old.bias is not None, device="meta")
        zeros = old.weight.new_zeros(old.out_features, inputs - old.in_features)
        wide.weight = torch.nn.Parameter(torch.cat([old.weight.data, zeros], 1), requires_grad=False)
        if old.bias is not None:
            wide.bias = old.bias
    return wide.train(old.training)
