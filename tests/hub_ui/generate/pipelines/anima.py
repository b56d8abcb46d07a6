"""Anima is a modular pipeline: its folder holds `modular_model_index.json`, its parts are loaded by a second call."""

from typing import Any

from tests.hub_ui.generate.pipelines import language_models, qwen_image, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "CosmosTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, mlp_ratio=2.0, text_embed_dim=language_models.WIDTH, adaln_lora_dim=8, max_size=(4, 32, 32),
        patch_size=(1, 2, 2), rope_scale=(1.0, 1.0, 1.0), concat_padding_mask=True, extra_pos_embed_type=None,
    )  # fmt: skip
    conditioner = build(
        "AnimaTextConditioner", source_dim=language_models.WIDTH, target_dim=language_models.WIDTH,
        model_dim=language_models.WIDTH, num_layers=1, num_attention_heads=2, target_vocab_size=tokens.VOCABULARY,
        min_sequence_length=24,
    )  # fmt: skip
    return {
        "text_encoder": language_models.qwen3(), "tokenizer": tokens.qwen2(), "t5_tokenizer": tokens.t5(),
        "vae": qwen_image.vae(), "transformer": transformer, "text_conditioner": conditioner,
        "scheduler": flow(shift=3.0),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "negative_prompt": "blur", "max_sequence_length": 24, "output": "latents",
    "output_type": "pt",
}  # fmt: skip
ANIMA = Base(name="anima", architecture="anima", pipeline="AnimaModularPipeline", parts=_parts, call=CALL)

PARTS = {
    "adaln_modulation_self_attn.1": "norm1.linear_1", "adaln_modulation_self_attn.2": "norm1.linear_2",
    "adaln_modulation_cross_attn.1": "norm2.linear_1", "adaln_modulation_cross_attn.2": "norm2.linear_2",
    "adaln_modulation_mlp.1": "norm3.linear_1", "adaln_modulation_mlp.2": "norm3.linear_2",
    "self_attn.q_proj": "attn1.to_q", "self_attn.k_proj": "attn1.to_k", "self_attn.v_proj": "attn1.to_v",
    "self_attn.output_proj": "attn1.to_out.0", "cross_attn.q_proj": "attn2.to_q", "cross_attn.k_proj": "attn2.to_k",
    "cross_attn.v_proj": "attn2.to_v", "cross_attn.output_proj": "attn2.to_out.0", "mlp.layer1": "ff.net.0.proj",
    "mlp.layer2": "ff.net.2",
}  # fmt: skip
BLOCKS = {f"blocks.0.{mine}": (f"transformer_blocks.0.{theirs}",) for mine, theirs in PARTS.items()}
ORIGINAL = {
    **BLOCKS,
    "final_layer.adaln_modulation.1": ("norm_out.linear_1",),
    "final_layer.adaln_modulation.2": ("norm_out.linear_2",),
    "final_layer.linear": ("proj_out",),
    "x_embedder.proj.1": ("patch_embed.proj",),
}
MODULES = tuple(module for modules in ORIGINAL.values() for module in modules)
# `llm_adapter.` in the original's names, a component of its own in diffusers.
CONDITIONER = tuple(
    f"blocks.0.{attention}.{part}_proj" for attention in ("self_attn", "cross_attn") for part in ("q", "k", "v", "o")
)
TEXT = (
    *(f"layers.{i}.self_attn.{part}_proj" for i in range(2) for part in ("q", "k", "v", "o")),
    "layers.0.mlp.gate_proj",
    "layers.1.mlp.down_proj",
)
