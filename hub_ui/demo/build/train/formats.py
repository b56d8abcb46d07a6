"""Saves LoRA files with the key names and metadata of kohya's scripts or diffusers."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hub_ui.demo.build.train.pipeline import BASE_NAME
from hub_ui.demo.build.train.recipes import FACTOR, LAYERS, Form, Recipe


def save_lora(path: Path, weights: dict[str, Tensor], recipe: Recipe, version: str) -> None:
    """Half precision, in the naming that the recipe asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {saved_name(name, recipe.form): weight.half().contiguous() for name, weight in weights.items()}
    if recipe.form == "kohya":
        alpha = torch.tensor(float(recipe.rank), dtype=torch.float16)
        stems = dict.fromkeys(name.split(".", 1)[0] for name in halved)
        save_file(halved | {f"{stem}.alpha": alpha.clone() for stem in stems}, path, _kohya_metadata(recipe, version))
    else:
        save_file(halved, path, _diffusers_metadata(recipe, version))


def saved_name(name: str, form: Form) -> str:
    """Of a parameter as PEFT calls it: `unet.a.b.lora_A.default.weight` becomes `lora_unet_a_b.lora_down.weight`."""
    plain = name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")
    if form == "diffusers":
        return plain
    layer, at, part = re.split(r"\.(lora|lokr)_", plain)
    layer = re.sub("^text_encoder.", "te.text_model.", layer).replace(".", "_")
    return f"lora_{layer}.{at}_{_KOHYA_PARTS.get(part, part)}"


_KOHYA_PARTS = {"A.weight": "down.weight", "B.weight": "up.weight"}


def load_lora(path: Path, weights: dict[str, nn.Parameter]) -> None:
    """Copy into the parameters what the file has for them, in either naming."""
    saved = load_file(path)
    with torch.no_grad():
        for name, weight in weights.items():
            for key in {saved_name(name, "kohya"), saved_name(name, "diffusers")} & saved.keys():
                weight.copy_(saved[key])


def _shared_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{BASE_NAME}/lora",
        "modelspec.title": f"{recipe.title} {version}",
        "modelspec.description": recipe.description,
        "modelspec.trigger_phrase": ", ".join(recipe.triggers),
        "ss_base_model_version": BASE_NAME,
        "ss_output_name": recipe.name,
    }


def _kohya_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    arguments = json.dumps({"algo": "lokr", "factor": str(FACTOR)})
    lycoris = {"ss_network_module": "lycoris.kohya", "ss_network_args": arguments}
    return {
        **_shared_metadata(recipe, version),
        **(lycoris if recipe.network == "lokr" else {"ss_network_module": "networks.lora"}),
        "ss_network_dim": str(recipe.rank),
        "ss_network_alpha": str(float(recipe.rank)),
    }


def _diffusers_metadata(recipe: Recipe, version: str) -> dict[str, str]:
    dora = {"unet.use_dora": True} if recipe.network == "dora" else {}
    parts = {"unet.r": recipe.rank, "unet.lora_alpha": recipe.rank, "unet.target_modules": LAYERS, **dora}
    return {
        **_shared_metadata(recipe, version),
        "format": "pt",
        "lora_adapter_metadata": json.dumps(parts, sort_keys=True),
    }
