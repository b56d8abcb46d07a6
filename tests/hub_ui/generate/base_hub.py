"""A local Hugging Face with base models: whole ones with things that must stay there, and ones that can't be used."""

import json
import shutil
from pathlib import Path
from typing import Any

CARD = "---\nlicense: other\nlicense_name: tiny-license\n---\n# Tiny\n"
# Two gigabytes that the hub lists and nobody here will fetch.
HUGE: dict[str, Any] = {
    "rfilename": "unet/model.safetensors", "size": 2_000_000_000, "blobId": "b" * 40,
    "lfs": {"sha256": "a" * 64, "size": 2_000_000_000, "pointerSize": 135},
}  # fmt: skip
INDEX: dict[str, Any] = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}


def save_hub(folder: Path, base: Path, **more: dict[str, Any]) -> Path:
    """The data folder of a hub. `base` is a base model on this disk; `more` are repos of the owner "maker"."""
    shutil.copytree(base, folder / "base")
    files = [path.relative_to(folder / "base").as_posix() for path in (folder / "base").rglob("*") if path.is_file()]
    whole = {name: {"path": f"base/{name}"} for name in files if "/" in name or name == "model_index.json"}
    decoys = ("v1-5.safetensors", "unet/diffusion_pytorch_model.bin", "safety_checker/model.safetensors", "vae/run.py")
    repos: dict[str, dict[str, Any]] = {
        "tiny": {**whole, **{name: {"text": "must not be fetched"} for name in decoys}},
        "gated": {name: {**file, "access": "gated"} for name, file in whole.items()},
        "pickles": {"model_index.json": text(INDEX), "unet/diffusion_pytorch_model.bin": {"text": "pickle"}},
        "huge": {"model_index.json": text(INDEX), "unet/config.json": text({})},
        "broken": {"model_index.json": {"text": "{"}, "unet/model.safetensors": {"text": ""}},
        "flux": {
            "model_index.json": text({**INDEX, "_class_name": "FluxPipeline"}),
            "unet/a.safetensors": {"text": ""},
        },
        **more,
    }
    listed = {f"maker/{name}": files for name, files in repos.items()}
    (folder / "files.json").write_text(json.dumps({"huggingface": listed}))
    (folder / "hf_readme_maker__tiny.md").write_text(CARD)
    (folder / "hf_model_maker__gated.json").write_text(json.dumps({"id": "maker/gated", "gated": "manual"}))
    (folder / "hf_model_maker__huge.json").write_text(json.dumps({"id": "maker/huge", "siblings": [HUGE]}))
    (folder / "access.json").write_text(json.dumps({"grants": {"let-in": ["maker/gated"]}}))
    return folder


def text(data: Any) -> dict[str, Any]:
    return {"text": json.dumps(data)}


def silently(_count: int) -> None:
    """Nobody wants to know."""
