"""HunyuanVideo: a Llama and a CLIP read its text."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def vae() -> Any:
    """Kandinsky 5 uses it too."""
    return build(
        "AutoencoderKLHunyuanVideo", latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1,
        norm_num_groups=4, down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
    )  # fmt: skip


def _parts() -> dict[str, Any]:
    transformer = build(
        "HunyuanVideoTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=1, patch_size_t=1, guidance_embeds=True,
        rope_axes_dim=(4, 6, 6), text_embed_dim=language_models.WIDTH, pooled_projection_dim=encoders.WIDTH,
    )  # fmt: skip
    return {
        "vae": vae(), "text_encoder": language_models.llama(layers=3), "tokenizer": tokens.llama(),
        "text_encoder_2": encoders.clip(), "tokenizer_2": tokens.clip(), "transformer": transformer,
        "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 32, "width": 32, "num_frames": 5, "guidance_scale": 4.0, "max_sequence_length": 24,
    "prompt_template": {"template": "{}", "crop_start": 0},
}  # fmt: skip
HUNYUAN_VIDEO = Base(
    name="hunyuan_video", architecture="hunyuan-video", pipeline="HunyuanVideoPipeline", parts=_parts, call=CALL
)

DOUBLE, SINGLE, REFINER = "transformer_blocks.0", "single_transformer_blocks.0", "context_embedder.token_refiner"
ORIGINAL = {
    "double_blocks.0.img_attn_qkv": tuple(f"{DOUBLE}.attn.to_{part}" for part in "qkv"),
    "double_blocks.0.img_attn_proj": (f"{DOUBLE}.attn.to_out.0",),
    "double_blocks.0.txt_attn_qkv": tuple(f"{DOUBLE}.attn.add_{part}_proj" for part in "qkv"),
    "double_blocks.0.txt_attn_proj": (f"{DOUBLE}.attn.to_add_out",),
    "double_blocks.0.img_mlp.fc1": (f"{DOUBLE}.ff.net.0.proj",),
    "double_blocks.0.img_mlp.fc2": (f"{DOUBLE}.ff.net.2",),
    "double_blocks.0.txt_mlp.fc1": (f"{DOUBLE}.ff_context.net.0.proj",),
    "double_blocks.0.txt_mlp.fc2": (f"{DOUBLE}.ff_context.net.2",),
}
MODULATION = {
    "double_blocks.0.img_mod.linear": (f"{DOUBLE}.norm1.linear",),
    "double_blocks.0.txt_mod.linear": (f"{DOUBLE}.norm1_context.linear",),
    "single_blocks.0.modulation.linear": (f"{SINGLE}.norm.linear",),
    "single_blocks.0.linear2": (f"{SINGLE}.proj_out",),
}
# diffusers cuts this one at the real network's width, so that no small one can be compared with it.
SINGLE_IN = {
    "single_blocks.0.linear1": (*(f"{SINGLE}.attn.to_{part}" for part in "qkv"), f"{SINGLE}.proj_mlp"),
}
TEXT = {
    "txt_in.individual_token_refiner.blocks.0.self_attn_qkv": tuple(
        f"{REFINER}.refiner_blocks.0.attn.to_{part}" for part in "qkv"
    ),
    "txt_in.individual_token_refiner.blocks.0.self_attn_proj": (f"{REFINER}.refiner_blocks.0.attn.to_out.0",),
    "txt_in.individual_token_refiner.blocks.0.mlp.fc1": (f"{REFINER}.refiner_blocks.0.ff.net.0.proj",),
    "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1": (f"{REFINER}.refiner_blocks.0.norm_out.linear",),
    "txt_in.input_embedder": ("context_embedder.proj_in",),
    "txt_in.t_embedder.mlp.0": ("context_embedder.time_text_embed.timestep_embedder.linear_1",),
    "txt_in.c_embedder.linear_2": ("context_embedder.time_text_embed.text_embedder.linear_2",),
}
AROUND = {
    "img_in.proj": ("x_embedder.proj",),
    "time_in.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "guidance_in.mlp.2": ("time_text_embed.guidance_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
}
# Shift comes before scale in the original, after it in diffusers.
LAST = {"final_layer.adaLN_modulation.1": ("norm_out.linear",)}
BLOCKS = (
    *(module for modules in ORIGINAL.values() for module in modules),
    *(f"{SINGLE}.{module}" for module in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out")),
)
