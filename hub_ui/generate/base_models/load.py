"""A base model from files on this disk to a pipeline in memory. Only safetensors are loaded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from connectors.errors import NoBase
from hub_ui.generate import memory
from hub_ui.generate.base_models import repo_layout
from hub_ui.generate.base_models.download import Fetched
from hub_ui.generate.base_models.spec import PipelineSpec
from hub_ui.generate.memory import Device, place

_NETWORKS = ("unet", "transformer")


def load_single_file(
    kind: Any, choice: PipelineSpec, folder: Path, file: Path, parts: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """`folder` has everything but the weights that `file` brings, `parts` are loaded already."""
    index = repo_layout.read_index(folder)
    brings = choice.checkpoint.brings if choice.checkpoint else frozenset[str]()
    if index is None:
        raise NoBase(f"{folder} holds no model_index.json. Choose another base.")
    if brings.isdisjoint(_NETWORKS):
        raise NoBase(f"{file.name} has no network to draw with. Choose another checkpoint.")
    rest = {
        name: _part(part, folder, name, choice, options)
        for name, part in index.parts.items()
        if part.has_weights and name not in brings and name not in parts
    }
    if brings <= set(_NETWORKS):
        return _with_network(kind, choice, folder, file, {**rest, **parts}, options)
    if not hasattr(kind, "from_single_file"):
        raise NoBase(
            f"diffusers can't read {file.name} as a whole checkpoint. Choose a base in diffusers' layout, or a file "
            "that holds the diffusion model alone."
        )
    return kind.from_single_file(str(file), config=str(folder), **rest, **parts, **options, **_left_out(kind))


def _with_network(
    kind: Any, choice: PipelineSpec, folder: Path, file: Path, parts: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """The diffusion model from the file, all else from the folder."""
    name = next(iter(choice.checkpoint.brings)) if choice.checkpoint else "transformer"
    index = repo_layout.read_index(folder)
    part = index.parts.get(name) if index else None
    network = _class(part) if part else None
    if network is None or not hasattr(network, "from_single_file"):
        raise NoBase(f"diffusers can't read {file.name} as a {name}. Choose a base in diffusers' layout.")
    made = network.from_single_file(str(file), config=str(folder), subfolder=name, **options)
    return kind.from_pretrained(str(folder), **{name: made}, **parts, **options, **_left_out(kind))


def _part(part: repo_layout.Part, folder: Path, name: str, choice: PipelineSpec, options: Mapping[str, Any]) -> Any:
    variant = repo_layout.variant_of(
        {name: [path.name for path in (folder / name).glob("*.safetensors")]}, choice.dtype
    )
    more: dict[str, Any] = {"variant": variant} if variant else {}
    more |= {_dtype_name(part, key): value for key, value in options.items() if key.endswith("dtype")}
    return _class(part).from_pretrained(str(folder / name), local_files_only=True, use_safetensors=True, **more)


def _dtype_name(part: repo_layout.Part, ours: str) -> str:
    """transformers renamed it before diffusers did."""
    return "dtype" if part.library == "transformers" else ours


def _class(part: repo_layout.Part) -> Any:
    import diffusers
    import transformers

    return getattr({"diffusers": diffusers, "transformers": transformers}.get(part.library, diffusers), part.kind)


def _left_out(kind: Any) -> dict[str, Any]:
    """The safety checker is not fetched; diffusers asks for a word that this is meant."""
    asks = kind.__name__ == "StableDiffusionPipeline"
    return {"requires_safety_checker": False, "safety_checker": None} if asks else {}


# What diffusers, transformers and torch raise for files that are missing, cut off, or another model's.
FAILURES = (
    OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, ImportError, MemoryError, SafetensorError,
)  # fmt: skip
# Pipelines that take a control picture beside the noise, made of the same parts.
_CONTROL = {"FluxPipeline": "FluxControlPipeline", "CogView4Pipeline": "CogView4ControlPipeline"}


def load_pipeline(choice: PipelineSpec, fetched: Fetched | Path, device: Device, control: bool = False) -> Any:
    """The base in memory and in place. Raises NoBase when diffusers can't make a pipeline of the files.

    `control`: a pipeline that is steered by a picture, for control LoRAs.
    """
    here = fetched if isinstance(fetched, Fetched) else _at(fetched, choice)
    diffusers = _quiet_diffusers()
    kind = _component_class(diffusers, choice, control)
    _check(choice, here)
    try:
        pipe = _made(kind, choice, here, device)
        _schedule(diffusers, pipe, choice)
        pipe.set_progress_bar_config(disable=True)
        place(pipe, device, choice)
    except FAILURES as error:
        if memory.out_of_memory(error):
            raise memory.too_heavy(choice, device) from error
        raise NoBase(f"{choice.label} can't be loaded from its files ({_reason(error)}). {_next(here)}") from error
    return pipe


def _at(folder: Path, choice: PipelineSpec) -> Fetched:
    """Everything in one folder, and the checkpoint, if there is one, on this disk."""
    checkpoint = choice.checkpoint
    own = checkpoint is not None and checkpoint.repo is None
    return Fetched(folder=folder, checkpoint=Path(checkpoint.file) if checkpoint and own else None)


def _component_class(diffusers: Any, choice: PipelineSpec, control: bool) -> Any:
    name = choice.pipeline
    if control and name not in _CONTROL:
        raise NoBase(
            f"{choice.label} has no input for a control picture here. Choose a base that does, for example flux.1-dev."
        )
    kind = getattr(diffusers, _CONTROL[name] if control else name, None)
    if kind is None:
        raise NoBase(f"{choice.label} needs a newer diffusers ({name}). Update it: pip install -U diffusers")
    return kind


def _check(choice: PipelineSpec, here: Fetched) -> None:
    """What is missing is told by its name rather than by what diffusers stumbles over."""
    index = repo_layout.read_index(here.folder)
    if index is None:
        raise NoBase(f"{here.folder} holds no model_index.json, so it is no base for diffusers. Choose another base.")
    brought = choice.checkpoint.brings if choice.checkpoint else frozenset[str]()
    gone = [name for name in repo_layout.missing(here.folder, index, brought) if name not in here.parts]
    if gone:
        parts = ", ".join(name.replace("_", " ") for name in gone)
        raise NoBase(f"{choice.label} is not whole: its {parts} can't be found. {_next(here)}")


def _made(kind: Any, choice: PipelineSpec, here: Fetched, device: Device) -> Any:
    import torch

    dtype = getattr(torch, device.dtype)
    options: dict[str, Any] = {_dtype_option(): dtype, "local_files_only": True}
    if choice.modular:
        return _modular(kind, choice, here, options)
    parts = {name: _load_component(choice, name, folder, options) for name, folder in here.parts.items()}
    if here.checkpoint is not None and choice.checkpoint is not None:
        return load_single_file(kind, choice, here.folder, here.checkpoint, parts, options)
    return kind.from_pretrained(str(here.folder), **parts, **options, **layout_options(kind, choice, here.folder))


def _modular(kind: Any, choice: PipelineSpec, here: Fetched, options: Mapping[str, Any]) -> Any:
    """diffusers reads the index first, and the parts, wherever they lie, in a second step. It logs what fails there."""
    pipe = kind.from_pretrained(str(here.folder), local_files_only=True)
    where = {name: str(here.parts.get(name, here.folder)) for name in pipe.pretrained_component_names}
    under = {name: "" if name in here.parts else name for name in where}
    variant = repo_layout.variant_in(here.folder, choice.dtype)
    pipe.load_components(
        names=list(where),
        pretrained_model_name_or_path=where,
        subfolder=under,
        revision=dict.fromkeys(where),
        **options,
        **({"variant": variant} if variant else {}),
    )
    lacking = [name for name in where if getattr(pipe, name, None) is None]
    if lacking:
        raise NoBase(f"{choice.label} can't be loaded: its {', '.join(lacking)} can't be read. {_next(here)}")
    return pipe


def _load_component(choice: PipelineSpec, name: str, folder: Path, options: Mapping[str, Any]) -> Any:
    """A part that lies in a folder of its own."""
    import transformers

    kind = next(borrowed.kind for borrowed in choice.borrowed if borrowed.part == name)
    if not repo_layout.Part(library="transformers", kind=kind).has_weights:
        return getattr(transformers, kind).from_pretrained(str(folder), local_files_only=True)
    return getattr(transformers, kind).from_pretrained(
        str(folder), dtype=options[_dtype_option()], local_files_only=True, use_safetensors=True
    )


def layout_options(kind: Any, choice: PipelineSpec, folder: Path) -> dict[str, Any]:
    """What from_pretrained has to know of a folder that was fetched in part."""
    options: dict[str, Any] = {"use_safetensors": True}
    variant = repo_layout.variant_in(folder, choice.dtype)
    if variant:
        options["variant"] = variant
    takes = inspect.signature(kind.__init__).parameters
    # Parts that were not fetched are named in the index all the same; None keeps diffusers from looking for them.
    options |= {name: None for name in repo_layout.LEFT_OUT if name in takes}
    if "requires_safety_checker" in takes:
        options["requires_safety_checker"] = False
    return options


def _schedule(diffusers: Any, pipe: Any, choice: PipelineSpec) -> None:
    """Our own scheduler in place of the repo's, with its settings where the table says nothing else."""
    if choice.scheduler is None:
        return
    kind = getattr(diffusers, choice.scheduler)
    config = {**pipe.scheduler.config, **choice.scheduler_options}
    known = inspect.signature(kind.__init__).parameters
    pipe.scheduler = kind(**{name: value for name, value in config.items() if name in known})


def _quiet_diffusers() -> Any:
    """Progress bars on stderr and advice for programmers would end up between the lines of our own commands."""
    from transformers.utils import logging

    of_transformers: Any = logging  # untyped
    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    import diffusers
    from diffusers.utils import logging as of_diffusers

    of_diffusers.disable_progress_bar()
    of_diffusers.set_verbosity_error()
    return diffusers


def _dtype_option() -> str:
    """`torch_dtype` was renamed, and warns since."""
    import diffusers

    major, minor = diffusers.__version__.split(".")[:2]
    return "dtype" if (int(major), int(minor)) >= (0, 42) else "torch_dtype"


def _next(here: Fetched) -> str:
    """Files in Hugging Face's cache count as fetched, whatever became of them."""
    if here.revision is None:
        return "Choose another base."
    return f"Delete {here.folder.parents[1]} to have it fetched again, or choose another base."


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
