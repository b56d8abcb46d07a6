"""Which tensors of a LoRA file reach the model. Names don't tell: every trainer's differ, and loaders rename them.

A file's tensors are sent through diffusers' converter with autograd watching, so that each converted tensor leads back
to the ones it was made from, be they renamed, scaled by alpha, or cut out of a fused one. What the model then holds is
compared by value.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from connectors.errors import NotWeights

Print = tuple[int, str]
_SAMPLE = 256
_INPUT_LAYERS = ("x_embedder", "img_in")


def read(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise NotWeights(f"{path.name} can't be read as safetensors. Pull it again.") from error


class Traced:
    """What a pipeline's converter makes of a file's tensors, and from which."""

    def __init__(self, pipe: Any, tensors: Mapping[str, Any]) -> None:
        import torch

        self._tensors = tensors
        self._watched = {key: _watched(tensor) for key, tensor in tensors.items()}
        options = {"unet_config": pipe.unet.config} if "StableDiffusionXL" in type(pipe).__name__ else {}
        with torch.enable_grad():
            converted = pipe.lora_state_dict(dict(self._watched), **options)
        self._converted = converted[0] if isinstance(converted, tuple) else converted

    def reached(self, held: Counter[Print]) -> frozenset[str]:
        """The keys of the file that took effect, given the prints of what the model holds."""
        left, reached = held.copy(), set[int]()
        for tensor in self._converted.values():
            for candidate in _prints(tensor):
                if left[candidate] > 0:
                    left[candidate] -= 1
                    reached |= _sources(tensor)
                    break
        keys = {key for key, tensor in self._watched.items() if id(tensor) in reached}
        return frozenset(keys | _scalars_of(keys, self._tensors))


def fingerprints(pipe: Any, name: str) -> Counter[Print]:
    """Prints of everything that the parts of a pipeline hold under an adapter's name."""
    held: Counter[Print] = Counter()
    for part in pipe.components.values():
        for key, value in part.named_parameters() if hasattr(part, "named_parameters") else ():
            if name in key.split("."):
                held[_print(value)] += 1
    return held


def control_channels(pipe: Any, tensors: Mapping[str, Any]) -> bool:
    """Whether a file widens the input layer of the network, as control LoRAs for FLUX do."""
    network = getattr(pipe, "transformer", None)
    width = getattr(getattr(network, "x_embedder", None), "in_features", None)
    if width is None:
        return False
    down = ("lora_A.weight", "lora_down.weight")
    return any(
        key.endswith(down) and any(layer in key for layer in _INPUT_LAYERS) and tensor.shape[-1] != width
        for key, tensor in tensors.items()
    )


def _watched(tensor: Any) -> Any:
    """Scalars are read by converters with .item(), integers can't be watched: both stay as they are."""
    if tensor.ndim == 0 or not tensor.is_floating_point():
        return tensor
    return tensor.detach().requires_grad_()


def _sources(tensor: Any) -> set[int]:
    """The ids of the watched tensors that a tensor was computed from."""
    if tensor.grad_fn is None:
        return {id(tensor)}
    found, waiting, seen = set[int](), [tensor.grad_fn], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting.extend(following for following, _ in node.next_functions)
    return found


def _scalars_of(keys: Collection[str], tensors: Mapping[str, Any]) -> frozenset[str]:
    """Alphas count as applied with the layer they belong to: they end up in its scale, not in a tensor."""
    layers = {_layer(key) for key in keys}
    return frozenset(key for key, tensor in tensors.items() if tensor.numel() == 1 and _layer(key) in layers)


def _layer(key: str) -> str:
    for ending in (".lora_down", ".lora_up", ".lora_mid", ".lora_A", ".lora_B", ".alpha", ".lora.down", ".lora.up"):
        head, found, _ = key.partition(ending)
        if found:
            return head
    return key.rpartition(".")[0]


def _prints(tensor: Any) -> list[Print]:
    """One for each type a model may hold it in: which one is known only afterwards."""
    import torch

    return [_print(tensor.to(dtype)) for dtype in (torch.float32, torch.bfloat16, torch.float16)]


def _print(tensor: Any) -> Print:
    """Size and a sample of the values, spread over the whole tensor."""
    import torch

    flat = tensor.detach().reshape(-1)
    step = max(1, flat.numel() // _SAMPLE)
    sample = flat[::step].to("cpu", torch.float32).contiguous()
    return flat.numel(), hashlib.blake2b(sample.numpy().tobytes(), digest_size=16).hexdigest()
