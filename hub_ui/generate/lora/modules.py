"""The words between a file's names and a model's: layers on one side, targets on the other. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.weights.key_formats import Part
from hub_ui.generate.coverage import Missed

if TYPE_CHECKING:
    from torch import Tensor, nn


Shape = tuple[int, ...]
# Component of a pipeline ("unet", "transformer", "text_encoder_2") -> name of a parameter ("a.b.weight") -> its shape.
Model = Mapping[str, Mapping[str, Shape]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One adapted layer of a file. `name` is what its tensors' names share, `keys` their whole names by part.

    `algorithm` is lora, loha, lokr, oft, boft, ia3, glora, diff, norm or set; `dora` when there is a magnitude.
    """

    name: str
    algorithm: str
    keys: Mapping[Part, str]
    dora: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A module of the model. `rows` are the outputs of the file's layer that are the module's, one range after another.

    None means all of them, in order. A file's fused layer (q, k and v in one) has several targets, each with its own
    rows; a layer whose halves stand the other way round in the model has one target with two ranges.
    `module` is without ".weight"; a bare parameter (a table of positions) is named as it is.
    `inputs`: so many the module has to have for this layer, and has fewer. A control LoRA widens FLUX's x_embedder.
    """

    component: str
    module: str
    rows: tuple[tuple[int, int], ...] | None = None
    inputs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    layer: Layer
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a file's layers go, and the tensors that go nowhere, grouped by reason."""

    placed: tuple[Placed, ...]
    missed: tuple[Missed, ...]


# No LoRA is trained on these, and their names would be taken for those of the others.
_LEFT_OUT = (
    "vae", "audio_vae", "vqgan", "movq", "safety_checker", "image_encoder", "feature_extractor", "vocoder",
    "image_noising_scheduler",
)  # fmt: skip


def components(pipe: Any) -> dict[str, nn.Module]:
    """Name -> network, for whole pipelines and for modular ones."""
    from torch import nn

    return {
        name: part for name, part in pipe.components.items() if isinstance(part, nn.Module) and name not in _LEFT_OUT
    }


def model_of(pipe: Any) -> Model:
    return {
        name: {parameter: tuple(value.shape) for parameter, value in part.named_parameters()}
        for name, part in components(pipe).items()
    }


@dataclass(frozen=True, kw_only=True)
class ParamHandle:
    """One parameter of a module: where its values are read and put, whoever holds them.

    While accelerate or diffusers keep a module's weights elsewhere (sequential offload), the parameter itself is empty
    and the values lie in a mapping of the module's hook.
    """

    module: nn.Module
    name: str

    def read(self) -> Tensor:
        value: Tensor = getattr(self.module, self.name)
        if value.is_meta:
            elsewhere: Tensor = self._elsewhere()[self.name]
            return elsewhere
        return value.data

    def put(self, value: Tensor) -> None:
        """The parameter stays the same object; what it had is the caller's to keep."""
        parameter = getattr(self.module, self.name)
        if not parameter.is_meta:
            parameter.data = value.to(parameter.device)
            return
        values = self._elsewhere()
        # accelerate's mapping shows one module's part of a larger one, and is itself read-only.
        values.dataset[values.prefix + self.name] = value

    def _elsewhere(self) -> Any:
        hook = getattr(self.module, "_hf_hook", None)
        values = getattr(hook, "weights_map", None)
        if values is None:
            raise RuntimeError("its weights are on no device now")
        return values


def travels(part: nn.Module) -> bool:
    """Whether offloading brings it to the device only while it runs, be it whole or piece by piece."""
    return any(hasattr(module, name) for module in part.modules() for name in ("_hf_hook", "_diffusers_hook"))


def slots_of(part: nn.Module, name: str) -> Mapping[str, ParamHandle]:
    """The "weight" and "bias" of the module of this name, or the bare parameter of this name as "weight"."""
    try:
        module = part.get_submodule(name)
    except AttributeError:
        module = None
    if module is not None and getattr(module, "weight", None) is not None:
        return {
            key: ParamHandle(module=module, name=key)
            for key in ("weight", "bias")
            if getattr(module, key, None) is not None
        }
    owner, _, last = name.rpartition(".")
    holder = part.get_submodule(owner)
    if last not in dict(holder.named_parameters(recurse=False)):
        raise AttributeError(name)
    return {"weight": ParamHandle(module=holder, name=last)}
