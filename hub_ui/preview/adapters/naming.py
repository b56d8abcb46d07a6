"""LoRA files as PEFT and trainers built on it dump them, under the names diffusers' loaders look for.

    base_model.model.X.lora_A.weight            PEFT's save_pretrained
    unet.base_model.model.X.lora_A.weight       early SimpleTuner
    X.lora_A.default.weight                     a raw dump (DiffSynth-Studio)

diffusers passes all of them over without an error, and the picture stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WRAPPER = "base_model.model."
_NETWORKS = ("transformer", "unet")


def renamed(pipe: Any, tensors: Mapping[str, Any]) -> dict[str, str]:
    """Old name -> new name for every tensor; the same names where there is nothing to do."""
    network = next((name for name in _NETWORKS if getattr(pipe, name, None) is not None), None)
    if network is None:
        return {key: key for key in tensors}
    parts = {name for name, _ in getattr(pipe, network).named_children()}
    return {key: _name(key, network, parts) for key in tensors}


def _name(key: str, network: str, parts: set[str]) -> str:
    key = key.replace(".default.weight", ".weight")
    head, wrapped, rest = key.partition(_WRAPPER)
    if wrapped and head in ("", f"{network}."):
        return f"{network}.{rest}"
    if key.split(".")[0] in parts:
        return f"{network}.{key}"
    return key
