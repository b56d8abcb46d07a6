"""Lumina-Image 2 and Z-Image in the names of their own code, which fuses q, k and v."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Rows, Table, same, within

_STACKS = ("layers", "noise_refiner", "context_refiner")
_LUMINA2_BLOCK: Rows = {
    # k and v have fewer heads than q, so they are narrower.
    "attention.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "attention.out": "attn.to_out.0",
    **{f"attention.{name}": f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")},
    "attention.q_norm": "attn.norm_q",
    "attention.k_norm": "attn.norm_k",
    "feed_forward.w1": "feed_forward.linear_1",
    "feed_forward.w2": "feed_forward.linear_2",
    "feed_forward.w3": "feed_forward.linear_3",
    "attention_norm2": "norm2",
}
_MODULATED = {"adaLN_modulation.1": "norm1.linear", "attention_norm1": "norm1.norm"}
LUMINA2: Table = {
    **{
        name: row for stack in _STACKS for name, row in within(f"{stack}.{{}}", f"{stack}.{{}}", _LUMINA2_BLOCK).items()
    },
    **within("layers.{}", "layers.{}", _MODULATED),
    **within("noise_refiner.{}", "noise_refiner.{}", _MODULATED),
    "context_refiner.{}.attention_norm1": same("context_refiner.{}.norm1"),
    "t_embedder.mlp.0": same("time_caption_embed.timestep_embedder.linear_1"),
    "t_embedder.mlp.2": same("time_caption_embed.timestep_embedder.linear_2"),
    "cap_embedder.0": same("time_caption_embed.caption_embedder.0"),
    "cap_embedder.1": same("time_caption_embed.caption_embedder.1"),
    "final_layer.adaLN_modulation.1": same("norm_out.linear_1"),
    "final_layer.linear": same("norm_out.linear_2"),
}
_Z_IMAGE_BLOCK: Rows = {
    "attention.qkv": ("attention.to_q", "attention.to_k", "attention.to_v"),
    "attention.out": "attention.to_out.0",
    "attention.q_norm": "attention.norm_q",
    "attention.k_norm": "attention.norm_k",
    # Written with dots where the name has underscores.
    "attention.to.q": "attention.to_q",
    "attention.to.k": "attention.to_k",
    "attention.to.v": "attention.to_v",
}
Z_IMAGE: Table = {
    **{
        name: row for stack in _STACKS for name, row in within(f"{stack}.{{}}", f"{stack}.{{}}", _Z_IMAGE_BLOCK).items()
    },
    "x_embedder": same("all_x_embedder.2-1"),
    "final_layer.linear": same("all_final_layer.2-1.linear"),
    "final_layer.adaLN_modulation.1": same("all_final_layer.2-1.adaLN_modulation.1"),
}
