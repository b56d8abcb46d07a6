"""LoRA files as trainers write them, and what they mean, by arithmetic of their own.

A spelling says what a file calls the layers of a model; endings say what it calls a layer's factors. Together they make
a file and the gain of each of the model's weights.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hub_ui.generate.lora.modules import Targets
from tests.hub_ui.generate.pipelines.frame import File

Deltas = dict[tuple[str, str], torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spelled:
    """A layer of a file, with what it patches of the model."""

    name: str
    targets: Targets


@dataclass(frozen=True, kw_only=True, slots=True)
class Endings:
    """`alpha` None: the trainer writes none, and the factors are taken as they are. `bias` is what is added after."""

    down: str
    up: str
    alpha: str | None = None
    bias: str | None = None


KOHYA = Endings(down=".lora_down.weight", up=".lora_up.weight", alpha=".alpha")
KOHYA_BARE = Endings(down=".lora_down.weight", up=".lora_up.weight")
PEFT = Endings(down=".lora_A.weight", up=".lora_B.weight")
PEFT_ALPHA = Endings(down=".lora_A.weight", up=".lora_B.weight", alpha=".alpha")
PEFT_BIAS = Endings(down=".lora_A.weight", up=".lora_B.weight", bias=".lora_B.bias")
PEFT_DEFAULT = Endings(down=".lora_A.default.weight", up=".lora_B.default.weight")
OLD = Endings(down=".lora.down.weight", up=".lora.up.weight")
OLD_TEXT = Endings(down=".lora_linear_layer.down.weight", up=".lora_linear_layer.up.weight")
PROCESSOR = Endings(down="_lora.down.weight", up="_lora.up.weight")
XLABS = Endings(down=".down.weight", up=".up.weight")

Ranks = Callable[[int], tuple[int, float]]


def same(rank: int, alpha: float) -> Ranks:
    return lambda i: (rank, alpha)


def resized(i: int) -> tuple[int, float]:
    """As a tool leaves a file that cut every layer to the rank it needs."""
    return 2 + i % 3, 2.0


def varied(i: int) -> tuple[int, float]:
    """No two neighbours alike, and alpha never the rank."""
    return 2 + i % 3, (3.0, 1.0, 8.0)[i % 3]


def low_rank(
    pipe: Any,
    layers: Iterable[Spelled],
    endings: Endings,
    *,
    seed: int = 1,
    ranks: Ranks = same(4, 2.0),  # noqa: B008 - a pure function's result
) -> File:
    """A file of plain factors. Where the endings have no alpha, nothing scales them."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    deltas: Deltas = {}
    for i, layer in enumerate(layers):
        rank, alpha = ranks(i)
        down, up = factors(weights(pipe, layer), rank, generator)
        tensors |= {layer.name + endings.down: down, layer.name + endings.up: up}
        if endings.alpha:
            tensors[layer.name + endings.alpha] = torch.tensor(alpha)
        scale = alpha / rank if endings.alpha else 1.0
        put(deltas, layer, scale * product(down, up))
        if endings.bias:
            bias = tensors[layer.name + endings.bias] = torch.randn(up.shape[0], generator=generator) * 0.1
            put(deltas, layer, bias, "bias")
    return File(tensors=tensors, deltas=deltas)


METADATA = "lora_adapter_metadata"


def with_metadata(file: File, component: str, rank: int, alpha: float, rank_stabilised: bool = False) -> File:
    """The same file as diffusers saves it now: alpha in a copy of PEFT's configuration instead of none at all."""
    config = {"r": rank, "lora_alpha": alpha, "use_rslora": rank_stabilised}
    return File(tensors=file.tensors, deltas={}, metadata=_metadata(file, component, config))


def patterned(pipe: Any, layers: Sequence[Spelled], component: str, seed: int) -> File:
    """Ranks and alphas that differ by layer, told in PEFT's patterns."""
    plain = low_rank(pipe, layers, PEFT, seed=seed, ranks=varied)
    told = {layer.targets[0].module: varied(i) for i, layer in enumerate(layers)}
    config = {
        "r": 2, "lora_alpha": 3.0, "rank_pattern": {f"^{name}": rank for name, (rank, _) in told.items() if rank != 2},
        "alpha_pattern": {f"^{name}": alpha for name, (_, alpha) in told.items() if alpha != 3.0},
    }  # fmt: skip
    return File(tensors=plain.tensors, deltas={}, metadata=_metadata(plain, component, config))


def _metadata(file: File, component: str, config: Mapping[str, Any]) -> dict[str, str]:
    targets = sorted({name.removesuffix(".weight") for part, name in file.deltas if part == component})
    whole = {"peft_type": "LORA", "target_modules": targets, "use_dora": False, "rank_pattern": {}, "alpha_pattern": {},
             "use_rslora": False, "lora_bias": False, **config}  # fmt: skip
    return {"format": "pt", METADATA: json.dumps({f"{component}.{key}": value for key, value in whole.items()})}


def together(*files: File) -> File:
    """One file of several parts: a network's and its text encoders'."""
    tensors: dict[str, torch.Tensor] = {}
    deltas: Deltas = {}
    configs: dict[str, Any] = {}
    for file in files:
        tensors |= file.tensors
        deltas |= file.deltas
        configs |= json.loads((file.metadata or {}).get(METADATA, "{}"))
    return File(tensors=tensors, deltas=deltas, metadata={METADATA: json.dumps(configs)} if configs else None)


def replacing(pipe: Any, component: str, names: Mapping[str, str], seed: int) -> File:
    """Values that take the place of the model's: name in the file -> parameter."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    deltas: Deltas = {}
    for name, parameter in names.items():
        own = getattr(pipe, component).get_parameter(parameter).detach()
        tensors[name] = 1 + 0.3 * torch.randn(own.shape, generator=generator)
        deltas[component, parameter] = tensors[name] - own
    return File(tensors=tensors, deltas=deltas)


def weights(pipe: Any, layer: Spelled) -> list[torch.Tensor]:
    return [
        getattr(pipe, target.component).get_parameter(f"{target.module}.weight").detach() for target in layer.targets
    ]


def factors(of: Sequence[torch.Tensor], rank: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A third of the weights' own size together: plainly seen, and nothing that float32 would drown in."""
    inputs, outputs = of[0].shape[1:], sum(weight.shape[0] for weight in of)
    down = torch.randn(rank, *inputs, generator=generator) / math.sqrt(math.prod(inputs)) / 3
    up = torch.randn(outputs, rank, *(1,) * (len(inputs) - 1), generator=generator) / math.sqrt(rank)
    return down, up


def product(down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])


def put(deltas: Deltas, layer: Spelled, delta: torch.Tensor, parameter: str = "weight") -> None:
    """A file's layer to the modules whose outputs it holds."""
    for target in layer.targets:
        rows = target.rows or ((0, len(delta)),)
        deltas[target.component, f"{target.module}.{parameter}"] = torch.cat(
            [delta[start:stop] for start, stop in rows]
        )
