"""What a .safetensors file is that a person offers as a base: told by its header, as for LoRAs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import HubUiError, NoBase
from connectors.http.ranges import FileRanges
from connectors.weights.file_type import WORDS, Structure, structure_of
from connectors.weights.header import Header, Tensor, read_header

_MODEL = ("model.diffusion_model.", "diffusion_model.", "unet.", "transformer.", "net.")
# The beginnings of names -> the part of a pipeline that they are. SDXL numbers its encoders, SD 3 and FLUX name them.
_PARTS: tuple[tuple[str, str], ...] = (
    ("first_stage_model.", "vae"),
    ("vae.", "vae"),
    ("cond_stage_model.", "text_encoder"),
    ("conditioner.embedders.0.", "text_encoder"),
    ("conditioner.embedders.1.", "text_encoder_2"),
    ("text_encoders.clip_l.", "text_encoder"),
    ("text_encoders.clip_g.", "text_encoder_2"),
)
# FLUX has one encoder fewer than SD 3, so that T5 is its second.
_T5 = "text_encoders.t5xxl."
_T5_PART = {"sd3": "text_encoder_3", "flux1": "text_encoder_2"}
_OTHERS = (_T5, *(start for start, _ in _PARTS))
_UNETS = ("sd1", "sd2", "sdxl")
# Tensors beside the weights that say how to unpack them.
_PACKED = (".absmax", ".quant_state", ".scale_weight", ".weight_scale", ".qweight", ".comfy_quant", "scaled_fp8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """`brings` are the parts of a pipeline whose weights are in the file.

    `size` is the id of a base of the same width, where widths differ within an architecture.
    `guided`: FLUX that is told how closely to follow the prompt, as dev is and schnell is not.
    `velocity`: a Stable Diffusion that predicts velocity; its file holds a tensor of that name to say so.
    """

    architecture: str
    brings: frozenset[str]
    size: str | None = None
    guided: bool = True
    velocity: bool = False


def recognised(path: Path) -> Recognised:
    """Raises NoBase with the reason why a file is no base."""
    return of_header(_header(path), path.name)


def of_header(header: Header, name: str) -> Recognised:
    found = structure_of(header.tensors)
    if found.what == "lora":
        raise NoBase(
            f"{name} is a LoRA: it changes a base model and is none itself. Leave --base out, or name the model it "
            "goes on."
        )
    if found.what not in ("checkpoint", "diffusion-model"):
        raise NoBase(f"{name} is {WORDS[found.what]}, not a base model. Choose a checkpoint.")
    if any(tensor.endswith(_PACKED) for tensor in header.tensors):
        raise NoBase(f"{name} is packed for another program (quantised). Choose a version in bf16 or fp16.")
    seen = structure_of(_as_lora(header.tensors))
    if len(seen.architectures) != 1 and seen.usual is None:
        raise NoBase(
            f"It can't be told which architecture {name} has; it may be newer than this program. Choose another base, "
            "or one in diffusers' layout (--base FOLDER)."
        )
    return _told(header.tensors, seen)


def _told(tensors: Mapping[str, Tensor], seen: Structure) -> Recognised:
    architecture = seen.usual or seen.architectures[0]
    return Recognised(
        architecture=architecture,
        brings=frozenset(_brought(tensors, architecture)),
        size=seen.size,
        guided=any("guidance_in." in name or "guidance_embedder." in name for name in tensors),
        velocity="v_pred" in tensors,
    )


def _header(path: Path) -> Header:
    if path.suffix.lower() != ".safetensors":
        raise NoBase(
            f"{path.name} is no safetensors file. Pickled checkpoints (.ckpt, .pt, .bin) can run code and are not "
            "loaded. Look for a .safetensors version."
        )
    try:
        with path.open("rb") as file:
            return read_header(FileRanges(file))
    except OSError as error:
        raise NoBase(f"{path} can't be read: {error.strerror or error}. Check the name.") from error
    except HubUiError as error:
        raise NoBase(f"{path.name} can't be used as a base: {error.message}") from error


def _as_lora(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The header of a LoRA for all layers of the model: the rules that tell what a LoRA fits then tell what this is."""
    halves: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer = _layer(name)
        if layer is None or len(tensor.shape) not in (2, 4):
            continue
        outputs, *inputs = tensor.shape
        up = (outputs, 1, *(1 for _ in inputs[1:]))
        halves[f"diffusion_model.{layer}.lora_A.weight"] = Tensor(dtype="F16", shape=(1, *inputs))
        halves[f"diffusion_model.{layer}.lora_B.weight"] = Tensor(dtype="F16", shape=up)
    return halves


def _layer(name: str) -> str | None:
    """The layer of the diffusion model that a weight belongs to; None for other parts' tensors and for biases."""
    prefix = next((start for start in _MODEL if name.startswith(start)), "")
    if not name.endswith(".weight") or (not prefix and name.startswith(_OTHERS)):
        return None
    return name[len(prefix) :].removesuffix(".weight")


def _brought(tensors: Mapping[str, Tensor], architecture: str) -> set[str]:
    parts = {part for name in tensors if (part := _part(name, architecture)) is not None}
    return {"unet" if architecture in _UNETS else "transformer", *parts}


def _part(name: str, architecture: str) -> str | None:
    if name.startswith(_T5):
        return _T5_PART.get(architecture)
    return next((part for start, part in _PARTS if name.startswith(start)), None)
