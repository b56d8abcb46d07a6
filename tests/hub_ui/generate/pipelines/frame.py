"""How a tiny pipeline is made, drawn with, and given LoRAs: by diffusers alone, and by hand.

A base is drawn to latents: unlike a picture they are not cut off at black and white, so that nothing hides there.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file

PROMPT = "a red cat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """`pipeline` is the name of the class within diffusers, and `parts` makes its components.

    `call` is what one picture takes besides seed and steps. `attributes` are set on the pipeline once it is loaded:
    what no argument of a call can make small. `given` are components that are not in the folder.
    """

    name: str
    architecture: str
    pipeline: str
    parts: Callable[[], Mapping[str, Any]]
    call: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def save(self, folder: Path) -> Path:
        """In diffusers' layout, every network with new random weights."""
        with warnings.catch_warnings(action="ignore"):  # Kolors uses torch.jit, Chroma what diffusers deprecates
            kind, parts = attrgetter(self.pipeline)(diffusers), self.parts()
            modular = issubclass(kind, diffusers.ModularPipeline)
            pipe = kind(blocks=blocks(kind)) if modular else kind(**parts)
        if modular:
            pipe.update_components(**parts)
        for seed, (_, part) in enumerate(sorted(pipe.components.items())):
            if isinstance(part, torch.nn.Module):
                randomise(part, seed)
        pipe.save_pretrained(str(folder), **({"overwrite_modular_index": True} if modular else {}))
        return folder


def build(name: str, **fields: Any) -> Any:
    """Of diffusers, by its name there. The annotations of most classes leave out what they take."""
    return attrgetter(name)(diffusers)(**fields)


def flow(**fields: Any) -> Any:
    """The scheduler of most newer networks."""
    return build("FlowMatchEulerDiscreteScheduler", **fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A LoRA as a trainer writes it, and the truth about it.

    `deltas` has what each of the model's parameters gains at weight 1: (component, "a.b.weight") -> tensor.
    """

    tensors: Mapping[str, torch.Tensor]
    deltas: Mapping[tuple[str, str], torch.Tensor]
    metadata: Mapping[str, str] | None = None

    def save(self, path: Path) -> Path:
        tensors = {name: tensor.contiguous().clone() for name, tensor in self.tensors.items()}
        save_file(tensors, path, metadata=dict(self.metadata) if self.metadata else None)
        return path


def randomise(module: torch.nn.Module, seed: int) -> Any:
    """Every parameter drawn anew, none zero: many networks start with a last layer of zeros and would draw nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() >= 2:
                parameter.copy_(noise / math.sqrt(math.prod(parameter.shape[1:])))
            else:
                parameter.copy_(noise * 0.1 + (0.0 if name.endswith("bias") else 1.0))
    return module.eval()


def load(base: Base, folder: Path) -> Any:
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # Chroma uses what diffusers deprecates
        kind = attrgetter(base.pipeline)(diffusers)
        if issubclass(kind, diffusers.ModularPipeline):
            pipe = kind(blocks=blocks(kind), pretrained_model_name_or_path=str(folder))
            pipe.load_components()
        else:
            pipe = kind.from_pretrained(str(folder), **base.given)
    pipe.set_progress_bar_config(disable=True)
    for name, value in base.attributes.items():
        setattr(pipe, name, value)
    return pipe


def blocks(kind: Any) -> Any:
    """Those of a modular pipeline, without the one that writes another prompt."""
    made = getattr(diffusers, kind.default_blocks_name)()
    made.sub_blocks.pop("prompt_upsampler", None)
    return made


def draw(pipe: Any, base: Base, **changes: Any) -> torch.Tensor:
    call: dict[str, Any] = {"prompt": PROMPT, "num_inference_steps": 2, "output_type": "latent"}
    call |= {"generator": torch.Generator().manual_seed(0), **base.call, **changes}
    modular = hasattr(pipe, "load_components")  # it is told by `output` what to give back
    made = pipe(**call) if modular else pipe(**call, return_dict=False)[0]
    latents = made if isinstance(made, torch.Tensor) else torch.stack(list(made))
    assert torch.isfinite(latents).all()
    return latents.detach().clone()


def plain(pipe: Any, base: Base, paths: Sequence[Path], weights: Sequence[Sequence[float]]) -> list[torch.Tensor]:
    """What diffusers itself draws: `load_lora_weights`, `set_adapters`, one call for each entry of `weights`.

    An entry with fewer weights than there are files draws with the first files only, and comes before longer ones.
    """
    names: list[str] = []
    made = []
    try:
        for row in weights:
            for path in paths[len(names) : len(row)]:
                names.append(f"lora_{len(names)}")
                with warnings.catch_warnings(action="ignore"):  # PEFT warns of every second adapter
                    pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name=names[-1])
            pipe.set_adapters(names, list(row))
            made.append(draw(pipe, base))
        return made
    finally:
        pipe.unload_lora_weights()


@contextmanager
def merged(pipe: Any, files: Sequence[File], weights: Sequence[float]) -> Iterator[Any]:
    """The pipeline with the files' deltas added to its parameters by hand, and taken out again after."""
    kept: dict[tuple[str, str], torch.Tensor] = {}
    with torch.no_grad():
        for file, weight in zip(files, weights, strict=True):
            for where, delta in file.deltas.items():
                parameter = getattr(pipe, where[0]).get_parameter(where[1])
                kept.setdefault(where, parameter.detach().clone())
                parameter.add_(weight * delta.reshape(parameter.shape))
    try:
        yield pipe
    finally:
        for (component, name), before in kept.items():
            getattr(pipe, component).get_parameter(name).data.copy_(before)


def by_hand(pipe: Any, base: Base, files: Sequence[File], weights: Sequence[Sequence[float]]) -> list[torch.Tensor]:
    """What the files mean, from their builders' own arithmetic and not from any loader."""
    made = []
    for row in weights:
        with merged(pipe, files, row):
            made.append(draw(pipe, base))
    return made
