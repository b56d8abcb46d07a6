"""The forms that PEFT does not have, each computed another way: as trainers do, or with whole matrices. The others
against PEFT's own layer, with the same weights in both, read as PEFT saves them.
"""

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

from hub_ui.generate.lora.algorithms import Factors, Inseparable, delta_of
from hub_ui.generate.lora.modules import Target, layers_of, size_of
from hub_ui.generate.lora.parameters import ParamHandle, param_handles
from hub_ui.generate.lora.patch import Config, Patch, patches
from tests.hub_ui.generate.pipelines.algorithms import LYCORIS


def factors(keys: dict[str, str] | None = None, **fields: Any) -> Factors:
    """Fields that are tensors are parts, the others are the Factors' own."""
    parts: Any = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor)}
    others = {name: value for name, value in fields.items() if name not in parts}
    written: Any = {name: name for name in parts} | (keys or {})
    return Factors(parts=parts, keys=written, **others)


def rotation(raw: torch.Tensor) -> torch.Tensor:
    """(1 + Q)(1 - Q)^-1 of one block."""
    skew, one = raw - raw.T, torch.eye(len(raw))
    return (one + skew) @ torch.inverse(one - skew)


def diagonal(*blocks: torch.Tensor) -> torch.Tensor:
    whole: torch.Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return whole


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [0, 1, 3], ids=["linear", "1x1", "3x3"])
@pytest.mark.parametrize("algorithm", LYCORIS)
def test_a_weight_becomes_what_its_trainer_had(algorithm: str, window: int) -> None:
    module = nn.Conv2d(8, 12, window) if window else nn.Linear(8, 12)
    weight = module.weight.data
    parts, becomes = LYCORIS[algorithm](weight, lambda *shape, size=1.0: torch.randn(shape) * size)
    tensors = {f"a{ending}": value for ending, value in parts.items()}
    [layer], missed = layers_of({name: tuple(value.shape) for name, value in tensors.items()})
    params = {name: ParamHandle(module=module, name=name) for name in ("weight", "bias")}
    [patch] = patches(layer, Target(component="unet", module="a"), tuple(weight.shape), params, tensors, {})
    assert missed == ()
    close(weight + patch.delta(weight, 1.0), becomes)  # type: ignore[operator]


def test_rescaled_oft_scales_each_output_after_turning() -> None:
    raw, weight, scale = torch.randn(3, 4, 4) * 0.3, torch.randn(12, 5), torch.rand(12, 1)
    whole = diagonal(*(rotation(block) for block in raw))
    named = Factors(parts={"oft": raw, "scale": scale}, keys={})
    close(delta_of("oft", named, weight), scale * (whole.T @ weight) - weight)


def test_a_fused_oft_is_cut_between_blocks_and_refused_within_one() -> None:
    raw, weight = torch.randn(3, 4, 4) * 0.3, torch.randn(12, 5)
    whole = delta_of("oft", factors(oft=raw), weight)
    close(delta_of("oft", factors(oft=raw, rows=((4, 12),)), weight[4:12]), whole[4:12])
    with pytest.raises(Inseparable, match="into each other"):
        delta_of("oft", factors(oft=raw, rows=((0, 6),)), weight[:6])


def test_boft_pairs_outputs_ever_further_apart() -> None:
    raw, weight = torch.randn(2, 4, 2, 2) * 0.3, torch.randn(8, 5)
    turned = weight.clone()
    # Blocks of two: neighbours first, then those two apart.
    for blocks, pairs in zip(raw, ([0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 1, 3, 4, 6, 5, 7]), strict=True):
        whole, order = diagonal(*(rotation(block) for block in blocks)), torch.eye(8)[pairs]
        turned = order.T @ whole @ order @ turned
    close(delta_of("boft", factors(oft=raw), weight), turned - weight)


def test_a_flat_up_goes_with_a_down_that_has_a_window() -> None:
    down, up = torch.randn(3, 5, 3, 3), torch.randn(7, 3)
    expected = torch.einsum("or,rikl->oikl", up, down)
    close(delta_of("lora", factors(down=down, up=up), torch.zeros(7, 5, 3, 3)), expected)


def test_rows_of_a_fused_layer_are_taken_in_the_order_asked_for() -> None:
    down, up = torch.randn(3, 5), torch.randn(8, 3)
    whole = up @ down
    found = delta_of("lora", factors(down=down, up=up, rows=((4, 8), (0, 4))), torch.zeros(8, 5))
    close(found, torch.cat([whole[4:], whole[:4]]))


def test_a_fused_dora_by_input_is_refused() -> None:
    parts = factors(down=torch.zeros(3, 5), up=torch.zeros(8, 3), magnitude=torch.ones(1, 5), rows=((0, 4),))
    with pytest.raises(Inseparable, match="measures several layers together"):
        delta_of("lora", parts, torch.ones(4, 5))


def test_dora_goes_with_lokr_too() -> None:
    first, second, weight, magnitude = torch.randn(2, 2), torch.randn(3, 4), torch.randn(6, 8), torch.rand(6, 1)
    moved = weight + torch.kron(first, second)
    expected = magnitude * moved / moved.norm(dim=1, keepdim=True) - weight
    close(delta_of("lokr", factors(lokr_w1=first, lokr_w2=second, magnitude=magnitude), weight), expected)


def test_differences_are_added_and_set_values_replace() -> None:
    weight, value = torch.randn(4, 3), torch.randn(4, 3)
    close(delta_of("diff", factors(diff=value), weight), value)
    close(weight + delta_of("set", factors(set=value), weight), value)
    close(delta_of("norm", factors(diff=value[:, 0]), weight[:, 0]), value[:, 0])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# With the shape of what goes in.
MODULES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(16, 24), (2, 5, 16)),
    "conv": (lambda: nn.Conv2d(16, 24, 3, padding=1), (2, 16, 6, 6)),
    "conv 1x1": (lambda: nn.Conv2d(16, 24, 1), (2, 16, 6, 6)),
    "sequence": (lambda: nn.Conv1d(16, 24, 3), (2, 16, 6)),
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
    wrap: Any = get_peft_model
    build, shape = MODULES[kind]
    holder, x = Holder(build()), torch.randn(shape)
    own: Mapping[str, torch.Tensor] = {name: value.clone() for name, value in holder.layer.state_dict().items()}
    wrapped = wrap(holder, config)
    wrapped.eval()
    with torch.no_grad():
        for name, value in wrapped.named_parameters():
            if "base_layer" not in name:
                value.add_(torch.randn_like(value) * 0.1)
        expected = wrapped(x)
        fresh: Any = build()
        patch = patch_of(wrapped, config, fresh)
        gain = patch.delta(own["weight"], 1.0)
        assert gain is not None
        bias_gain = patch.bias_delta(own["bias"], own["bias"], 1.0)
        bias = own["bias"] if bias_gain is None else own["bias"] + bias_gain
        fresh.load_state_dict({"weight": own["weight"] + gain, "bias": bias})
        close(fresh(x), expected)


@pytest.mark.parametrize("weight", [0.5, -0.7, 1.5])
def test_a_dora_of_peft_is_measured_anew_at_each_weight(weight: float) -> None:
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
        close(base + x @ gain.T, wrapped(x))
        assert patch.delta(own, 0.0) is None
