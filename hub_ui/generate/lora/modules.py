"""The layers of a file and the modules of a model that they patch, by name and shape. Needs no torch."""

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
# Component and module.
ModuleKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer of a file. `name` is the beginning that its tensors' names share, `keys` are their full names.

    `algorithm` is lora, loha, lokr, oft, boft, ia3, glora, diff, norm or set; `dora` when there is a magnitude.
    """

    name: str
    algorithm: str
    keys: Mapping[Part, str]
    dora: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A module that a layer patches; `module` is its name without ".weight", or that of a bare parameter.

    `rows` are the outputs of the file's layer that belong to it, one range after another; None means all, in order. A
    fused layer (q, k and v in one) has several targets, each with its own rows; a layer whose halves are swapped in the
    model has one target with two ranges.
    `inputs`: the number of inputs that the module has to be expanded to. A control LoRA expands FLUX's x_embedder.
    """

    component: str
    module: str
    rows: tuple[tuple[int, int], ...] | None = None
    inputs: int | None = None

    @property
    def key(self) -> ModuleKey:
        return self.component, self.module


Targets = tuple[Target, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedLayer:
    layer: Layer
    targets: Targets


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyMapping:
    """The layers of a file with their targets, and the tensors that have none, grouped by reason."""

    layers: tuple[MappedLayer, ...]
    missed: tuple[Missed, ...]


# No LoRA is trained on these, and their layers are named like those of the others.
_NOT_PATCHED = (
    "vae", "audio_vae", "vqgan", "movq", "safety_checker", "image_encoder", "feature_extractor", "vocoder",
    "image_noising_scheduler",
)  # fmt: skip


def components(pipe: Any) -> dict[str, nn.Module]:
    """The networks by name, of whole pipelines and of modular ones."""
    from torch import nn

    return {
        name: part for name, part in pipe.components.items() if isinstance(part, nn.Module) and name not in _NOT_PATCHED
    }


def model_of(pipe: Any) -> Model:
    return {
        name: {parameter: tuple(value.shape) for parameter, value in part.named_parameters()}
        for name, part in components(pipe).items()
    }


@dataclass(frozen=True, kw_only=True)
class ParamHandle:
    """One parameter of a module. Its values can be read and written wherever they are.

    While accelerate or diffusers keep a module's weights elsewhere (sequential offload), the parameter itself is empty
    and its values are in a mapping of the module's hook.
    """

    module: nn.Module
    name: str

    def read(self) -> Tensor:
        value: Tensor = getattr(self.module, self.name)
        if value.is_meta:
            offloaded: Tensor = self._weights_map()[self.name]
            return offloaded
        return value.data

    def write(self, value: Tensor) -> None:
        """The parameter stays the same object. The caller has to keep its old values."""
        parameter = getattr(self.module, self.name)
        if not parameter.is_meta:
            parameter.data = value.to(parameter.device)
            return
        weights = self._weights_map()
        # accelerate's mapping is a read-only view of a larger one.
        weights.dataset[weights.prefix + self.name] = value

    def _weights_map(self) -> Any:
        weights = getattr(getattr(self.module, "_hf_hook", None), "weights_map", None)
        if weights is None:
            raise RuntimeError("its weights are on no device now")
        return weights


def is_offloaded(part: nn.Module) -> bool:
    """Whether it is on the device only while it runs, as a whole or piece by piece."""
    return any(hasattr(module, name) for module in part.modules() for name in ("_hf_hook", "_diffusers_hook"))


def param_handles(part: nn.Module, name: str) -> Mapping[str, ParamHandle]:
    """The "weight" and "bias" of the module of this name, or the bare parameter of this name as "weight".

    Raises AttributeError where there is neither.
    """
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
