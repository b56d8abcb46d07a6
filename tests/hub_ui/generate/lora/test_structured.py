"""What is added to outputs is what merging the same patch gives, for one weight and for rows of a batch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import diffusers.quantizers.gguf.utils as of_gguf
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from torch import nn

from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import Factors
from hub_ui.generate.lora.hooks import AdapterWeights
from hub_ui.generate.lora.parameters import ParamHandle, param_handles
from hub_ui.generate.lora.patch import WeightPatch
from hub_ui.generate.lora.structured import attach_structured, dequantise, form_of
from hub_ui.generate.memory import Device
from hub_ui.generate.offload import Placement, place
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

Made = tuple[str, Mapping[Part, tuple[int, ...]]]
LINEAR: dict[str, Made] = {
    "lokr": ("lokr", {"lokr_w1": (3, 2), "lokr_w2": (4, 4)}),
    "lokr in four factors": (
        "lokr", {"lokr_w1_a": (3, 1), "lokr_w1_b": (1, 2), "lokr_w2_a": (4, 2), "lokr_w2_b": (2, 4)},
    ),
    "loha": ("loha", {"hada_w1_a": (12, 2), "hada_w1_b": (2, 8), "hada_w2_a": (12, 1), "hada_w2_b": (1, 8)}),
    "dora": ("lora", {"down": (2, 8), "up": (12, 2), "magnitude": (12, 1)}),
    "dora of PEFT": ("lora", {"down": (2, 8), "up": (12, 2), "magnitude": (12,)}),
}  # fmt: skip
CONV: dict[str, Made] = {
    "lokr": ("lokr", {"lokr_w1": (3, 2), "lokr_w2": (4, 4, 3, 3)}),
    "loha": ("loha", {"hada_w1_a": (12, 2), "hada_w1_b": (2, 72), "hada_w2_a": (12, 2), "hada_w2_b": (2, 72)}),
    "dora": ("lora", {"down": (2, 8, 3, 3), "up": (12, 2, 1, 1), "magnitude": (12, 1, 1, 1)}),
}


def patch(made: Made, peft: bool = False, **fields: Any) -> WeightPatch:
    algorithm, shapes = made
    parts = {part: torch.randn(shape) * 0.5 for part, shape in shapes.items()}
    keys: dict[Part, str] = {"magnitude": "a.lora_magnitude_vector"} if peft else {}
    return WeightPatch(algorithm=algorithm, factors=Factors(parts=parts, keys=keys, scale=0.5, **fields))


def merged(module: Any, one: WeightPatch, weight: float, x: torch.Tensor) -> torch.Tensor:
    other = copy.deepcopy(module)
    delta = one.delta(module.weight.data, weight)
    other.weight.data += 0 if delta is None else delta
    return run(other, x)


def run(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        y: torch.Tensor = module(x)
    return y


def bias_of(module: nn.Module) -> ParamHandle | None:
    return None if module.bias is None else ParamHandle(module=module, name="bias")


def attached(module: Any, one: WeightPatch) -> AdapterWeights:
    weights = AdapterWeights()
    attach_structured(module, [(0, one)], weights, lambda module: module.weight.data.float(), bias_of(module))
    return weights


def check(module: Any, one: WeightPatch, x: torch.Tensor) -> None:
    assert form_of(one, tuple(module.weight.shape)) is not None
    wanted = {weight: merged(module, one, weight, x) for weight in (0.0, 1.0, -0.7)}
    weights = attached(module, one)
    for weight, expected in wanted.items():
        weights.set([weight])
        torch.testing.assert_close(run(module, x), expected, atol=1e-5, rtol=1e-4)
    weights.set([0.0], [[0.0], [-0.7]])
    rows = torch.stack([wanted[weight][i] for i, weight in enumerate((0.0, -0.7) * (len(x) // 2))])
    torch.testing.assert_close(run(module, x), rows, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_gains_what_merging_gives(name: str, bias: bool) -> None:
    check(nn.Linear(8, 12, bias=bias), patch(LINEAR[name], peft="PEFT" in name), torch.randn(4, 5, 8))


@pytest.mark.parametrize("name", CONV)
def test_a_convolution_gains_what_merging_gives(name: str) -> None:
    check(nn.Conv2d(8, 12, 3, padding=1, stride=2), patch(CONV[name]), torch.randn(2, 8, 6, 6))


@pytest.mark.parametrize("name", ["lokr", "loha", "dora"])
def test_a_part_of_a_fused_layer_gains_its_rows(name: str) -> None:
    check(nn.Linear(8, 5), patch(LINEAR[name], rows=((1, 3), (6, 9))), torch.randn(2, 8))


def test_what_would_take_a_matrix_as_large_is_merged_only() -> None:
    ranks = 40
    large: Made = (
        "loha",
        {"hada_w1_a": (12, ranks), "hada_w1_b": (ranks, 8), "hada_w2_a": (12, ranks), "hada_w2_b": (ranks, 8)},
    )
    assert form_of(patch(large), (12, 8)) is None
    assert form_of(patch(("oft", {"oft": (3, 4, 4)})), (12, 8)) is None


def quantised(values: torch.Tensor) -> Any:
    layer: Any = of_gguf.GGUFLinear
    module = layer(values.shape[1], values.shape[0], bias=True, compute_dtype=torch.float32)
    packed: Any = of_gguf.GGUFParameter
    kind = GGMLQuantizationType.Q8_0
    module.weight = packed(torch.from_numpy(quantize(values.numpy(), kind)), quant_type=kind)
    return module


def test_a_quantised_weight_is_read_by_running_the_layer() -> None:
    values = torch.randn(6, 64)
    module = quantised(values)
    assert (dequantise(module) - values).abs().max() < 0.02
    assert module.bias is not None


def test_reading_a_quantised_weight_takes_of_a_gpu_little_more_than_it_and_a_run_of_its_layer() -> None:
    with simulated_cuda(Card()) as cuda, torch.no_grad():
        module = quantised(torch.randn(512, 2048)).to("cuda:0")
        weight, before = 4 * 512 * 2048, cuda.cards[0].used
        dequantise(module)
    assert cuda.cards[0].peak - before < 4 * weight


@pytest.mark.parametrize("made", [("oft", {"oft": (3, 2, 2)}), ("diff", {"diff": (6, 64), "diff_b": (6,)})])
def test_a_quantised_layer_takes_any_other_patch_as_a_matrix(made: Made) -> None:
    module, x, one, weights = quantised(torch.randn(6, 64)), torch.randn(2, 3, 64), patch(made), AdapterWeights()
    plain = nn.Linear(64, 6)
    plain.weight.data, plain.bias.data = dequantise(module).detach(), module.bias.data.clone()
    bias = one.bias_delta(plain.bias.data, plain.weight.data, 0.8)
    expected = merged(plain, one, 0.8, x) + (0 if bias is None else bias)
    attach_structured(module, [(0, one)], weights, dequantise, bias_of(module))
    weights.set([0.8])
    torch.testing.assert_close(run(module, x), expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def emptied() -> Iterator[None]:
    """Memory without values has those that no result can come from."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_a_dora_of_a_layer_in_a_file_reads_its_bias_there(emptied: None) -> None:
    part, one, x = nn.Sequential(nn.Linear(8, 12)), patch(LINEAR["dora"]), torch.randn(3, 8)
    expected = merged(part[0], one, 0.7, x)
    pipe = SimpleNamespace(components={"unet": part}, to=part.to)
    place(pipe, Device(label="CPU", kind="cpu", dtype="float32"), Placement(level="disk_offload"))
    own, weights = param_handles(part, "0"), AdapterWeights()
    attach_structured(part[0], [(0, one)], weights, lambda _: own["weight"].read(), own["bias"])
    weights.set([0.7])
    torch.testing.assert_close(run(part, x), expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
