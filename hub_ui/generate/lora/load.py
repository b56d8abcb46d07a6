"""Loading of a LoRA's .safetensors file: read its tensors, build the patches for one model, and cache them."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cachetools import LRUCache

from connectors.claims import read_tables
from connectors.claims.resolve import noise_of
from connectors.errors import BadHeader, DoesNotFit, NotWeights
from connectors.weights import header as headers
from connectors.weights import lora_facts as facts
from connectors.weights.header import FileReader, Header
from hub_ui.base.i18n import _
from hub_ui.generate.lora.algorithms import Inseparable, formula_of, is_peft
from hub_ui.generate.lora.key_mapping import map_keys
from hub_ui.generate.lora.module_names import Names
from hub_ui.generate.lora.modules import Layer, ModuleKey, Shape
from hub_ui.generate.lora.parameters import param_handles
from hub_ui.generate.lora.patch import Patch, Unfit, configs_of, patches
from hub_ui.generate.request import LoraInput
from hub_ui.generate.result import Coverage, Missed

if TYPE_CHECKING:
    from torch import Tensor, nn

# safetensors' type names -> torch's.
_DTYPES: Mapping[str, str] = read_tables("dtypes.toml")["torch"]
# PEFT saves a LoRA and its settings under these names in one folder.
_OF_PEFT, _SETTINGS_OF_PEFT = "adapter_model.safetensors", "adapter_config.json"
# A factor that every LoHa layer has; its first axis is the rank of w2.
_SECOND = ".hada_w2_b"
_MAGNITUDES = (".dora_scale", ".lora_magnitude_vector", ".lora_magnitude_vector.weight")
# Bytes per output that a DoRA's hook stores: three norms and the magnitude in float32, and the bias in half precision.
_DORA_OUTPUT_BYTES = 18


def read(path: Path, title: str) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Return a file's tensors by name, most of them views of one buffer, and its metadata.

    Raises NotWeights or BadHeader if it is not a valid safetensors file, and DoesNotFit if it is not a usable LoRA.
    """
    import torch

    if path.suffix != ".safetensors":
        text = _("{name} is no safetensors file. Other formats can run code and are not loaded.")
        raise NotWeights(text.format(name=path.name))
    header, raw = _read_file(path, title)
    data = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
    tensors = {name: _tensor(data, entry, name) for name, entry in header.tensors.items()}
    for name, tensor in tensors.items():
        # A single NaN makes every image black, without a hint at its source.
        if tensor.is_floating_point() and tensor.numel() > 0:
            low, high = torch.aminmax(tensor)
            if not (torch.isfinite(low) and torch.isfinite(high)):
                text = _(
                    "“{title}” is damaged: “{name}” holds values that are no numbers. Pull it again, or "
                    "use another version of it."
                )
                raise DoesNotFit(text.format(title=title, name=name[:80]))
    return tensors, header.metadata


def lora_bytes(adapters: Iterable[LoraInput], *, merges: bool) -> int:
    """Return the bytes that installed LoRAs need on a device: the files' sizes, or the hooks' size if not merged."""
    sizes = {adapter.path: adapter.path.stat().st_size for adapter in adapters if adapter.path.exists()}
    if merges:
        return sum(sizes.values())
    return sum(_bytes_of_hooks(path, size) for path, size in sizes.items())


def _bytes_of_hooks(path: Path, size: int) -> int:
    """Return the bytes that hooks need for a file.

    A LoHa's hook stores a low-rank product with the product of both ranks, or a whole matrix if that is smaller, in
    half precision. For a file that can't be read, return its size; `read` raises the error later.
    """
    try:
        with path.open("rb") as file:
            tensors = headers.read_header(FileReader(file)).tensors
    except (BadHeader, NotWeights, OSError):
        return size
    outputs_of_doras = sum(math.prod(tensor.shape) for name, tensor in tensors.items() if name.endswith(_MAGNITUDES))
    shapes = {name: tensor.shape for name, tensor in tensors.items() if len(tensor.shape) == 2}
    total = 0
    for name, (second, inputs) in shapes.items():
        if name.endswith(_SECOND):
            outputs, first = shapes.get(f"{name.removesuffix(_SECOND)}.hada_w1_a", (0, 0))
            total += 2 * min(first * second * (outputs + inputs), outputs * inputs)
    return max(size, total) + _DORA_OUTPUT_BYTES * outputs_of_doras


def _read_file(path: Path, title: str) -> tuple[Header, bytearray]:
    """Read the header and a copy of all data, which stays valid if the file is replaced.

    Raises DoesNotFit before reading the data of a file that is not a usable LoRA.
    """
    try:
        with path.open("rb") as file:
            size, length = os.fstat(file.fileno()).st_size, headers.header_length(file.read(9))
            if size < 8 + length:
                text = _("{name} ends inside its own header. It is cut off; pull it again.")
                raise BadHeader(text.format(name=path.name))
            file.seek(8)
            header = headers.parse(file.read(length), size)
            lora = facts.read(header)
            if not lora.is_lora or lora.is_packed:
                reason = lora.warnings[0] if lora.warnings else "This is no LoRA."
                text = _("“{title}” can't be tried here. {reason} Choose another file.")
                raise DoesNotFit(text.format(title=title, reason=reason))
            raw = bytearray(header.extent)
            if file.readinto(raw) < len(raw):
                raise BadHeader(_("{name} is being changed while it is read. Try again.").format(name=path.name))
    except OSError as error:
        text = _("{name} can't be read ({strerror}). Pull it again.")
        raise NotWeights(text.format(name=path.name, strerror=error.strerror)) from error
    return header, raw


def _tensor(data: Tensor, entry: headers.Tensor, name: str) -> Tensor:
    import torch

    if entry.dtype not in _DTYPES:
        text = _("The tensor “{name}” is of the type {dtype}, which can't be read here.")
        raise DoesNotFit(text.format(name=name[:80], dtype=entry.dtype))
    dtype = getattr(torch, _DTYPES[entry.dtype])
    part = data[entry.data_offsets[0] : entry.data_offsets[1]]
    if part.storage_offset() % dtype.itemsize:
        part = part.clone()  # torch needs aligned data, and some programs don't align tensors
    value = part.view(dtype).view(entry.shape)
    return value.to(torch.bfloat16) if dtype.itemsize == 1 and dtype.is_floating_point else value


@dataclass(frozen=True, kw_only=True)
class LoraPatches:
    """The patches of one file for one model. `inputs` maps modules to their expanded inputs; `size` is in bytes."""

    patches: Mapping[ModuleKey, tuple[Patch, ...]]
    inputs: Mapping[ModuleKey, int]
    coverage: Coverage
    size: int


def load_patches(adapter: LoraInput, parts: Mapping[str, nn.Module], names: Names) -> LoraPatches:
    """Build a file's patches. Raises DoesNotFit for a file without any effect, which would look like a weak LoRA."""
    tensors, metadata = read(adapter.path, adapter.title)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    mapping = map_keys(shapes, names, low_noise=noise_of_input(adapter, metadata) == "low")
    configs = configs_of({**_settings_beside(adapter.path), **metadata})
    patches_by_module: dict[ModuleKey, tuple[Patch, ...]] = {}
    inputs: dict[ModuleKey, int] = {}
    missed: defaultdict[str, list[str]] = defaultdict(list)
    for group in mapping.missed:
        missed[group.reason] += group.keys
    applied = set[str]()
    for layer in mapping.layers:
        try:
            # Apply a layer to all of its targets or skip it, because half of a fused layer would have another effect.
            new = []
            for target in layer.targets:
                # Use the shape from the time of loading, because another LoRA may have expanded the module since.
                params = param_handles(parts[target.component], target.module)
                new.append((target, patches(layer, target, names.size(target), params, tensors, configs)))
        except (Unfit, Inseparable) as error:
            missed[str(error.args[0])] += layer.keys.values()
            continue
        for target, added in new:
            patches_by_module[target.key] = (*patches_by_module.get(target.key, ()), *added)
            if target.inputs is not None:
                inputs[target.key] = target.inputs
        applied |= set(layer.keys.values())
    if not applied:
        reasons = "; ".join(f"{len(keys)} {reason}" for reason, keys in missed.items())
        text = _(
            "None of the {n} tensors of “{title}” fit this base model, so it would change nothing: "
            "{reasons}. Choose a base of the LoRA's own architecture."
        )
        raise DoesNotFit(text.format(n=len(shapes), title=adapter.title, reasons=reasons))
    # Count each storage once, because all unconverted tensors are views of the file's buffer.
    every_patch = (patch for group in patches_by_module.values() for patch in group)
    storages = [tensor.untyped_storage() for patch in every_patch for tensor in patch.factors.parts.values()]
    coverage = Coverage(
        title=adapter.title,
        applied=len(applied),
        total=len(shapes),
        missed=tuple(Missed(reason=reason, keys=tuple(keys)) for reason, keys in missed.items()),
        remark=_remark(mapping.layers, shapes, names, has_settings=bool(configs)),
    )
    size = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    return LoraPatches(patches=patches_by_module, inputs=inputs, coverage=coverage, size=size)


def _settings_beside(path: Path) -> Mapping[str, str]:
    """Return PEFT's settings from the file's folder under the key that diffusers uses in metadata, or an empty dict."""
    try:
        text = path.with_name(_SETTINGS_OF_PEFT).read_text(encoding="utf-8") if path.name == _OF_PEFT else ""
    except (OSError, ValueError):
        text = ""
    return {"lora_adapter_metadata": text} if text else {}


_ALPHA = f"its alpha is in PEFT's {_SETTINGS_OF_PEFT}, which is not here, so that it was taken for the rank"
# With `use_cayley_neumann=False`, PEFT computes the rotation exactly, and in the opposite direction.
_ROTATION = (
    "which of its rotations PEFT trained (`use_cayley_neumann`) is not in the file, so that the default was taken"
)
_SIDE = (
    "which side of a convolution an IA3 scales where both have as many channels is not in the file, so that the "
    "outputs were taken"
)


def _remark(layers: Iterable[Layer], shapes: Mapping[str, Shape], names: Names, *, has_settings: bool) -> str:
    """Return a remark on the settings that the file lacks and the defaults used instead."""
    remarks: dict[str, None] = {}
    is_of_peft = any(name.startswith("base_model.model.") for name in shapes)
    if is_of_peft and not has_settings and not any(name.endswith(".alpha") for name in shapes):
        remarks[_ALPHA] = None
    for layer in layers:
        keys, target = layer.keys, names.size(layer.targets[0])
        if formula_of(layer.algorithm, keys) == "oft of PEFT":
            remarks[_ROTATION] = None
        if is_peft(keys, "ia3") and len(shapes[keys["ia3"]]) > 2 and target[0] == target[1]:
            remarks[_SIDE] = None
    return "; ".join(remarks)


def noise_of_input(
    adapter: LoraInput, metadata: Mapping[str, str] = MappingProxyType({})
) -> Literal["high", "low"] | None:
    """Return the network of Wan 2.2 that a LoRA is for, judging by its file name, training model or title."""
    names = (adapter.path.stem, adapter.ref.file or "", metadata.get("ss_sd_model_name", ""), adapter.title)
    return next(filter(None, map(noise_of, names)), None)


def check_halves(adapters: Sequence[LoraInput], architecture: str, components: Collection[str]) -> None:
    """Raise DoesNotFit if both halves of a LoRA for Wan 2.2's two networks would change a single network."""
    if architecture != "wan" or "transformer_2" in components:
        return
    followers = [adapter for adapter in adapters if adapter.follows]
    halves = {noise: adapter for adapter in adapters if (noise := noise_of_input(adapter))}
    if followers or len(halves) > 1:
        text = _(
            "“{title}” is half of a LoRA for two networks, one for much noise and one for little. This base has "
            "one, which both halves would change. Choose a base that has two (--base wan-2.2-t2v-a14b)."
        )
        raise DoesNotFit(text.format(title=(followers or list(halves.values()))[0].title))


class LoraCache(LRUCache[Hashable, LoraPatches]):
    """A cache of loaded LoRAs. It also keeps a file larger than the budget, alone, until the next file is loaded."""

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(budget_bytes, lambda file: min(file.size, budget_bytes))


def identity(adapter: LoraInput) -> Hashable:
    """Return a cache key: the file's hash, or its path if the hash is unknown, with modification time and size."""
    name = adapter.sha256.lower() if adapter.sha256 is not None else str(adapter.path)
    try:
        stat = adapter.path.stat()
    except OSError:
        return name  # reading the file raises the error
    return name, stat.st_mtime_ns, stat.st_size
