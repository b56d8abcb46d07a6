"""The parts of a pipeline that LoRAs change, and the names and shapes of everything in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_ui.preview.adapters.model import Model

if TYPE_CHECKING:
    from torch import Tensor, nn

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
class Slot:
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


def slots_of(part: nn.Module, name: str) -> Mapping[str, Slot]:
    """The "weight" and "bias" of the module of this name, or the bare parameter of this name as "weight"."""
    try:
        module = part.get_submodule(name)
    except AttributeError:
        module = None
    if module is not None and getattr(module, "weight", None) is not None:
        return {
            key: Slot(module=module, name=key) for key in ("weight", "bias") if getattr(module, key, None) is not None
        }
    owner, _, last = name.rpartition(".")
    holder = part.get_submodule(owner)
    if last not in dict(holder.named_parameters(recurse=False)):
        raise AttributeError(name)
    return {"weight": Slot(module=holder, name=last)}
