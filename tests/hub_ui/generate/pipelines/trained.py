"""What trainers write for the networks that are transformers: plain factors, LoKr, and differences beside them."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.files import PEFT, Deltas, Endings, Spelled, low_rank, put, same, varied, weights
from tests.hub_ui.generate.pipelines.frame import File
from tests.hub_ui.generate.pipelines.rows import Make, described, file
from tests.hub_ui.generate.pipelines.spellings import Spelling

Names = Mapping[str, tuple[str, ...]]


def as_they_are(modules: Iterable[str]) -> Names:
    return {module: (module,) for module in modules}


def spelled(
    names: Names, prefix: str, *, flat: bool = False, component: str = "transformer", swapped: bool = False
) -> Spelling:
    return lambda pipe: [
        Spelled(
            name=prefix + (name.replace(".", "_") if flat else name),
            component=component,
            modules=modules,
            swapped=swapped,
        )
        for name, modules in names.items()
    ]


def lora(spelling: Spelling, endings: Endings) -> Make:
    """Ranks and alphas differ from layer to layer where the format can say so."""
    return file(spelling, endings, varied if endings.alpha else same(4, 2.0))


def with_metadata(spelling: Spelling) -> Make:
    """As diffusers saves now: alpha stands in the header."""
    return described(file(spelling, PEFT), "transformer")


def lokr(spelling: Spelling, *, whole: bool) -> Make:
    """Kronecker products. `whole`: both factors are matrices, and alpha, absurd as LyCORIS makes it, scales nothing."""

    def write(pipe: Any, seed: int) -> File:
        generator = torch.Generator().manual_seed(seed)
        tensors: dict[str, torch.Tensor] = {}
        deltas: Deltas = {}
        for layer in spelling(pipe):
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


def dora(spelling: Spelling) -> Make:
    """Factors and a magnitude for each output, as PEFT writes them."""

    def write(pipe: Any, seed: int) -> File:
        layers = spelling(pipe)
        plain = low_rank(pipe, layers, PEFT, seed=seed)
        magnitudes = {}
        for layer in layers:
            changed = weights(pipe, layer)[0] + plain.deltas[layer.component, f"{layer.modules[0]}.weight"]
            magnitudes[f"{layer.name}.lora_magnitude_vector"] = changed.norm(dim=1) * 1.2
        return File(tensors={**plain.tensors, **magnitudes}, deltas={})

    return write


def differences(names: Mapping[str, str], prefix: str, ending: str, parameter: str) -> Make:
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
