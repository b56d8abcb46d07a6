"""Each algorithm against PEFT's own layer, with the same weights in both."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from peft import BOFTConfig, IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, get_peft_model
from torch import nn

from connectors.weights.key_formats import ENDINGS, Part
from hub_ui.generate.lora.algorithms import Factors
from hub_ui.generate.lora.patch import WeightPatch

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
LOKR: dict[str, Any] = {"r": 4, "alpha": 2, "target_modules": ["layer"], "init_weights": False}
BOFT: dict[str, Any] = {"target_modules": ["layer"], "boft_block_size": 4, "init_weights": False}


class Holder(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x)
        return y


CASES = [
    ("lora", "linear", LoraConfig(**LORA)),
    ("lora", "conv", LoraConfig(**LORA)),
    ("lora", "sequence", LoraConfig(**LORA)),
    ("lora", "linear", LoraConfig(**LORA, use_dora=True)),
    ("lora", "conv", LoraConfig(**LORA, use_dora=True)),
    ("loha", "linear", LoHaConfig(**LOKR)),
    ("loha", "conv", LoHaConfig(**LOKR)),
    ("loha", "conv", LoHaConfig(**LOKR, use_effective_conv2d=True)),
    ("lokr", "linear", LoKrConfig(**LOKR)),
    ("lokr", "linear", LoKrConfig(**LOKR, decompose_both=True, decompose_factor=4)),
    ("lokr", "conv", LoKrConfig(**LOKR)),
    ("lokr", "conv", LoKrConfig(**{**LOKR, "r": 1}, use_effective_conv2d=True, decompose_factor=2)),
    ("ia3", "linear", IA3Config(target_modules=["layer"], feedforward_modules=[], init_ia3_weights=False)),
    ("ia3", "linear", IA3Config(target_modules=["layer"], feedforward_modules=["layer"], init_ia3_weights=False)),
    ("ia3", "conv", IA3Config(target_modules=["layer"], feedforward_modules=["layer"], init_ia3_weights=False)),
    ("ia3", "conv", IA3Config(target_modules=["layer"], feedforward_modules=[], init_ia3_weights=False)),
    ("oft", "linear", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, init_weights=False)),
    ("oft", "linear", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, block_share=True, init_weights=False)),
    ("oft", "conv 1x1", OFTConfig(target_modules=["layer"], oft_block_size=4, r=0, init_weights=False)),
    ("boft", "linear", BOFTConfig(**BOFT)),
    ("boft", "linear", BOFTConfig(**BOFT, boft_n_butterfly_factor=2)),
    ("boft", "conv", BOFTConfig(**BOFT, boft_n_butterfly_factor=1)),
]  # fmt: skip


def factors_of(wrapped: Any, config: Any) -> Factors:
    """What PEFT would save, by part."""
    parts: dict[Part, torch.Tensor] = {}
    keys: dict[Part, str] = {}
    for name, value in wrapped.named_parameters():
        if "base_layer" in name:
            continue
        name = name.replace(".default", "").removeprefix("base_model.model.")
        ending = "." + name.split(".", 1)[1]
        found = ENDINGS.get(ending) or ENDINGS[ending.removesuffix(".weight")]
        parts[found.part], keys[found.part] = value.data.clone(), name
    alpha = getattr(config, "lora_alpha", getattr(config, "alpha", None))
    return Factors(parts=parts, keys=keys, scale=alpha / config.r if alpha else 1.0)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("algorithm", "kind", "config"), CASES)
def test_a_layer_gives_what_it_gives_in_peft(algorithm: str, kind: str, config: Any) -> None:
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
        patch = WeightPatch(algorithm=algorithm, factors=factors_of(wrapped, config))
        gain = patch.delta(own["weight"], 1.0)
        assert gain is not None
        bias_gain = patch.bias_delta(own["bias"], own["bias"], 1.0)
        fresh: Any = MODULES[kind]()
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
        patch = WeightPatch(algorithm="lora", factors=factors_of(wrapped, config))
        wrapped.base_model.model.layer.scale_layer(weight)
        gain = patch.delta(own, weight)
        assert gain is not None
        torch.testing.assert_close(base + x @ gain.T, wrapped(x), atol=1e-5, rtol=1e-5)
        assert patch.delta(own, 0.0) is None
