"""Lumina 2 reads its text with a Gemma 2."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    """Fewer heads for keys than for queries, as in the real one: its fused qkv has parts of two sizes."""
    transformer = build(
        "Lumina2Transformer2DModel", sample_size=16, patch_size=2, in_channels=4, hidden_size=32, num_layers=1,
        num_refiner_layers=1, num_attention_heads=2, num_kv_heads=1, multiple_of=16, axes_dim_rope=(8, 4, 4),
        axes_lens=(128, 32, 32), cap_feat_dim=language_models.WIDTH,
    )  # fmt: skip
    return {
        "vae": encoders.vae(shift_factor=0.1), "text_encoder": language_models.gemma2(), "tokenizer": tokens.gemma(),
        "transformer": transformer, "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 64, "width": 64, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 48,
    "system_prompt": "see",
}  # fmt: skip
LUMINA2 = Base(name="lumina2", architecture="lumina2", pipeline="Lumina2Pipeline", parts=_parts, call=CALL)

PLACES = ("layers.0", "noise_refiner.0", "context_refiner.0")
ORIGINAL = (
    {f"{place}.attention.qkv": tuple(f"{place}.attn.to_{part}" for part in "qkv") for place in PLACES}
    | {f"{place}.attention.out": (f"{place}.attn.to_out.0",) for place in PLACES}
    | {f"{place}.feed_forward.w{i}": (f"{place}.feed_forward.linear_{i}",) for place in PLACES for i in (1, 2, 3)}
    | {f"{place}.adaLN_modulation.1": (f"{place}.norm1.linear",) for place in PLACES[:2]}
)
AROUND = {
    "x_embedder": ("x_embedder",),
    "t_embedder.mlp.0": ("time_caption_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_caption_embed.timestep_embedder.linear_2",),
    "cap_embedder.1": ("time_caption_embed.caption_embedder.1",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear_1",),
    "final_layer.linear": ("norm_out.linear_2",),
}
BLOCKS = tuple(module for modules in ORIGINAL.values() for module in modules)
