"""How a base fits into a device's memory: what its parts take, the offload level, the peak. Nothing is loaded."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hub_ui.generate.base_models import PipelineSpec
from hub_ui.generate.base_models.activations import activations
from hub_ui.generate.base_models.part_sizes import is_estimated, model_sizes
from hub_ui.generate.base_models.precision import NETWORKS, weight_bytes
from hub_ui.generate.device_kinds import kind_of
from hub_ui.generate.settings import ResolvedRequest

# Each takes less of the device's memory than the one before, and more time. From model_offload on, the weights are in
# the computer's memory; the last keeps them on the disk.
OffloadLevel = Literal["whole", "model_offload", "group_offload", "disk_offload"]
LEVELS: tuple[OffloadLevel, ...] = ("whole", "model_offload", "group_offload", "disk_offload")
# In plain words.
LEVEL_NAMES: Mapping[OffloadLevel, str] = {
    "whole": "whole",
    "model_offload": "part by part",
    "group_offload": "layer by layer",
    "disk_offload": "layer by layer, from the disk",
}
# In GB, as they are sold: what GPUs have.
CARDS = (8, 12, 16, 24, 32, 48, 80)
GIBIBYTE = 2**30
BYTES: Mapping[str, float] = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}

_GIGABYTE = 1_000_000_000
# Allocators round up and leave gaps.
_GAPS = 1.05
# Downloads beyond this ratio to the weights in memory are stored in a larger type.
_CONVERTED = 1.2
# Two layers are on the device at once: one computes while the next one is copied.
_LAYERS_AT_ONCE = 2
# Programs and the system beside this one, in the computer's memory.
_OTHER_PROGRAMS = 2 * _GIGABYTE
# CUDA's context and the kernels' working space.
_CONTEXT = 800_000_000
# The embeddings of a prompt and a text encoder's own tensors.
_ENCODING = 300_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Bytes. `parts` are the weights, `largest_layers` the largest single layer of each; the rest comes on top of
    weights while prompts are encoded, while the network denoises, and while the image is decoded, whole or `tiled`.
    `estimated`: only the base's size as a whole is known. `is_converted`: the files have another type.
    """

    parts: Mapping[str, int]
    largest_layers: Mapping[str, int]
    encoding: int
    denoising: int
    decoding: int
    tiled_decoding: int
    estimated: bool = False
    is_converted: bool = False

    @property
    def weights(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """`peak` are bytes of the device's memory, `ram` of the computer's. `is_tiled`: images are decoded piece by piece.
    `fits` is false where even the lowest level takes too much; `notes` say what else matters.
    """

    level: OffloadLevel
    is_tiled: bool
    peak: int
    ram: int
    fits: bool
    parts: Mapping[str, int]
    notes: tuple[str, ...] = ()


def footprint(spec: PipelineSpec, dtype: str, settings: ResolvedRequest | None = None, kind: str = "cuda") -> Footprint:
    """In the base's precision, computing in `dtype`, on a device of that kind. Without `settings`, for the base's own
    size.
    """
    width = BYTES[dtype]
    parts, largest = dict[str, int](), dict[str, int]()
    for name, model in model_sizes(spec).items():
        parts[name] = weight_bytes(spec, name, model.parameters, model.largest, width=width, kind=kind)
        # A quantised layer is unpacked to compute.
        largest[name] = round(model.largest * width)
    used = activations(spec)
    scale = width / 2
    pixels = settings.width * settings.height if settings else spec.width * spec.height
    frames = settings.frames if settings else spec.video.frames if spec.video else 0
    latent = latent_frames(frames)
    decoding = (used.decoding.pixel + used.decoding.frame_pixel * latent) * pixels
    decoding_scale = 2 if spec.decodes_in_float32 else scale
    return Footprint(
        parts=parts,
        largest_layers=largest,
        encoding=round(_ENCODING * scale),
        denoising=round((used.fixed + used.pixel * pixels * latent) * scale),
        decoding=round(decoding * decoding_scale),
        tiled_decoding=round(min(used.decoding.tiled, decoding) * decoding_scale),
        estimated=is_estimated(spec),
        is_converted=spec.precision == "full" and spec.gigabytes * _GIGABYTE > _CONVERTED * sum(parts.values()),
    )


def latent_frames(frames: int) -> int:
    """The frames that the network sees: video autoencoders make one of four or more."""
    return max(1, math.ceil(frames / 4))


def peak_memory(needs: Footprint, level: OffloadLevel, *, is_tiled: bool = False) -> int:
    """The bytes of the device's memory that the base takes at most at that level."""
    decoding = needs.tiled_decoding if is_tiled else needs.decoding
    if level == "whole":
        return needs.weights + max(needs.encoding, needs.denoising, decoding)
    by_parts = level == "model_offload"
    autoencoders = [size for name, size in needs.parts.items() if is_autoencoder(name)]
    # They are small, and stay on the device where everything else is there layer by layer.
    resident = 0 if by_parts else sum(autoencoders)
    sizes, copies = (needs.parts, 1) if by_parts else (needs.largest_layers, _LAYERS_AT_ONCE)
    stages = [
        resident + copies * size + (needs.denoising if name in NETWORKS else needs.encoding)
        for name, size in sizes.items()
        if not is_autoencoder(name)
    ]
    return max([*stages, (resident or max(autoencoders, default=0)) + decoding])


def is_autoencoder(part: str) -> bool:
    return part.endswith(("vae", "vqgan", "movq", "vocoder"))


def host_memory(needs: Footprint, level: OffloadLevel) -> int:
    """The bytes of the computer's memory that stay taken at that level.

    Files in the type that is computed in are mapped, not read into memory; all others are converted while they are
    loaded.
    """
    if level in ("model_offload", "group_offload") or needs.is_converted:
        return needs.weights
    return _LAYERS_AT_ONCE * max(needs.largest_layers.values(), default=0)


def plan_memory(
    spec: PipelineSpec,
    *,
    memory: int | None,
    ram: int | None,
    dtype: str = "",
    settings: ResolvedRequest | None = None,
    kind: str = "cuda",
    levels: Sequence[OffloadLevel] = (),
) -> MemoryPlan:
    """The fastest level at which the base fits into `memory` bytes of the device and `ram` bytes of the computer.

    None is any amount. `kind` is torch's name of the device; `levels` are those to choose from, where they are not all
    that it has. Images are decoded piece by piece only where no level can decode them whole: a level rounds at most,
    pieces do.
    """
    needs = footprint(spec, dtype or spec.dtype, settings, kind)
    for is_tiled, level in itertools.product((False, True), levels or levels_of(kind)):
        peak = peak_memory(needs, level, is_tiled=is_tiled)
        # Apple's GPUs and CPUs have no memory of their own.
        taken = host_memory(needs, level) if kind_of(kind).has_own_memory else peak
        fits_device = memory is None or peak * _GAPS <= memory
        fits_ram = ram is None or taken <= ram
        if fits_device and fits_ram:
            break
    notes = ["Only the size of the download is known: its parts are estimated."] if needs.estimated else []
    if not fits_device:
        notes.append("It does not fit into the device's memory.")
    if not fits_ram:
        notes.append(_short_of_ram(taken, ram or 0))
    if is_tiled:
        notes.append(_IN_PIECES)
    if level == "disk_offload":
        notes.append(_FROM_DISK)
    fits = fits_device and fits_ram
    return MemoryPlan(
        level=level, is_tiled=is_tiled, peak=peak, ram=taken, fits=fits, parts=needs.parts, notes=tuple(notes)
    )


_IN_PIECES = "The image is decoded piece by piece, which changes it a little."
_FROM_DISK = (
    "This computer's memory is too small for its weights: they are read from the disk in each step, which is slow."
)


def _short_of_ram(taken: int, ram: int) -> str:
    needed, free = (f"{size / _GIGABYTE:.0f} GB" for size in (taken, ram))
    return f"It takes {needed} of the computer's own memory, and {free} are free."


def levels_of(kind: str) -> tuple[OffloadLevel, ...]:
    """The levels of a device, by torch's name for it: without memory of its own there is nothing to offload from."""
    return LEVELS if kind_of(kind).has_own_memory else LEVELS[:1]


def usable_memory(card: int) -> int:
    """What a card of so many bytes leaves for a base: CUDA and the kernels take some for themselves."""
    return max(0, card - _CONTEXT)


def usable_ram(total: int) -> int:
    """What other programs leave of the computer's memory."""
    return max(0, total - _OTHER_PROGRAMS)
