"""A checkpoint in one .safetensors on the parts that it leaves out.

Settings, vocabularies and missing parts are those of a repo in diffusers' layout. diffusers knows the original names
of the weights, and tells by them what goes where.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.errors import NoBase
from hub_ui.preview import layout
from hub_ui.preview.bases.base_choice import BaseChoice

_NETWORKS = ("unet", "transformer")


def pipeline(
    kind: Any, choice: BaseChoice, folder: Path, file: Path, parts: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """`folder` has everything but the weights that `file` brings, `parts` are loaded already."""
    index = layout.read_index(folder)
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
    kind: Any, choice: BaseChoice, folder: Path, file: Path, parts: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """The diffusion model from the file, all else from the folder."""
    name = next(iter(choice.checkpoint.brings)) if choice.checkpoint else "transformer"
    index = layout.read_index(folder)
    part = index.parts.get(name) if index else None
    network = _class(part) if part else None
    if network is None or not hasattr(network, "from_single_file"):
        raise NoBase(f"diffusers can't read {file.name} as a {name}. Choose a base in diffusers' layout.")
    made = network.from_single_file(str(file), config=str(folder), subfolder=name, **options)
    return kind.from_pretrained(str(folder), **{name: made}, **parts, **options, **_left_out(kind))


def _part(part: layout.Part, folder: Path, name: str, choice: BaseChoice, options: Mapping[str, Any]) -> Any:
    variant = layout.variant_of({name: [path.name for path in (folder / name).glob("*.safetensors")]}, choice.dtype)
    more: dict[str, Any] = {"variant": variant} if variant else {}
    more |= {_dtype_name(part, key): value for key, value in options.items() if key.endswith("dtype")}
    return _class(part).from_pretrained(str(folder / name), local_files_only=True, use_safetensors=True, **more)


def _dtype_name(part: layout.Part, ours: str) -> str:
    """transformers renamed it before diffusers did."""
    return "dtype" if part.library == "transformers" else ours


def _class(part: layout.Part) -> Any:
    import diffusers
    import transformers

    return getattr({"diffusers": diffusers, "transformers": transformers}.get(part.library, diffusers), part.kind)


def _left_out(kind: Any) -> dict[str, Any]:
    """The safety checker is not fetched; diffusers asks for a word that this is meant."""
    asks = kind.__name__ == "StableDiffusionPipeline"
    return {"requires_safety_checker": False, "safety_checker": None} if asks else {}
