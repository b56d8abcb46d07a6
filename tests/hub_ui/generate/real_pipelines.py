"""Whole pipelines of published size without weights, and how one image is made with each: for counting bytes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from diffusers.pipelines import ltx2
from diffusers.utils import logging
from torch import nn
from transformers import BatchEncoding

from hub_ui.generate.base_models import PipelineSpec, base_by_id
from hub_ui.generate.pipeline_arguments import call_arguments
from hub_ui.generate.settings import ResolvedRequest
from tests.tools.accuracy import real_models
from tests.tools.gpu import networks

logging.set_verbosity_error()
Values = Mapping[str, Any]
Part = tuple[str, Values]
GEMMA_2: Part = ("Gemma2Model", real_models.CONFIGS["gemma_2"])
SANA_06B: Values = real_models.MODELS["sana 0.6b"]["transformer"][1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Real:
    """The parts of a pipeline. `words`: how many a text has for each tokenizer, or where it is filled up to."""

    parts: Mapping[str, Part]
    scheduler: Part
    words: tuple[int, ...]
    side: str = "right"
    extra: Values = field(default_factory=dict)


class Words:
    """Stands in for a tokenizer, of which no file is here: every text has as many words as the base's are filled up to,
    or `words`, where they are not.
    """

    bos_token = eos_token = pad_token = "."

    def __init__(self, words: int, side: str) -> None:
        self.words, self.padding_side, self.model_max_length = words, side, words

    def __call__(self, text: Any, padding: Any = True, max_length: int | None = None, **_options: Any) -> Any:
        shape = len(text) if isinstance(text, list) else 1, (padding == "max_length" and max_length) or self.words
        ids = torch.ones(shape, dtype=torch.long)
        return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def tokenize(self, _text: str) -> list[str]:
        return []

    def apply_chat_template(self, _messages: Any, **_options: Any) -> str:
        return ""

    def batch_decode(self, *_ids: Any) -> list[str]:
        return [""]


def _encoders(name: str) -> dict[str, Part]:
    return {part: value for part, value in real_models.MODELS[name].items() if part.startswith("text_encoder")}


_FLOW: Part = ("FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True})
_KL_16: Values = {**networks.FLUX_VAE}
REAL: Mapping[str, Real] = {
    "sdxl-1.0": Real(
        parts={**real_models.MODELS["sdxl"], "vae": ("AutoencoderKL", networks.SDXL_VAE)},
        scheduler=("EulerDiscreteScheduler", {"beta_schedule": "scaled_linear", "steps_offset": 1}),
        words=(77, 77),
        extra={"add_watermarker": False},
    ),
    "sd-3.5-large": Real(
        parts={
            **_encoders("sd3 large"),
            "transformer": ("SD3Transformer2DModel", {**real_models.CONFIGS["sd3_large"], "pos_embed_max_size": 192}),
            "vae": ("AutoencoderKL", _KL_16)},
        scheduler=("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
        words=(77, 77, 256),
    ),
    "flux.1-dev": Real(
        parts={**real_models.MODELS["flux1"], "vae": ("AutoencoderKL", _KL_16)},
        scheduler=_FLOW,
        words=(77, 512),
    ),
    "qwen-image": Real(
        parts={
            **real_models.MODELS["qwen-image"],
            "text_encoder": ("Qwen2_5_VLForConditionalGeneration", real_models.CONFIGS["qwen_vl"]),
            "vae": ("AutoencoderKLQwenImage", {}),
        },
        scheduler=_FLOW,
        words=(100,),
    ),
    "z-image": Real(
        parts={
            **real_models.MODELS["z-image"],
            "text_encoder": ("Qwen3Model", real_models.CONFIGS["qwen_3"]),
            "vae": ("AutoencoderKL", _KL_16),
        },
        scheduler=_FLOW,
        words=(512,),
    ),
    "wan-2.1-t2v-14b": Real(
        parts={
            "transformer": real_models.MODELS["wan 14b"]["transformer"],
            "text_encoder": ("UMT5EncoderModel", real_models.CONFIGS["umt5"]),
            "vae": ("AutoencoderKLWan", {}),
        },
        scheduler=("UniPCMultistepScheduler", {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}),
        words=(512,),
    ),
    "ltx-2": Real(
        parts={
            **real_models.MODELS["ltx-video-2"],
            "text_encoder": ("Gemma3ForConditionalGeneration", real_models.CONFIGS["gemma_3"]),
            "vae": ("AutoencoderKLLTX2Video", {"spatial_compression_ratio": 32, "temporal_compression_ratio": 8}),
            "audio_vae": ("AutoencoderKLLTX2Audio", {}),
            "connectors": ("LTX2TextConnectors", {}),
            "vocoder": ("LTX2Vocoder", {}),
        },
        scheduler=_FLOW,
        words=(1024,),
        side="left",
    ),
}  # fmt: skip


def spec_of(name: str) -> PipelineSpec:
    found = base_by_id(name)
    assert found is not None
    return found


def build(name: str) -> Any:
    """The pipeline in its own precision, on no device yet."""
    real, spec = REAL[name], spec_of(name)
    parts = parts_of(name)
    scheduler, values = real.scheduler
    names = [part.replace("text_encoder", "tokenizer") for part in parts if part.startswith("text_encoder")]
    words = {name: Words(count, real.side) for name, count in zip(sorted(names), real.words, strict=True)}
    kind = getattr(diffusers, spec.pipeline)
    pipe = kind(**parts, **words, scheduler=getattr(diffusers, scheduler)(**values), **real.extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def built(library_class: str, values: Values) -> nn.Module:
    """A network without values."""
    with torch.device("meta"):
        return _network(library_class, values)


def parts_of(name: str) -> dict[str, nn.Module]:
    """Its parts that have weights."""
    spec = spec_of(name)
    dtypes = {"vae": torch.float32} if spec.decodes_in_float32 else {}
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        return {
            part: _network(*value).to(dtypes.get(part, getattr(torch, spec.dtype))).requires_grad_(False)
            for part, value in REAL[name].parts.items()
        }


def _network(library_class: str, values: Values) -> nn.Module:
    if hasattr(ltx2, library_class):
        made: nn.Module = getattr(ltx2, library_class)(**values)
        return made.eval()
    return real_models._network(library_class, values).eval()


def draw(pipe: Any, spec: PipelineSpec) -> None:
    """One image or video of the base's own size, called as the engine calls it: in two steps, because layers are
    prefetched from the second on.
    """
    settings = ResolvedRequest(
        negative="", seed=1, steps=2, guidance=spec.guidance, width=spec.width, height=spec.height,
        frames=spec.video.frames if spec.video else 0,
    )  # fmt: skip
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        pipe(**{**call_arguments(pipe, settings, ["a cat"]), "output_type": "pt"}, return_dict=False)
