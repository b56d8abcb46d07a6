"""Each algorithm against PEFT's own layer, with the same weights in both, read as PEFT saves them."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from peft import (
    BOFTConfig,
    IA3Config,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    get_peft_model,
    get_peft_model_state_dict,
)
from torch import nn

from hub_ui.generate.lora.modules import Target, layers_of, size_of
from hub_ui.generate.lora.parameters import param_handles
from hub_ui.generate.lora.patch import Config, Patch, patches

MODULES: dict[str, Any] = {
    "linear": lambda: nn.Linear(16, 24),
    "conv": lambda: nn.Conv2d(16, 24, 3, padding=1),
    "conv 1x1": lambda: nn.Conv2d(16, 24, 1),
    "sequence": lambda: nn.Conv1d(16, 24, 3),
}
INPUTS = {
    "linear": (2, 5, 16),
    "conv": (2, 16, 6, 6),
    "conv 1x1": (2, 16, 6, 6),
    "sequence": (2, 16, 6),
}
LORA: dict[str, Any] = {"r": 4, "lora_alpha": 2, "target_modules": ["layer"], "init_lora_weights": False}
LOHA: dict[str, Any] = {"r": 4, "alpha": 2, "target_modules": ["layer"], "init_weights": False}
BOFT: dict[str, Any] = {"target_modules": ["layer"], "boft_block_size": 4, "init_weights": False}


class Holder(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x)
        return y


CASES = [
    ("linear", LoraConfig(**LORA)),
    ("conv", LoraConfig(**LORA)),
    ("sequence", LoraConfig(**LORA)),
    ("linear", LoraConfig(**LORA, use_dora=True)),
    ("conv", LoraConfig(**LORA, use_dora=True)),
    ("linear", LoHaConfig(**LOHA)),
    ("conv", LoHaConfig(**LOHA)),
    ("conv", LoHaConfig(**LOHA, use_effective_conv2d=True)),
    ("linear", LoKrConfig(**LOHA)),
    ("linear", LoKrConfig(**LOHA, decompose_both=True, decompose_factor=4)),
    ("conv", LoKrConfig(**LOHA)),
    ("conv", LoKrConfig(**{**LOHA, "r": 1}, use_effective_conv2d=True, decompose_factor=2)),
    ("linear", IA3Config(target_modules=["layer"], feedforward_modules=[], init_ia3_weights=False)),
    ("linear", IA3Config(target_modules=["layer"], feedforward_modules=["layer"], init_ia3_weights=False)),
    ("conv", IA3Config(target_modules=["layer"], feedforward_modules=["layer"], init_ia3_weights=False)),
    ("conv", IA3Config(target_modules=["layer"], feedforward_modules=[], init_ia3_weights=False)),
    ("linear", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, init_weights=False)),
    ("linear", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, block_share=True, init_weights=False)),
    ("conv 1x1", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, init_weights=False)),
    ("linear", BOFTConfig(**BOFT)),
    ("linear", BOFTConfig(**BOFT, boft_n_butterfly_factor=2)),
    ("conv", BOFTConfig(**BOFT)),
]  # fmt: skip


def patch_of(wrapped: Any, config: Any, module: nn.Module) -> Patch:
    """Of the file that PEFT would save, for such a module."""
    tensors = {name: value.detach().clone() for name, value in get_peft_model_state_dict(wrapped).items()}
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    [layer], missed = layers_of(shapes)
    size, params = size_of(layer, shapes), param_handles(nn.ModuleDict({"layer": module}), "layer")
    own = tuple(params["weight"].read().shape)
    assert (missed, size is not None and size.fits(own)) == ((), True)
    alpha = getattr(config, "lora_alpha", getattr(config, "alpha", None))
    configs = {} if alpha is None else {"": Config(alpha=alpha, rank=config.r)}
    [patch] = patches(layer, Target(component="unet", module="layer"), own, params, tensors, configs)
    return patch


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "config"), CASES)
def test_a_layer_gives_what_it_gives_in_peft(kind: str, config: Any) -> None:
    torch.manual_seed(3)
    wrap: Any = get_peft_model
    holder, x = Holder(MODULES[kind]()), torch.randn(INPUTS[kind])
    own: Mapping[str, torch.Tensor] = {name: value.clone() for name, value in holder.layer.state_dict().items()}
    wrapped = wrap(holder, config)
    wrapped.eval()
    with torch.no_grad():
        for name, value in wrapped.named_parameters():
            if "base_layer" not in name:
                value.add_(torch.randn_like(value) * 0.1)
        expected = wrapped(x)
        fresh: Any = MODULES[kind]()
        patch = patch_of(wrapped, config, fresh)
        gain = patch.delta(own["weight"], 1.0)
        assert gain is not None
        bias_gain = patch.bias_delta(own["bias"], own["bias"], 1.0)
        bias = own["bias"] if bias_gain is None else own["bias"] + bias_gain
        fresh.load_state_dict({"weight": own["weight"] + gain, "bias": bias})
        torch.testing.assert_close(fresh(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weight", [0.5, -0.7, 1.5])
def test_a_dora_of_peft_is_measured_anew_at_each_weight(weight: float) -> None:
    torch.manual_seed(3)
    wrap: Any = get_peft_model
    holder, x, config = Holder(nn.Linear(16, 24)), torch.randn(2, 16), LoraConfig(**LORA, use_dora=True)
    own = holder.layer.weight.data.clone()  # type: ignore[operator]
    wrapped = wrap(holder, config)
    with torch.no_grad():
        base = wrapped.base_model.model.layer.base_layer(x)
        patch = patch_of(wrapped, config, nn.Linear(16, 24))
        wrapped.base_model.model.layer.scale_layer(weight)
        gain = patch.delta(own, weight)
        assert gain is not None
        torch.testing.assert_close(base + x @ gain.T, wrapped(x), atol=1e-5, rtol=1e-5)
        assert patch.delta(own, 0.0) is None
