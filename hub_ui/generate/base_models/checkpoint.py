"""What a .safetensors file is that a person offers as a base: read from its header, as for LoRAs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import HubUiError, NoBase
from connectors.weights.file_type import WORDS, structure_of
from connectors.weights.header import FileReader, Header, Tensor, read_header

_MODEL = ("model.diffusion_model.", "diffusion_model.", "unet.", "transformer.", "net.")
# The beginnings of names -> the part of a pipeline that they are. SDXL numbers its encoders, SD 3 and FLUX name them.
_PARTS: Mapping[str, str] = {
    "first_stage_model.": "vae",
    "vae.": "vae",
    "cond_stage_model.": "text_encoder",
    "conditioner.embedders.0.": "text_encoder",
    "conditioner.embedders.1.": "text_encoder_2",
    "text_encoders.clip_l.": "text_encoder",
    "text_encoders.clip_g.": "text_encoder_2",
}
# FLUX has one encoder fewer than SD 3, so that T5 is its second.
_T5 = "text_encoders.t5xxl."
_T5_PART = {"sd3": "text_encoder_3", "flux1": "text_encoder_2"}
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


def identify_checkpoint(path: Path) -> Recognised:
    """Raises NoBase with the reason why a file is no base."""
    if path.suffix.lower() != ".safetensors":
        raise NoBase(
            f"{path.name} is no safetensors file. Pickled checkpoints (.ckpt, .pt, .bin) can run code and are not "
            "loaded. Look for a .safetensors version."
        )
    try:
        with path.open("rb") as file:
            header = read_header(FileReader(file))
    except OSError as error:
        raise NoBase(f"{path} can't be read: {error.strerror or error}. Check the name.") from error
    except HubUiError as error:
        raise NoBase(f"{path.name} can't be used as a base: {error.message}") from error
    return identify_header(header, path.name)


def identify_header(header: Header, name: str) -> Recognised:
    tensors, what = header.tensors, structure_of(header.tensors).what
    if what == "lora":
        raise NoBase(
            f"{name} is a LoRA: it changes a base model and is none itself. Leave --base out, or name the model it "
            "goes on."
        )
    if what not in ("checkpoint", "diffusion-model"):
        raise NoBase(f"{name} is {WORDS[what]}, not a base model. Choose a checkpoint.")
    if any(tensor.endswith(_PACKED) for tensor in tensors):
        raise NoBase(f"{name} is packed for another program (quantised). Choose a version in bf16 or fp16.")
    found = structure_of(_lora_of_all_layers(tensors))
    if len(found.architectures) != 1 and found.usual is None:
        raise NoBase(
            f"It can't be told which architecture {name} has; it may be newer than this program. Choose another base, "
            "or one in diffusers' layout (--base FOLDER)."
        )
    architecture = found.usual or found.architectures[0]
    prefixes = {**_PARTS, _T5: _T5_PART.get(architecture)}
    parts = {part for start, part in prefixes.items() if part and any(tensor.startswith(start) for tensor in tensors)}
    return Recognised(
        architecture=architecture,
        brings=frozenset({"unet" if architecture in _UNETS else "transformer", *parts}),
        size=found.size,
        guided=any("guidance_in." in tensor or "guidance_embedder." in tensor for tensor in tensors),
        velocity="v_pred" in tensors,
    )


def _lora_of_all_layers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The header of a LoRA for all layers of the model: the rules that tell what a LoRA fits then tell what this is."""
    halves: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        prefix = next((start for start in _MODEL if name.startswith(start)), "")
        of_another_part = not prefix and name.startswith((_T5, *_PARTS))
        if of_another_part or not name.endswith(".weight") or len(tensor.shape) not in (2, 4):
            continue
        layer = f"diffusion_model.{name.removeprefix(prefix).removesuffix('.weight')}"
        outputs, *inputs = tensor.shape
        up = (outputs, 1, *(1 for _ in inputs[1:]))
        halves[f"{layer}.lora_A.weight"] = Tensor(dtype="F16", shape=(1, *inputs))
        halves[f"{layer}.lora_B.weight"] = Tensor(dtype="F16", shape=up)
    return halves
