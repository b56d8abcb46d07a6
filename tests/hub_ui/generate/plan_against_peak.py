"""`python -m tests.hub_ui.generate.plan_against_peak [BASE ...]`: the plan's bytes beside those of a simulated GPU.

It prints the table of docs/memory.md: pipelines of published size without weights, at each level.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from diffusers.quantizers.gguf.utils import GGML_QUANT_SIZES, GGUFLinear, GGUFParameter
from gguf import GGMLQuantizationType
from sdnq import sdnq_post_load_quant  # type: ignore[import-untyped]
from torch import nn

from connectors.weights.key_formats import Part
from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.load import store_network, store_text_encoder
from hub_ui.generate.base_models.table import NETWORKS
from hub_ui.generate.lora.algorithms import LOW_RANK, Factors
from hub_ui.generate.lora.load import LoraCache, LoraPatches, identity
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.lora.modules import ModuleKey
from hub_ui.generate.lora.parameters import ParamHandle
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.memory.device import LEVEL_NAMES, LEVELS, Device, OffloadLevel
from hub_ui.generate.memory.offload import Placement, place
from hub_ui.generate.memory.plan import footprint, peak_memory
from hub_ui.generate.result import Coverage
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.real_pipelines import REAL, build, draw, parts_of, spec_of
from tests.hub_ui.generate.real_size import without_values
from tests.hub_ui.generate.simulated_cuda import Card

GIGABYTE = 1_000_000_000
RANKS = (0, 16, 128)
# What each base is in, in fewer bits.
QUANTISED = {
    "sdxl-1.0": "fp8",
    "sd-3.5-large": "gguf-q8_0",
    "flux.1-dev": "gguf-q4_k_s",
    "qwen-image": "gguf-q4_k_m",
    "z-image": "fp8",
    "wan-2.1-t2v-14b": "gguf-q4_k_m",
    "ltx-2": "fp8",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A base in a precision at a level, with a LoRA of that rank for all layers of its network; 0 is none. `kind` says
    what it is. `side` is that of the image, in pixels, where it is not the base's own.
    """

    base: str
    precision: str = "full"
    level: OffloadLevel = "whole"
    rank: int = 0
    kind: Literal["lora", "loha", "dora"] = "lora"
    side: int | None = None

    @property
    def spec(self) -> PipelineSpec:
        found = spec_of(self.base).in_precision(self.precision)
        assert found is not None
        return found if self.side is None else replace(found, width=self.side, height=self.side)

    def __str__(self) -> str:
        return f"{self.base} {self.precision} {self.level} {self.rank}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """Bytes of the device."""

    case: Case
    planned: int
    simulated: int

    @property
    def ratio(self) -> float:
        return self.simulated / self.planned


def measure(cases: Iterable[Case]) -> Iterator[Peak]:
    """Each has a pipeline of its own: some networks keep tensors of the device that they ran on."""
    for case in cases:
        yield _measure(_quantised(build(case.base), case.spec), case)


def _measure(pipe: Any, case: Case) -> Peak:
    spec = case.spec
    device = Device(label="GPU", kind="cuda", dtype=str(spec.dtype))
    with without_values(Card(memory=500 * GIGABYTE)) as cuda, pytest.MonkeyPatch.context() as patch:
        # Whether memory is pinned changes nothing on the device.
        patch.setattr("hub_ui.generate.memory.offload.available_memory", lambda: 0)
        # What has no values is elsewhere otherwise.
        patch.setattr(ParamHandle, "read", lambda param: param.parameter.data)
        place(pipe, device, Placement(level=case.level))
        with _with_lora(pipe, case):
            draw(pipe, spec)
            if case.rank or case.level == "group_offload":
                # The LoRA, and layers that were prefetched, are there while the next prompt is read.
                draw(pipe, spec)
        peak = cuda.cards[0].peak
    return Peak(case=case, planned=planned_peak(case), simulated=peak)


def _layers(networks: Mapping[str, Any], case: Case) -> dict[tuple[str, str], nn.Linear]:
    """What its LoRA changes, by part and name: all layers, of which a LoHa has those that it is no whole matrix for."""
    found = {
        (name, path): module
        for name, network in networks.items()
        if name in NETWORKS and network is not None
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear)
    }
    most = case.rank**2 if case.kind == "loha" else 0
    return {at: one for at, one in found.items() if most * sum(sizes(one)) < math.prod(sizes(one))}


def sizes(layer: nn.Linear) -> tuple[int, int]:
    return layer.out_features, layer.in_features


def lora_bytes(case: Case) -> int:
    """Of its LoRA's file in 16 bits; of a LoHa, of the products that its hooks have, of a DoRA of what they keep for
    each output too (see lora/load.py).
    """
    ranks, kept = case.rank**2 if case.kind == "loha" else case.rank, 18 if case.kind == "dora" else 0
    layers = map(sizes, _layers(parts_of(case.base), case).values())
    return sum(2 * ranks * (outputs + inputs) + kept * outputs for outputs, inputs in layers)


def _patch(layer: nn.Linear, case: Case) -> Patch:
    rank, options = case.rank, {"dtype": getattr(torch, case.spec.dtype), "device": "meta"}
    up, down = torch.empty(layer.out_features, rank, **options), torch.empty(rank, layer.in_features, **options)
    parts: dict[Part, torch.Tensor] = {"hada_w1_a": up, "hada_w1_b": down, "hada_w2_a": up, "hada_w2_b": down}
    if case.kind == "lora":
        parts = {"down": down, "up": up}
    if case.kind == "dora":
        parts = {"down": down, "up": up, "magnitude": torch.empty(layer.out_features, 1, **options)}
    algorithm = {"lora": LOW_RANK, "loha": "loha", "dora": "lora"}[case.kind]
    return Patch(algorithm=algorithm, factors=Factors(parts=parts, keys={}))


@contextmanager
def _with_lora(pipe: Any, case: Case) -> Iterator[None]:
    """Hooked, as in a strip of several weights."""
    if not case.rank:
        yield
        return
    spec, layers = case.spec, _layers(pipe.components, case)
    patches: dict[ModuleKey, tuple[Patch, ...]] = {at: (_patch(layer, case),) for at, layer in layers.items()}
    coverage = Coverage(title="", applied=len(patches), total=len(patches))
    file = LoraPatches(patches=patches, inputs={}, coverage=coverage, size=0)
    cache, given = LoraCache(GIGABYTE), adapter(Path("lora.safetensors"))
    manager = AdapterManager(pipe, spec.architecture, cache, "cuda:0")
    cache[identity(given), manager._kind] = file
    manager.set_adapters([given])
    try:
        yield
    finally:
        manager.disable()


def _quantised(pipe: Any, spec: PipelineSpec) -> Any:
    precision, dtype = spec.storage, getattr(torch, spec.dtype)
    if precision.method == "full":
        return pipe
    for name, part in pipe.components.items():
        if not isinstance(part, nn.Module):
            continue
        if name.startswith("text_encoder"):
            store_text_encoder(part, dtype)
        elif name in NETWORKS and precision.method == "fp8":
            store_network(part, dtype)
        elif name in NETWORKS and precision.method == "bitsandbytes":
            _replace_layers(part, precision.id)
        elif name in NETWORKS and precision.method == "sdnq":
            sdnq_post_load_quant(part, weights_dtype=precision.id.removeprefix("sdnq-"), torch_dtype=dtype)
        elif name in NETWORKS:
            kind = precision.id.removeprefix("gguf-").upper()
            size = footprint(spec, spec.dtype).parts[name]
            _pack(part, GGMLQuantizationType[kind.removesuffix("_S").removesuffix("_M")], dtype, size)
    return pipe


def _pack(network: nn.Module, kind: Any, dtype: torch.dtype, size: int) -> None:
    """As in a GGUF file of that size: layers of whole blocks are packed, the others are in the type that is computed
    in. What the file has more than if all were in its own type is in layers of 8 bits.
    """
    weights = GGML_QUANT_SIZES[kind][0]
    layers = [
        (parent, name, layer)
        for parent in network.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.Linear) and layer.in_features % weights == 0
    ]
    plain = sum(value.nbytes for value in network.parameters()) - sum(layer.weight.nbytes for *_, layer in layers)
    more = size - plain - sum(_packed(layer, kind) for *_, layer in layers)
    for parent, name, layer in layers:
        gain = _packed(layer, GGMLQuantizationType.Q8_0) - _packed(layer, kind)
        own = GGMLQuantizationType.Q8_0 if gain <= more else kind
        more -= gain if own != kind else 0
        with torch.device("meta"):
            packed: Any = GGUFLinear(layer.in_features, layer.out_features, layer.bias is not None, dtype)
            data = torch.empty(layer.out_features, _packed(layer, own) // layer.out_features, dtype=torch.uint8)
        parameter: Any = GGUFParameter
        packed.weight, packed.bias = parameter(data, quant_type=own), layer.bias
        setattr(parent, name, packed)


class BitsAndBytes(nn.Linear):
    """A layer in nf4 or int8 that stores and allocates on a GPU what that of bitsandbytes 0.50 does, which has no
    kernels for simulated ones. What kernels need inside is left out, and inputs that int8 computes apart.
    """

    def __init__(self, like: nn.Linear, precision: str) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.bias = like.in_features, like.out_features, like.bias
        self.in_4_bits, self.compute_dtype = precision == "nf4", like.weight.dtype
        count = like.weight.numel()
        # A scale in float32 for each 64 numbers, or for each output.
        packed, scales = ((count // 2, 1), count // 64) if self.in_4_bits else (sizes(like), like.out_features)
        with torch.device("meta"):
            self.weight: Any = nn.Parameter(torch.empty(packed, dtype=torch.uint8), requires_grad=False)
            self.register_buffer("scales", torch.empty(scales))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        new: Callable[..., torch.Tensor] = self.weight.new_empty
        shape = (*x.shape[:-1], self.out_features)
        if self.in_4_bits:
            # Few rows have a kernel of their own.
            unpacked = new(sizes(self), dtype=x.dtype) if x.shape[:-1].numel() > 4 else None
            return new(shape, dtype=x.dtype) if unpacked is None else nn.functional.linear(x, unpacked)
        halves = x.to(torch.float16)
        integers, far = torch.empty_like(halves, dtype=torch.int8), halves.abs() >= 6.0
        del halves, far
        sums, outputs = new(shape, dtype=torch.int32), new(shape, dtype=torch.float16)
        outputs = outputs.to(x.dtype)
        del integers, sums
        return outputs


def _replace_layers(network: nn.Module, precision: str) -> None:
    """All linear ones, as diffusers does."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear):
                setattr(parent, name, BitsAndBytes(layer, precision))


def _packed(layer: nn.Linear, kind: Any) -> int:
    weights, size = GGML_QUANT_SIZES[kind]
    return layer.weight.numel() // weights * size


def some_cases(bases: Sequence[str] = tuple(REAL)) -> list[Case]:
    """Each base at each level in both precisions; of the LoRAs one in turn."""
    turns = [RANKS[number % len(RANKS)] for number in range(2 * len(LEVELS))]
    every = [(base, *kind) for base in bases for kind in product(("full", QUANTISED[base]), LEVELS)]
    found = [
        Case(base=base, precision=precision, level=level, rank=rank)
        for (base, precision, level), rank in zip(every, turns * len(bases), strict=True)
    ]
    return found + [case for case in MORE if case.base in bases]


MORE = (
    Case(base="sdxl-1.0", precision="nf4", rank=16),
    Case(base="sdxl-1.0", precision="int8"),
    Case(base="sdxl-1.0", precision="sdnq-uint4", rank=16),
    Case(base="flux.1-dev", precision="sdnq-uint4", level="model_offload", rank=16, kind="dora"),
    Case(base="flux.1-dev", precision="sdnq-uint4", level="group_offload"),
    Case(base="flux.1-dev", precision="sdnq-int8"),
    Case(base="wan-2.1-t2v-14b", precision="sdnq-int8", level="model_offload", rank=16),
    Case(base="flux.1-dev", precision="gguf-q4_k_s", level="model_offload", rank=16, kind="dora"),
    Case(base="flux.1-dev", precision="nf4", level="model_offload", rank=16, kind="dora"),
    Case(base="flux.1-dev", precision="int8"),
    Case(base="qwen-image", precision="nf4", level="model_offload", rank=16),
    Case(base="wan-2.1-t2v-14b", precision="int8"),
)
HEAD = "| Base model | Level | LoRA | Planned | Simulated | |\n| --- | --- | --- | --- | --- | --- |"


def label(case: Case) -> tuple[str, str, str]:
    lora = f"{'DoRA, ' if case.kind == 'dora' else ''}rank {case.rank}" if case.rank else "none"
    return case.spec.precise_label, LEVEL_NAMES[case.level], lora


def row(case: Case, planned: int, simulated: int) -> str:
    sizes = " | ".join(f"{size / GIGABYTE:.2f} GB" for size in (planned, simulated))
    return f"| {' | '.join(label(case))} | {sizes} | {simulated / planned - 1:+.1%} |"


def planned_peak(case: Case) -> int:
    loras = lora_bytes(case) if case.rank else 0
    return peak_memory(footprint(case.spec, case.spec.dtype, loras=loras), case.level)


if __name__ == "__main__":
    print(HEAD)
    for peak in measure(some_cases(sys.argv[1:] or tuple(REAL))):
        print(row(peak.case, peak.planned, peak.simulated), flush=True)
