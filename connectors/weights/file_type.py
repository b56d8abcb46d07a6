"""The type of a safetensors file that is no LoRA for images or videos, by the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from connectors.weights.header import Tensor
from connectors.weights.key_formats import Named

What = Literal[
    "lora", "llm-lora", "vision-lora", "checkpoint", "diffusion-model", "vae", "text-encoder", "llm", "embedding",
    "controlnet", "t2i-adapter", "ip-adapter", "motion-module", "empty", "other",
]  # fmt: skip

WORDS: Mapping[What, str] = {
    "lora": "a LoRA",
    "llm-lora": "a LoRA for a language model",
    "vision-lora": "a LoRA for a vision model",
    "checkpoint": "a whole checkpoint",
    "diffusion-model": "a whole diffusion model",
    "vae": "a VAE",
    "text-encoder": "a text encoder",
    "llm": "a language model",
    "embedding": "a textual inversion embedding",
    "controlnet": "a ControlNet",
    "t2i-adapter": "a T2I adapter",
    "ip-adapter": "an IP-Adapter",
    "motion-module": "a motion module",
    "empty": "an empty file",
    "other": "something else",
}
# Prefixes of names, or of their parts after a dot.
_CONTROL = (
    "controlnet_", "control_model.", "control_layers.", "control_noise_refiner.", "control_blocks.", "lllite_",
    "input_hint_block.", "controlnet.", "zero_convs.", "pos_embed_input.", "lora_controlnet", "control_transformer",
)  # fmt: skip
_ENCODERS = (
    "text_model.", "cond_stage_model.", "conditioner.", "encoder.block.", "text_encoders.", "text_encoder.",
    "shared.", "text_projection", "transformer.resblocks.", "logit_scale",
)  # fmt: skip
_MODELS = (
    "double_blocks.", "single_blocks.", "transformer_blocks.", "single_transformer_blocks.", "joint_blocks.",
    "input_blocks.", "middle_block.", "output_blocks.", "down_blocks.", "up_blocks.", "mid_block.", "blocks.",
    "layers.", "noise_refiner.", "double_stream_blocks.", "joint_transformer_blocks.", "double_layers.",
    "visual_transformer_blocks.", "x_embedder.", "patch_embedding.", "diffusion_model.",
)  # fmt: skip
# A layer of a language model or a classifier of the transformers library.
_LANGUAGE = re.compile(
    r"(?:^|_)(?:layers?|h|block)_\d+_(?:layer_\d+_)?"
    r"(?:self_attn|self_attention|linear_attn|attention|attn|crossattention|SelfAttention|EncDecAttention|encoder_attn)_"
    r"(?:self_|attention_|output_)?(?:query_key_value|query|key|value|[qkvo]_proj|[qo]_[ab]_proj|kv_[ab]_proj|out_proj"
    r"|qkv_proj|in_proj|[qkv]_lin|out_lin|c_attn|c_proj|W_pack|dense|[qkvo]$)"
    r"|(?:^|_)(?:model_layers|h)_\d+_(?:mlp|block_sparse_moe|feed_forward)_"
    r"|(?:^|_)layers?_\d+_(?:mlp_fc\d|fc\d|intermediate_dense|output_dense|mixer_\w+)$|_DenseReluDense_w"
    r"|_ffn_(?:up|down)_proj$|_ffn_lin\d$|_mlp_dense_|_feed_forward_(?:intermediate|output)_dense$"
    r"|(?:^|_)layers_\d+_feed_forward_(?:gate|up|down)_proj$"
    # The image encoder of a language model.
    r"|(?:^|_)(?:visual_blocks|vision_tower|multi_modal_projector)_"
)
_LANGUAGE_TENSOR = re.compile(
    r"(?:model\.|language_model\.)*(?:layers\.\d+\.(?:self_attn|mlp|linear_attn)|embed_tokens)"
    r"|(?:transformer\.)?(?:h\.\d+\.|wte\.|wpe\.)|lm_head\.|gpt_neox\."
)
# Layers of MPT, Phi, ModernBERT, RWKV, Mamba, Gemma 3n and ALBERT that no image model has.
_LANGUAGE_ALONE = re.compile(r"_Wqkv$|_receptance$|_mamba_|_temporal_block_|_altup_|(?:^|_)albert_layer")
_VISION = re.compile(
    r"^(?:image_encoder|visual_trunk|vision_encoder|backbone(?!_layers_\d+_mixer)|trunk|mask_decoder)_"
    r"|^blocks_\d+_attn_(?:qkv|proj)$"
    # Swin, SegFormer, Hiera, ConvNeXt.
    r"|(?:^|_)encoder_layers_\d+_blocks_\d+_|(?:^|_)stages_\d+_(?:blocks|layers)_\d+_"
)

# Timestep embeddings, which only diffusion models have.
_TIME = ("x_embedder.", "t_embedder.", "time_embed.", "time_embedding.", "time_text_embed.", "adaLN_modulation.")
# The image encoders of CLIP and SigLIP, Whisper, upscalers.
_SENSES = ("vision_model.", "visual.", "vision_tower.", "image_encoder.", "encoder.conv1.", "conv_first.")
_TEXT_WIDTHS = (768, 1024, 1280, 2048, 2560, 3584, 4096)
_EMBEDDINGS = ("emb_params", "clip_l", "clip_g", "t5", "t5xxl", "string_to_param", "text_encoders_0", "text_encoders_1")

_Tensors = Mapping[str, Tensor]


def _has(*words: str) -> Callable[[_Tensors], bool]:
    """Whether a name, or a part of one after a dot, begins with one of the words."""
    inside = tuple(f".{word}" for word in words)
    return lambda tensors: any(name.startswith(words) or any(word in name for word in inside) for name in tensors)


def _begins(*words: str) -> Callable[[_Tensors], bool]:
    return lambda tensors: any(name.startswith(words) for name in tensors)


def _is_embedding(tensors: _Tensors) -> bool:
    """A handful of vectors as wide as a text encoder's, under a token's name or a web UI's."""
    if len(tensors) > 8:
        return False
    named = all(name in _EMBEDDINGS or name.startswith(("string_to_param.", "<")) for name in tensors)
    flat = all(len(tensor.shape) in (1, 2) and tensor.shape[-1] in _TEXT_WIDTHS for tensor in tensors.values())
    return named or (flat and len(tensors) <= 4 and not any("." in name for name in tensors))


def _is_checkpoint(tensors: _Tensors) -> bool:
    """Several components of a pipeline, or a U-Net with the original names, which is only found in checkpoints."""
    parts = (
        any("diffusion_model." in name or name.startswith("unet.") for name in tensors),
        _begins("first_stage_model.", "vae.")(tensors),
        _begins("cond_stage_model.", "conditioner.", "text_encoders.", "text_encoder.")(tensors),
    )
    unet = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed.")
    ldm = _begins(*(f"model.diffusion_model.{part}" for part in unet))(tensors)
    return sum(parts) >= 2 or ldm or not tensors.keys().isdisjoint(("alphas_cumprod", "betas", "model_ema.decay"))


def _is_sense(tensors: _Tensors) -> bool:
    """A whole CLIP is none of these: it has a text encoder too."""
    return _has(*_SENSES)(tensors) and not _begins(*_ENCODERS)(tensors)


def _is_vae(tensors: _Tensors) -> bool:
    if _begins("first_stage_model.", "quant_conv.", "post_quant_conv.")(tensors):
        return True
    halves = ("decoder.", "encoder.", "vae.", "taesd_")
    return any(name.startswith(halves) and len(tensor.shape) >= 4 for name, tensor in tensors.items())


_RULES: tuple[tuple[What, Callable[[_Tensors], bool]], ...] = (
    ("empty", lambda tensors: not tensors),
    ("ip-adapter", _has("ip_adapter", "image_proj.", "image_proj_model.")),
    (
        "motion-module",
        lambda tensors: any("motion_module" in name or "temporal_transformer." in name for name in tensors),
    ),
    ("checkpoint", _is_checkpoint),
    ("controlnet", _has(*_CONTROL)),
    ("t2i-adapter", _has("adapter.body.", "body.0.block", "body.0.resnets")),
    ("embedding", _is_embedding),
    ("vae", _is_vae),
    ("text-encoder", lambda tensors: _has(*_ENCODERS)(tensors) and not _is_sense(tensors)),
    ("diffusion-model", _has(*_TIME)),
    ("llm", lambda tensors: any(map(_LANGUAGE_TENSOR.match, tensors))),
    ("other", _is_sense),
    # PEFT saves no whole model: this is another of its adapters (VeRA, HRA, prompt tuning).
    ("other", _has("base_model.model.")),
    ("diffusion-model", _has(*_MODELS)),
    ("other", lambda _tensors: True),
)
# Types that may be stored as LoRA layers.
_DESPITE_LORA: tuple[What, ...] = ("ip-adapter", "motion-module", "controlnet")
_DESPITE_NAMES = ("ip_adapter", "image_proj", "motion_module", "temporal_transformer_", "lllite_")


def what_it_is(tensors: _Tensors) -> What:
    """For a file that has no LoRA layers, or few beside others."""
    return next(what for what, holds in _RULES if holds(tensors))


def despite_lora(tensors: _Tensors, named: Named) -> What | None:
    """What a file with LoRA layers is, if a ControlNet, IP-Adapter or motion module was stored in that form."""
    names = "\n".join(named.model)
    if not any(word in names for word in _DESPITE_NAMES) and "lora_controlnet" not in tensors:
        return None
    found = what_it_is(tensors)
    return found if found in _DESPITE_LORA else None


def of_another_model(named: Named) -> What | None:
    """Either "llm-lora" or "vision-lora" where most layers belong to such a model, else None."""
    names = tuple(named.model)
    if not names or any(prefix.format not in ("", "peft", "diffusers") for prefix in named.prefixes):
        return None
    if _most(names, _VISION):
        return "vision-lora"
    return "llm-lora" if any(map(_LANGUAGE_ALONE.search, names)) or _most(names, _LANGUAGE) else None


def _most(names: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return sum(pattern.search(name) is not None for name in names) * 2 > len(names)
