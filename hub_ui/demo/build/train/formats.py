"""Saves LoRA files with the key names and metadata of kohya's scripts or diffusers."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from hub_ui.demo.build.train.lora import LAYERS
from hub_ui.demo.build.train.recipes import Recipe

BASE_NAME = "tiny-shapes"


def save_lora(path: Path, weights: dict[str, Tensor], recipe: Recipe, version: str) -> None:
    """Half precision, in the naming that the recipe asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {name: weight.half().contiguous() for name, weight in _plain_names(weights).items()}
    if recipe.form == "kohya":
        save_file(kohya_names(halved, recipe.rank), path, _kohya_metadata(recipe, version))
    else:
        save_file(halved, path, _diffusers_metadata(recipe, version))


def kohya_names(weights: dict[str, Tensor], rank: int) -> dict[str, Tensor]:
    """`unet.a.b.lora_A.weight` to `lora_unet_a_b.lora_down.weight`, with an alpha beside each pair."""
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        layer, side = name.rsplit(".lora_", 1)
        stem = f"lora_{layer.replace('.', '_')}"
        renamed[f"{stem}.lora_{'down' if side.startswith('A') else 'up'}.weight"] = weight
        renamed[f"{stem}.alpha"] = torch.tensor(float(rank), dtype=torch.float16)
    return renamed


def _plain_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as diffusers writes them, without the adapter's name."""
    return {name.replace(".default.", "."): weight for name, weight in weights.items()}


def _shared_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{BASE_NAME}/lora",
        "modelspec.title": f"{recipe.title} {version}",
        "modelspec.description": recipe.description,
        "modelspec.trigger_phrase": ", ".join(recipe.triggers),
    }


def _kohya_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    return {
        **_shared_metadata(recipe, version),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(recipe.rank),
        "ss_network_alpha": str(float(recipe.rank)),
        "ss_output_name": recipe.name,
        "ss_base_model_version": BASE_NAME,
    }


def _diffusers_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    parts = {"unet.r": recipe.rank, "unet.lora_alpha": recipe.rank, "unet.target_modules": LAYERS}
    return {
        **_shared_metadata(recipe, version),
        "format": "pt",
        "ss_base_model_version": BASE_NAME,
        "ss_output_name": recipe.name,
        "lora_adapter_metadata": json.dumps(parts, sort_keys=True),
    }
