"""The real networks, as large as they are published but without weights: names and shapes of every parameter.

They are built by diffusers and transformers on the meta device, from the values of the published configs that differ
from the classes' defaults. Nothing is downloaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub_ui.generate.lora.modules import Model

if TYPE_CHECKING:
    from torch import nn

Values = Mapping[str, Any]
_SD_UNET: Values = {"sample_size": 64, "cross_attention_dim": 768}
_SDXL_UNET: Values = {
    "sample_size": 128,
    "cross_attention_dim": 2048,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_SD2_UNET: Values = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
_KOLORS_UNET: Values = {
    **_SDXL_UNET,
    "projection_class_embeddings_input_dim": 5632,
    "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj",
}
_CLIP_L: Values = {"hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768}
_CLIP_H: Values = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
}  # fmt: skip
_CLIP_G: Values = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
_T5_XXL: Values = {
    "d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24, "feed_forward_proj": "gated-gelu",
}  # fmt: skip
_QWEN3_06B: Values = {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
_WAN_14B: Values = {}
_WAN_I2V: Values = {"in_channels": 36, "added_kv_proj_dim": 5120, "image_dim": 1280}
_WAN_13B: Values = {"num_attention_heads": 12, "num_layers": 30, "ffn_dim": 8960}
_WAN_5B: Values = {
    "num_attention_heads": 24, "num_layers": 30, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48,
}  # fmt: skip
_HIDREAM: Values = {
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 16,
    "num_single_layers": 32,
    "attention_head_dim": 128,
    "num_attention_heads": 20,
    "caption_channels": [4096, 4096],
    "text_emb_dim": 2048,
    "num_routed_experts": 4,
    "num_activated_experts": 2,
    "axes_dims_rope": (64, 32, 32),
    "max_resolution": (128, 128),
    "llama_layers": list(range(48)),
}
_ANIMA: Values = {
    "in_channels": 16,
    "out_channels": 16,
    "num_attention_heads": 16,
    "attention_head_dim": 128,
    "num_layers": 28,
    "text_embed_dim": 1024,
    "adaln_lora_dim": 256,
    "extra_pos_embed_type": None,
    "concat_padding_mask": True,
}
_SD3_MEDIUM: Values = {
    "num_layers": 24,
    "num_attention_heads": 24,
    "attention_head_dim": 64,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "qk_norm": "rms_norm",
    "dual_attention_layers": tuple(range(13)),
}
_SD3_LARGE: Values = {
    **_SD3_MEDIUM,
    "num_layers": 38,
    "num_attention_heads": 38,
    "caption_projection_dim": 2432,
    "dual_attention_layers": (),
}
_LTX2: Values = {}
_KLEIN_4B: Values = {
    "num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680,
}  # fmt: skip
_KLEIN_9B: Values = {
    "num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288,
}  # fmt: skip
_PIXART: Values = {"caption_channels": 4096, "sample_size": 128, "use_additional_conditions": True}
_SANA_06B: Values = {
    "num_layers": 28,
    "num_attention_heads": 36,
    "attention_head_dim": 32,
    "num_cross_attention_heads": 16,
    "cross_attention_head_dim": 72,
    "cross_attention_dim": 1152,
}
_COG_5B: Values = {"num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True}

# name -> component -> the library's class and the values that differ from its defaults.
Parts = Mapping[str, tuple[str, Values]]
MODELS: Mapping[str, Parts] = {
    "sd1": {"unet": ("UNet2DConditionModel", _SD_UNET), "text_encoder": ("CLIPTextModel", _CLIP_L)},
    "sd2": {"unet": ("UNet2DConditionModel", _SD2_UNET), "text_encoder": ("CLIPTextModel", _CLIP_H)},
    "sdxl": {
        "unet": ("UNet2DConditionModel", _SDXL_UNET),
        "text_encoder": ("CLIPTextModel", _CLIP_L),
        "text_encoder_2": ("CLIPTextModelWithProjection", _CLIP_G),
    },
    "kolors": {"unet": ("UNet2DConditionModel", _KOLORS_UNET)},
    "sd3 medium": {
        "transformer": ("SD3Transformer2DModel", _SD3_MEDIUM),
        "text_encoder": ("CLIPTextModelWithProjection", _CLIP_L),
        "text_encoder_2": ("CLIPTextModelWithProjection", _CLIP_G),
        "text_encoder_3": ("T5EncoderModel", _T5_XXL),
    },
    "sd3 large": {
        "transformer": ("SD3Transformer2DModel", _SD3_LARGE),
        "text_encoder": ("CLIPTextModelWithProjection", _CLIP_L),
        "text_encoder_2": ("CLIPTextModelWithProjection", _CLIP_G),
        "text_encoder_3": ("T5EncoderModel", _T5_XXL),
    },
    "flux1": {
        "transformer": ("FluxTransformer2DModel", {"guidance_embeds": True}),
        "text_encoder": ("CLIPTextModel", _CLIP_L),
        "text_encoder_2": ("T5EncoderModel", _T5_XXL),
    },
    "chroma": {"transformer": ("ChromaTransformer2DModel", {}), "text_encoder": ("T5EncoderModel", _T5_XXL)},
    "flux2 dev": {"transformer": ("Flux2Transformer2DModel", {})},
    "flux2 klein 4b": {"transformer": ("Flux2Transformer2DModel", _KLEIN_4B)},
    "flux2 klein 9b": {"transformer": ("Flux2Transformer2DModel", _KLEIN_9B)},
    "qwen-image": {"transformer": ("QwenImageTransformer2DModel", {})},
    "qwen-image-2": {"transformer": ("QwenImage21Transformer2DModel", {})},
    "z-image": {"transformer": ("ZImageTransformer2DModel", {})},
    "lumina2": {"transformer": ("Lumina2Transformer2DModel", {})},
    "wan 14b": {"transformer": ("WanTransformer3DModel", _WAN_14B), "transformer_2": ("WanTransformer3DModel", {})},
    "wan i2v": {"transformer": ("WanTransformer3DModel", _WAN_I2V)},
    "wan 1.3b": {"transformer": ("WanTransformer3DModel", _WAN_13B)},
    "wan 5b": {"transformer": ("WanTransformer3DModel", _WAN_5B)},
    "hunyuan-video": {
        "transformer": ("HunyuanVideoTransformer3DModel", {}),
        "text_encoder_2": ("CLIPTextModel", _CLIP_L),
    },
    "framepack": {"transformer": ("HunyuanVideoFramepackTransformer3DModel", {"has_image_proj": True})},
    "hunyuan-video-1.5": {"transformer": ("HunyuanVideo15Transformer3DModel", {})},
    "hunyuan-image": {"transformer": ("HunyuanImageTransformer2DModel", {})},
    "ltx-video": {"transformer": ("LTXVideoTransformer3DModel", {})},
    "ltx-video-2": {"transformer": ("LTX2VideoTransformer3DModel", _LTX2)},
    "anima": {
        "transformer": ("CosmosTransformer3DModel", _ANIMA),
        "text_conditioner": ("AnimaTextConditioner", {}),
        "text_encoder": ("Qwen3Model", _QWEN3_06B),
    },
    "krea2": {"transformer": ("Krea2Transformer2DModel", {})},
    "hidream": {"transformer": ("HiDreamImageTransformer2DModel", _HIDREAM)},
    "pixart": {"transformer": ("PixArtTransformer2DModel", _PIXART), "text_encoder": ("T5EncoderModel", _T5_XXL)},
    "sana 1.6b": {"transformer": ("SanaTransformer2DModel", {})},
    "sana 0.6b": {"transformer": ("SanaTransformer2DModel", _SANA_06B)},
    "auraflow": {"transformer": ("AuraFlowTransformer2DModel", {})},
    "cogvideox 2b": {"transformer": ("CogVideoXTransformer3DModel", {})},
    "cogvideox 5b": {"transformer": ("CogVideoXTransformer3DModel", _COG_5B)},
    "cogview4": {"transformer": ("CogView4Transformer2DModel", {})},
    "mochi": {"transformer": ("MochiTransformer3DModel", {})},
    "flux3": {"transformer": ("Flux3Transformer2DModel", {})},
    "ideogram4": {"transformer": ("Ideogram4Transformer2DModel", {})},
    "kandinsky5": {"transformer": ("Kandinsky5Transformer3DModel", {})},
    "ernie": {"transformer": ("ErnieImageTransformer2DModel", {})},
    "joy-image": {"transformer": ("JoyImageEditTransformer3DModel", {})},
    "kandinsky6": {"transformer": ("Kandinsky6Transformer3DModel", {})},
    "ovis-image": {"transformer": ("OvisImageTransformer2DModel", {})},
    "minimax-h3": {"transformer": ("MiniMaxH3Transformer3DModel", {})},
}


def architecture_of(name: str) -> str:
    """ "flux2 klein 4b" is a flux2."""
    return name.partition(" ")[0]


def sizes_of(architecture: str) -> list[str]:
    """The models of an architecture; it may be published in several sizes."""
    return [name for name in MODELS if architecture_of(name) == architecture]


def built(name: str) -> Model:
    return shapes_of(parts(name))


def shapes_of(networks: Mapping[str, nn.Module]) -> Model:
    return {
        component: {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
        for component, network in networks.items()
    }


def parts(name: str) -> dict[str, nn.Module]:
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        # diffusers' own classes use names that diffusers calls deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        return {component: _network(*part) for component, part in MODELS[name].items()}


def _network(library_class: str, values: Values) -> nn.Module:
    import diffusers
    import transformers

    if hasattr(diffusers, library_class):
        made: nn.Module = getattr(diffusers, library_class)(**values)
        return made
    make: Any = getattr(transformers, library_class)
    encoder: nn.Module = make(make.config_class(**values))
    return encoder
