"""Plan how a base fits into a device's memory, without loading anything.

A plan has the size of each part, the offload level, and the peak. Errors for bases that don't fit are here too.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.errors import PreviewError
from hub_ui.generate.base_models import PipelineSpec, bases_for_architecture
from hub_ui.generate.base_models.table import (
    FULL,
    KEPT_OF_T5,
    NETWORKS,
    NOT_LINEAR,
    WORTH_STORING,
    ModelSize,
    Precision,
    stores_text_encoders,
)
from hub_ui.generate.memory import device as device_memory
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel, find_device, kind_of
from hub_ui.generate.settings import ResolvedRequest

# The memory of common GPUs, in GB as they are sold.
CARDS = (8, 12, 16, 24, 32, 48, 80)
GIBIBYTE = 2**30
# The most bytes of weights that LoRAs are merged into for speed, because their originals are kept in RAM. The UNet of
# SDXL takes 5 GB in half precision. The network of FLUX takes 24 GB, and is fast enough with hooks.
MERGED_AT_MOST = 8_000_000_000
# The most numbers of a weight that LoRAs are merged into at once: 64 MB in float32.
MERGED_AT_ONCE = 2**24
BYTES: Mapping[str, float] = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}

_GIGABYTE = 1_000_000_000
# Allocators round up and leave gaps.
_GAPS = 1.05
# Two layers of a network are on the device at once: one computes while the next one is copied. The largest layer of
# other parts is a table of words, which is read before activations take memory.
_LAYERS_AT_ONCE = 2
# The RAM for the system and other programs.
_OTHER_PROGRAMS = 2 * _GIGABYTE
# Bytes of the largest block of a text encoder during its conversion.
_CONVERTING = 380_000_000
# torch pins each tensor in a power of two of bytes. This is the factor for the weights of SDXL.
_PINNED = 1.31
# Merging needs this many copies of the numbers at once, in float32: 5 for a DoRA, half of that for a plain LoRA.
_MERGING = 5
# Bytes of CUDA's context and of the working space of kernels.
_CONTEXT = 800_000_000
# The size of a usual LoRA as a share of the network's weights: rank 16 for all layers of SDXL, or rank 40 for FLUX.1.
_USUAL_LORA = 0.017
# The parameters of the largest layer that a stored text encoder unpacks.
_STORED_LAYER = 4096 * 10240


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """The memory that a base needs, in bytes.

    `parts` are the weights. `largest_layers` has the largest single layer of each part, as it is stored, and
    `unpacking` its extra memory while it computes. `loras` are the LoRAs. On top of the weights come `merging` for
    merging LoRAs, `encoding` for prompts, `denoising` for the network, and `decoding` or `tiled_decoding` for the
    image. `prefetched` are layers that were copied but did not run.

    In RAM, `loading` is needed if layers move on to the device or to files while they load. Otherwise `converting` is
    needed in addition to the weights. `originals` are the weights before LoRAs are merged. `files` are the bytes on
    disk for weights that are read from there. `estimated`: only the total size of the base is known.
    """

    parts: Mapping[str, int]
    largest_layers: Mapping[str, int]
    unpacking: Mapping[str, int]
    loras: int
    merging: int
    encoding: int
    denoising: int
    decoding: int
    tiled_decoding: int
    prefetched: int
    loading: int
    converting: int
    originals: int
    files: int
    estimated: bool = False

    @property
    def weights(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """The level of a base on a device, and the memory that it takes there.

    `peak` is in bytes of device memory, `ram` in bytes of RAM, and `disk` in bytes of temporary files. `is_tiled`:
    images are decoded piece by piece. `fits` is false if even the lowest level takes too much. `notes` are sentences
    for the user.
    """

    level: OffloadLevel
    is_tiled: bool
    peak: int
    ram: int
    disk: int
    fits: bool
    parts: Mapping[str, int]
    notes: tuple[str, ...] = ()


def footprint(
    spec: PipelineSpec,
    dtype: str,
    settings: ResolvedRequest | None = None,
    kind: str = "cuda",
    loras: int | None = None,
) -> Footprint:
    """Return the memory that a base needs on a device of that kind, computing in `dtype`.

    Without `settings`, the base's default size is assumed. `loras` are the bytes of the LoRA files; None is a usual
    size.
    """
    width = BYTES[dtype]
    parts, largest, unpacking = dict[str, int](), dict[str, int](), dict[str, int]()
    used = spec.activations
    for name, model in spec.parts.items():
        parts[name], largest[name], unpacking[name] = bytes_of_part(spec, name, model, width=width, kind=kind)
    full = {name: round(model.parameters * width) for name, model in spec.parts.items()}
    loras = usual_loras(spec) if loras is None else loras
    scale = width / 2
    pixels = settings.width * settings.height if settings else spec.width * spec.height
    frames = settings.frames if settings else spec.video.frames if spec.video else 0
    latent = latent_frames(frames)
    # An autoencoder that decodes in float32 needs twice the memory, also for weights stored in float16.
    in_float32 = used.decoding.upcast and dtype == "float16"
    width_factor = 2 if spec.decodes_in_float32 else scale * (1 + in_float32)
    decoding = (used.decoding.pixel + used.decoding.frame_pixel * latent) * pixels * width_factor
    tiled = min(used.decoding.tiled * width_factor, decoding)
    upcast = parts.get("vae", 0) * in_float32
    largest_layer = max((model.largest for name, model in spec.parts.items() if name in NETWORKS), default=0)
    merged = min(largest_layer, MERGED_AT_ONCE) if loras and spec.storage.method == "full" else 0
    return Footprint(
        parts=parts,
        largest_layers=largest,
        unpacking=unpacking,
        loras=round(loras * scale),
        merging=_MERGING * 4 * merged,
        encoding=round(used.encoding * scale),
        denoising=round((used.fixed + used.pixel * pixels * latent) * scale),
        decoding=round(decoding + upcast),
        tiled_decoding=round(tiled + upcast),
        prefetched=used.prefetched * max((largest[name] for name in largest if name in NETWORKS), default=0),
        **_of_computer(spec, parts, full, largest),
        estimated=spec.estimated,
    )


def bytes_of_part(spec: PipelineSpec, part: str, size: ModelSize, *, width: float, kind: str) -> tuple[int, int, int]:
    """Return the bytes of a part's weights, of its largest layer, and of unpacking that layer to compute.

    `width` is the number of bytes per weight in the type of the computation. `kind` is torch's name of the device.
    """
    precision, layer = spec.storage, round(size.largest * width)
    if precision.method != "full" and part in NETWORKS:
        file = spec.file_gigabytes(spec.precision)
        kept = NOT_LINEAR.get(size.parameters, 0) if precision.method in ("bitsandbytes", "sdnq") else 0
        weights = file * 1e9 if file else (size.parameters - kept) * precision.bits / 8 + kept * width
        unpacking = width if precision.unpacking is None else precision.unpacking
        return round(weights), round(size.largest * precision.bits / 8), round(size.largest * unpacking)
    is_large = part.startswith("text_encoder") and size.parameters >= WORTH_STORING
    if precision.method != "full" and is_large and stores_text_encoders(kind):
        # The largest layer is the table of words, which keeps its type.
        kept = size.largest + KEPT_OF_T5.get(size.parameters, 0)
        return round(size.parameters - kept + kept * width), layer, round(_STORED_LAYER * width)
    return round(size.parameters * (4 if part == "vae" and spec.decodes_in_float32 else width)), layer, 0


def network_parameters(spec: PipelineSpec) -> int:
    """Return the parameters of the largest network of a base."""
    return max((model.parameters for name, model in spec.parts.items() if name in NETWORKS), default=0)


def usual_loras(spec: PipelineSpec) -> int:
    """Return the usual bytes of a LoRA file for the base, in half precision."""
    return round(network_parameters(spec) * 2 * _USUAL_LORA)


def _of_computer(
    spec: PipelineSpec, parts: Mapping[str, int], full: Mapping[str, int], largest: Mapping[str, int]
) -> dict[str, int]:
    """Return the RAM and disk fields of a Footprint. `full` are the weights in the type of the computation.

    Files in that type are mapped instead of read. Files in other types are converted as a whole while a part is loaded.
    GGUF files are copied, and weights that are stored in fewer bits are converted layer by layer.
    """
    is_packed = spec.storage.method in ("gguf", "bitsandbytes", "sdnq")
    packed = [name for name in parts if is_packed and name in NETWORKS]
    stored = [name for name in parts if parts[name] != full[name] and name not in packed]
    converted = _conversions(round(spec.gigabytes * _GIGABYTE), full)
    kept = sum(parts[name] for name in parts if name in packed or (name in converted and name not in stored))
    layers = max([_CONVERTING, *(_LAYERS_AT_ONCE * size for name, size in largest.items() if name in NETWORKS)])
    networks = sum(size for name, size in parts.items() if name in NETWORKS)
    is_merged = spec.storage.method == "full" and networks <= MERGED_AT_MOST
    return {
        # Stored parts are loaded one after another.
        "loading": kept + max([layers, *(full[name] for name in stored if name in converted)]),
        "converting": max([0, *(full[name] - parts[name] if name in converted else layers for name in stored)]),
        "originals": networks if is_merged else 0,
        # Parts in fewer bits have two copies on the disk until all are loaded.
        "files": sum(size * (2 if name in stored else 1) for name, size in parts.items() if not is_autoencoder(name)),
    }


def _conversions(download: int, full: Mapping[str, int]) -> frozenset[str]:
    """Guess which parts have files with numbers of twice as many bytes.

    These parts explain best why the download is larger than the weights.
    """
    excess = download - sum(full.values())
    if excess < -0.2 * download:
        return frozenset(full)
    subsets = (chosen for count in range(len(full) + 1) for chosen in itertools.combinations(full, count))
    return frozenset(min(subsets, key=lambda chosen: abs(excess - sum(full[name] for name in chosen))))


def download_bytes(spec: PipelineSpec) -> int:
    """Return the bytes of the base's download. A GGUF file replaces the network's own files."""
    size, parts = round(spec.gigabytes * _GIGABYTE), footprint(spec, "bfloat16").parts
    full = {name: round(model.parameters * BYTES["bfloat16"]) for name, model in spec.parts.items()}
    converted = _conversions(size, full)
    is_file = spec.storage.method == "gguf" and spec.checkpoint is not None and spec.checkpoint.repo is not None
    replaced = [name for name in full if is_file and name in NETWORKS]
    return size + sum(parts[name] - full[name] * (2 if name in converted else 1) for name in replaced)


def latent_frames(frames: int) -> int:
    """Return the frames that the network sees. Video autoencoders merge four or more frames into one."""
    return max(1, math.ceil(frames / 4))


def peak_memory(needs: Footprint, level: OffloadLevel, *, is_tiled: bool = False) -> int:
    """Return the most bytes of device memory that the base takes at that level.

    LoRAs that are applied with hooks stay on the device. Merged LoRAs take less.
    """
    decoding = needs.tiled_decoding if is_tiled else needs.decoding
    autoencoders = [size for name, size in needs.parts.items() if is_autoencoder(name)]
    stages = {
        name: max(needs.unpacking[name], needs.denoising if name in NETWORKS else needs.encoding)
        for name in needs.parts
        if not is_autoencoder(name)
    }
    if level == "whole":
        return needs.loras + needs.weights + max([*stages.values(), decoding, needs.merging])
    if level == "model_offload":
        # Ideogram 4 alternates between two networks, and the second one stays on the device.
        stays = {"transformer": needs.parts.get("unconditional_transformer", 0)}
        with_parts = [needs.parts[name] + stays.get(name, 0) + size for name, size in stages.items()]
        return needs.loras + max([*with_parts, max(autoencoders, default=0) + decoding, needs.merging])
    # Autoencoders are small, and stay on the device.
    is_prefetched = level == "group_offload"
    copies = _LAYERS_AT_ONCE if is_prefetched else 1
    layers = [
        stages[name] + copies * size
        if name in NETWORKS
        else stages[name] + size
        if is_prefetched and not name.startswith("text_encoder")
        else max(stages[name], size)
        for name, size in needs.largest_layers.items()
        if name in stages
    ]
    stay = sum(autoencoders) + (needs.prefetched if is_prefetched else 0)
    return needs.loras + stay + max([*layers, decoding, needs.merging])


def required_memory(spec: PipelineSpec, dtype: str = "float16", *, is_tiled: bool = False) -> int:
    """Return the bytes of device memory for the whole base in that precision, with one image in progress."""
    return peak_memory(footprint(spec, dtype), "whole", is_tiled=is_tiled)


def is_autoencoder(part: str) -> bool:
    return part.endswith(("vae", "vqgan", "movq", "vocoder"))


def host_memory(needs: Footprint, level: OffloadLevel) -> int:
    """Return the most bytes of RAM at that level, while the base is loaded and afterwards."""
    stays = level in ("model_offload", "group_offload")
    loading = needs.weights + needs.converting if stays else needs.loading
    return max(loading, (needs.weights if stays else 0) + round(needs.originals * (_PINNED if level == "whole" else 1)))


def plan_memory(
    spec: PipelineSpec,
    *,
    memory: int | None,
    ram: int | None,
    dtype: str = "",
    settings: ResolvedRequest | None = None,
    kind: str = "cuda",
    levels: Sequence[OffloadLevel] = (),
    loras: int | None = None,
    disk: int | None = None,
) -> MemoryPlan:
    """Return the fastest level at which the base fits into that memory.

    `memory` is in bytes of the device, `ram` of RAM, and `disk` of free space for temporary files; None is any amount.
    `kind` is torch's name of the device. `levels` limits the choice. `loras` are the bytes of the LoRA files; None is a
    usual size. Images are decoded in pieces only if no level can decode them whole, because pieces change the image
    more than a level does.
    """
    needs = footprint(spec, dtype or spec.dtype, settings, kind, loras)
    for is_tiled, level in itertools.product((False, True), levels or levels_of(kind, spec.storage)):
        peak = peak_memory(needs, level, is_tiled=is_tiled)
        # Apple's GPUs and CPUs share RAM with the system.
        taken = host_memory(needs, level) if kind_of(kind).has_own_memory else peak
        files = needs.files if level == "disk_offload" else 0
        is_short = memory is not None and peak * _GAPS > memory
        short = (*([_SHORT] if is_short else []), *_short_of_own(taken, ram, files, disk))
        if not short:
            break
    return MemoryPlan(
        level=level,
        is_tiled=is_tiled,
        peak=peak,
        ram=taken,
        disk=files,
        fits=not short,
        parts=needs.parts,
        notes=(
            *([_ESTIMATED] if needs.estimated else []),
            *short,
            *([_IN_PIECES] if is_tiled else []),
            *([_FROM_DISK] if level == "disk_offload" else []),
        ),
    )


_ESTIMATED = "Only the size of the download is known: its parts are estimated."
_SHORT = "It does not fit into the device's memory."
_IN_PIECES = "The image is decoded piece by piece, which changes it a little."
_FROM_DISK = (
    "This computer's memory is too small for its weights: they are read from the disk in each step, which is slow."
)


def _short_of_own(taken: int, ram: int | None, files: int, disk: int | None) -> Iterator[str]:
    """Yield a sentence if RAM is too small, and one if the disk is."""
    if ram is not None and taken > ram:
        needed, free = (f"{size / _GIGABYTE:.0f} GB" for size in (taken, ram))
        yield f"It takes {needed} of the computer's own memory, and {free} are free."
    if disk is not None and files > disk:
        needed, free = (f"{size / _GIGABYTE:.0f} GB" for size in (files, disk))
        yield f"Its weights take {needed} of the disk for temporary files, and {free} are free there."


# A function from a base and the bytes of a device to the plan.
PlanFor = Callable[[PipelineSpec, int], MemoryPlan]


def plan_for(device: Device) -> PlanFor:
    """Return a function that plans bases on devices of the same kind in this computer."""
    on_cpu, total = device.kind == "cpu", device_memory.total_memory()

    def plan(spec: PipelineSpec, memory: int) -> MemoryPlan:
        return plan_memory(
            spec,
            memory=None if on_cpu else usable_memory(memory),
            ram=usable_ram(memory if on_cpu else total),
            dtype=dtype_on(device, spec),
            kind=device.kind,
        )

    return plan


def levels_of(kind: str, precision: Precision = FULL) -> tuple[OffloadLevel, ...]:
    """Return the levels of a base in that precision on a device, by torch's name.

    A device without its own memory has only "whole", because there is nothing to offload from.
    """
    return LEVELS[: precision.levels if kind_of(kind).has_own_memory else 1]


def usable_memory(card: int) -> int:
    """Return the bytes of a GPU that are left for a base. CUDA and its kernels take the rest."""
    return max(0, card - _CONTEXT)


def usable_ram(total: int) -> int:
    """Return the bytes of RAM that other programs leave."""
    return max(0, total - _OTHER_PROGRAMS)


def choose_device(spec: PipelineSpec) -> Device:
    """Return the device of this computer, with the precision that the base supports on it."""
    device = find_device()
    return replace(device, dtype=dtype_on(device, spec))


def dtype_on(device: Device, spec: PipelineSpec) -> str:
    """Return the type that a base is computed in on a device.

    The choice depends on total memory, not on free memory, so that the same request always gives the same image.
    """
    if device.kind == "cpu":
        # CPUs are slow with half precision, but slower when they swap. Images may be decoded in pieces to fit next to
        # the weights.
        is_large = required_memory(spec, "float32", is_tiled=True) > device_memory.total_memory()
        return "bfloat16" if is_large else "float32"
    if device.has_bfloat16:
        return spec.dtype
    if not device.traits.emulates_bfloat16:
        return "float16" if spec.runs_in_float16 else "float32"
    # A base trained in bfloat16 may overflow in float16, so prefer float32 if it fits. A base that is known to overflow
    # gets bfloat16, although it is emulated.
    if spec.dtype == "bfloat16" and required_memory(spec, "float32") <= (device.total_bytes or 0):
        return "float32"
    return "float16" if spec.runs_in_float16 else "bfloat16"


def smaller_bases(spec: PipelineSpec) -> list[PipelineSpec]:
    """Return bases for the same LoRAs that take less memory, the largest first."""
    smaller = (
        base
        for base in bases_for_architecture(spec.architecture)
        if required_memory(base) < 0.9 * required_memory(spec)
    )
    return sorted(smaller, key=required_memory, reverse=True)


def shortage(spec: PipelineSpec, plan: MemoryPlan, device: Device, ram: int, disk: int) -> str:
    """Say which memory is too small for a base that fits at no level, and suggest a base that fits.

    `ram` and `disk` are free bytes.
    """
    needed, free, where = plan.ram, ram, "memory"
    if plan.disk > disk:
        needed, free, where = plan.disk, disk, f"the disk, in {device_memory.disk_folder()}"
    elif plan.ram <= ram:
        needed, free, where = plan.peak, device.free_bytes or 0, f"the memory of this {device.label}"
    return f"{spec.label} takes about {_gigabytes(needed)} of {where}, and {_gigabytes(free)} are free. {_advice(spec)}"


def base_too_large(spec: PipelineSpec, device: Device) -> PreviewError:
    """Build the error for memory that ran out while a base was loaded."""
    return PreviewError(
        f"{spec.label} takes about {_gigabytes(required_memory(spec))} of memory, and this {device.label} ran out of "
        f"it while it was loaded. {_advice(spec)}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / _GIGABYTE:.0f} GB" if size >= 0.95 * _GIGABYTE else f"{size / _GIGABYTE:.1f} GB"


def _advice(spec: PipelineSpec) -> str:
    if smaller := smaller_bases(spec):
        taken = _gigabytes(required_memory(smaller[0]))
        return f"Choose {smaller[0].label}, which takes {taken}, or close other programs."
    return "Close other programs, run it on a computer with more memory, or on Replicate."


def image_too_large(spec: PipelineSpec, settings: ResolvedRequest, device: Device) -> PreviewError:
    """Build the error for memory that ran out at the lowest level, with suggestions that fit."""
    width, height = (round(side * 0.75) // 64 * 64 for side in (settings.width, settings.height))
    tries = ["fewer frames"] if settings.frames > 1 else []
    # Sides are cut to multiples of 64, so a small image has no smaller size to suggest.
    tries += [f"{width} × {height}"] if min(width, height) > 0 else []
    tries += [f"or the smaller base {smaller.label}" for smaller in smaller_bases(spec)[:1]]
    advice = f"Try {', '.join(tries)}, or close other programs." if tries else "Close other programs."
    return PreviewError(
        f"{settings.width} × {settings.height} with {spec.label} does not fit into the memory of this {device.label}, "
        f"not even piece by piece. {advice}"
    )
