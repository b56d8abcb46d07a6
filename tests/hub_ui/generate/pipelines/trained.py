"""What trainers write for the networks that are transformers: plain factors, LoKr, and differences beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.files import (
    Deltas,
    Endings,
    Spelled,
    low_rank,
    put,
    same,
    together,
    varied,
    weights,
)
from tests.hub_ui.generate.pipelines.files import with_metadata as described
from tests.hub_ui.generate.pipelines.frame import Base, File

Names = Mapping[str, tuple[str, ...]]
Written = Callable[[Any, int], File]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A file for a base. `loads`: diffusers reads all of it, so that what it draws is the measure."""

    base: Base
    label: str
    file: Written
    loads: bool = True

    def __str__(self) -> str:
        return f"{self.base.save.__name__.removeprefix('save_')}-{self.label}"


def as_they_are(modules: Iterable[str]) -> Names:
    return {module: (module,) for module in modules}


def spelled(
    names: Names, prefix: str, *, flat: bool = False, component: str = "transformer", swapped: bool = False
) -> list[Spelled]:
    return [
        Spelled(
            name=prefix + (name.replace(".", "_") if flat else name),
            component=component,
            modules=modules,
            swapped=swapped,
        )
        for name, modules in names.items()
    ]


def lora(layers: list[Spelled], endings: Endings) -> Written:
    """Ranks and alphas differ from layer to layer where the format can say so."""
    return lambda pipe, seed: low_rank(
        pipe, layers, endings, seed=seed, ranks=varied if endings.alpha else same(4, 2.0)
    )


def with_metadata(layers: list[Spelled], endings: Endings) -> Written:
    """As diffusers saves now: alpha stands in the header."""
    return lambda pipe, seed: described(low_rank(pipe, layers, endings, seed=seed), pipe, "transformer", 4, 2.0)


def all_of(*parts: Written) -> Written:
    def write(pipe: Any, seed: int) -> File:
        return together(*(part(pipe, seed + 100 * i) for i, part in enumerate(parts)))

    return write


def lokr(layers: list[Spelled], *, whole: bool) -> Written:
    """Kronecker products. `whole`: both factors are matrices, and alpha, absurd as LyCORIS makes it, scales nothing."""

    def write(pipe: Any, seed: int) -> File:
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, torch.Tensor] = {}
        deltas: Deltas = {}
        for layer in layers:
            rows, columns = sum(w.shape[0] for w in weights(pipe, layer)), weights(pipe, layer)[0].shape[1]
            first = torch.randn(4, 4, generator=generator) * 0.5
            left = torch.randn(rows // 4, 2, generator=generator)
            right = torch.randn(2, columns // 4, generator=generator) / (columns // 4) ** 0.5
            second, scale = left @ right, 1.0 if whole else 3.0 / 2
            tensors |= {f"{layer.name}.lokr_w1": first, f"{layer.name}.alpha": torch.tensor(1e10 if whole else 3.0)}
            tensors |= (
                {f"{layer.name}.lokr_w2": second}
                if whole
                else {f"{layer.name}.lokr_w2_a": left, f"{layer.name}.lokr_w2_b": right}
            )
            put(deltas, pipe, layer, scale * torch.kron(first, second))
        return File(tensors=tensors, deltas=deltas)

    return write


def dora(layers: list[Spelled], endings: Endings) -> Written:
    """Factors and a magnitude for each output, as PEFT writes them."""

    def write(pipe: Any, seed: int) -> File:
        file = low_rank(pipe, layers, endings, seed=seed)
        magnitudes = {
            f"{layer.name}.lora_magnitude_vector": (weights(pipe, layer)[0] + file.deltas[_of(layer)]).norm(dim=1) * 1.2
            for layer in layers
        }
        return File(tensors={**file.tensors, **magnitudes}, deltas={})

    return write


def _of(layer: Spelled) -> tuple[str, str]:
    return layer.component, f"{layer.modules[0]}.weight"


def differences(names: Mapping[str, str], prefix: str, ending: str, parameter: str) -> Written:
    """Whole differences of norms and biases, which lie beside the factors in some distilled networks' files."""

    def write(pipe: Any, seed: int) -> File:
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, torch.Tensor] = {}
        deltas: Deltas = {}
        for name, module in names.items():
            whole = f"{module}.{parameter}"
            drawn = torch.randn(pipe.transformer.get_parameter(whole).shape, generator=generator) * 0.3
            tensors[f"{prefix}{name}.{ending}"] = drawn
            deltas["transformer", whole] = drawn
        return File(tensors=tensors, deltas=deltas)

    return write
