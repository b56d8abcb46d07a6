"""What a safetensors file is when it is no LoRA for pictures or films: told by its tensors' names, first rule first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
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
# Each word stands at the beginning of a name, or after a dot.
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
    # The eye of a language model that sees.
    r"|(?:^|_)(?:visual_blocks|vision_tower|multi_modal_projector)_"
)
# A layer that no picture model has: of MPT, Phi, ModernBERT, RWKV, Mamba and its kin, Gemma 3n, ALBERT.
_LANGUAGE_ALONE = re.compile(r"_Wqkv$|_receptance$|_mamba_|_temporal_block_|_altup_|(?:^|_)albert_layer")
_VISION = re.compile(
    r"^(?:image_encoder|visual_trunk|vision_encoder|backbone(?!_layers_\d+_mixer)|trunk|mask_decoder)_"
    r"|^blocks_\d+_attn_(?:qkv|proj)$"
    # Swin, SegFormer, Hiera, ConvNeXt.
    r"|(?:^|_)encoder_layers_\d+_blocks_\d+_|(?:^|_)stages_\d+_(?:blocks|layers)_\d+_"
)

_Names = Mapping[str, Tensor]


def _has(*words: str) -> Callable[[_Names], bool]:
    return lambda tensors: any(_starts(name, words) for name in tensors)


def _starts(name: str, words: tuple[str, ...]) -> bool:
    return name.startswith(words) or any(f".{word}" in name for word in words)


def _is_embedding(tensors: _Names) -> bool:
    """A handful of vectors as wide as a text encoder's, under a token's name or a web UI's."""
    known = {"emb_params", "clip_l", "clip_g", "t5", "t5xxl", "string_to_param", "text_encoders_0", "text_encoders_1"}
    if len(tensors) > 8:
        return False
    named = all(name in known or name.startswith(("string_to_param.", "<")) for name in tensors)
    flat = all(len(tensor.shape) in (1, 2) and tensor.shape[-1] in _TEXT_WIDTHS for tensor in tensors.values())
    return named or (flat and len(tensors) <= 4 and not any("." in name for name in tensors))


_TEXT_WIDTHS = (768, 1024, 1280, 2048, 2560, 3584, 4096)


_ENCODERS_OF_PIPELINES = ("cond_stage_model.", "conditioner.", "text_encoders.", "text_encoder.")


def _is_checkpoint(tensors: _Names) -> bool:
    """The parts of a pipeline in one file, or a U-Net in the original code's names, which was always part of one."""
    parts = (
        any("diffusion_model." in name or name.startswith("unet.") for name in tensors),
        any(name.startswith(("first_stage_model.", "vae.")) for name in tensors),
        any(
            name.startswith(("cond_stage_model.", "conditioner.", "text_encoders.", "text_encoder."))
            for name in tensors
        ),
    )
    unet = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed.")
    ldm = any(name.startswith(tuple(f"model.diffusion_model.{part}" for part in unet)) for name in tensors)
    return sum(parts) >= 2 or ldm or any(name in ("alphas_cumprod", "betas", "model_ema.decay") for name in tensors)


def _is_language_model(tensors: _Names) -> bool:
    return any(
        re.match(r"(?:model\.|language_model\.)*(?:layers\.\d+\.(?:self_attn|mlp|linear_attn)|embed_tokens)", name)
        or re.match(r"(?:transformer\.)?(?:h\.\d+\.|wte\.|wpe\.)|lm_head\.|gpt_neox\.", name)
        for name in tensors
    )


# Layers that read how noisy a picture is: of a diffusion model, whatever else is in it.
_TIME = ("x_embedder.", "t_embedder.", "time_embed.", "time_embedding.", "time_text_embed.", "adaLN_modulation.")
# The eye of CLIP or SigLIP, the ear of Whisper, upscalers.
_SENSES = ("vision_model.", "visual.", "vision_tower.", "image_encoder.", "encoder.conv1.", "conv_first.")


def _is_sense(tensors: _Names) -> bool:
    """Told apart from a whole CLIP by its missing text encoder."""
    return _has(*_SENSES)(tensors) and not any(name.startswith(_ENCODERS) for name in tensors)


def _is_vae(tensors: _Names) -> bool:
    if any(name.startswith(("first_stage_model.", "quant_conv.", "post_quant_conv.")) for name in tensors):
        return True
    halves = ("decoder.", "encoder.", "vae.", "taesd_")
    return any(name.startswith(halves) and len(tensor.shape) >= 4 for name, tensor in tensors.items())


def _is_motion_module(tensors: _Names) -> bool:
    return any("motion_module" in name or "temporal_transformer." in name for name in tensors)


_RULES: tuple[tuple[What, Callable[[_Names], bool]], ...] = (
    ("empty", lambda tensors: not tensors),
    ("ip-adapter", _has("ip_adapter", "image_proj.", "image_proj_model.")),
    ("motion-module", _is_motion_module),
    ("checkpoint", _is_checkpoint),
    ("controlnet", _has(*_CONTROL)),
    ("t2i-adapter", _has("adapter.body.", "body.0.block", "body.0.resnets")),
    ("embedding", _is_embedding),
    ("vae", _is_vae),
    ("text-encoder", lambda tensors: _has(*_ENCODERS)(tensors) and not _is_sense(tensors)),
    ("diffusion-model", _has(*_TIME)),
    ("llm", _is_language_model),
    ("other", _is_sense),
    # PEFT saves no whole model: this is another of its adapters (VeRA, HRA, prompt tuning).
    ("other", _has("base_model.model.")),
    ("diffusion-model", _has(*_MODELS)),
    ("other", lambda _tensors: True),
)  # fmt: skip
# Things whose files hold LoRA layers too, and are yet something else.
_DESPITE_LORA: tuple[What, ...] = ("ip-adapter", "motion-module", "controlnet")
_DESPITE_NAMES = ("ip_adapter", "image_proj", "motion_module", "temporal_transformer_", "lllite_")


def what_it_is(tensors: _Names) -> What:
    """For a file that has no LoRA layers, or few beside others."""
    return next(what for what, holds in _RULES if holds(tensors))


def despite_lora(tensors: _Names, named: Named) -> What | None:
    """What a file with LoRA layers is, if a ControlNet, IP-Adapter or motion module was stored in that form."""
    together = "\n".join(named.model)
    if not any(word in together for word in _DESPITE_NAMES) and "lora_controlnet" not in tensors:
        return None
    found = what_it_is(tensors)
    return found if found in _DESPITE_LORA else None


def of_another_model(named: Named) -> What | None:
    """Either "llm-lora" or "vision-lora" where most layers belong to such a model; None for a picture model's."""
    names = tuple(named.model)
    if not names or any(prefix.format not in ("", "peft", "diffusers") for prefix in named.prefixes):
        return None
    if _most(names, _VISION):
        return "vision-lora"
    is_language = any(map(_LANGUAGE_ALONE.search, names)) or _most(names, _LANGUAGE)
    return "llm-lora" if is_language else None


def _most(names: Iterable[str], pattern: re.Pattern[str]) -> bool:
    found = [pattern.search(name) is not None for name in names]
    return sum(found) * 2 > len(found)
