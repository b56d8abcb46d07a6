"""Wan 2.1 and 2.2 in the names of their own code."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Table, same, within


def _attention(theirs: str, ours: str) -> dict[str, str]:
    rows = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0", "norm_q": "norm_q", "norm_k": "norm_k"}
    return {f"{theirs}.{name}": f"{ours}.{module}" for name, module in rows.items()}


WAN: Table = {
    **within(
        "blocks.{}",
        "blocks.{}",
        {
            **_attention("self_attn", "attn1"),
            **_attention("cross_attn", "attn2"),
            # The picture that a film begins with.
            "cross_attn.k_img": "attn2.add_k_proj",
            "cross_attn.v_img": "attn2.add_v_proj",
            "cross_attn.norm_k_img": "attn2.norm_added_k",
            "ffn.0": "ffn.net.0.proj",
            "ffn.2": "ffn.net.2",
            # Their second and third norm are the third and second here; the third has no weight.
            "norm3": "norm2",
            "modulation": "scale_shift_table",
        },
    ),
    "time_embedding.0": same("condition_embedder.time_embedder.linear_1"),
    "time_embedding.2": same("condition_embedder.time_embedder.linear_2"),
    "time_projection.1": same("condition_embedder.time_proj"),
    "text_embedding.0": same("condition_embedder.text_embedder.linear_1"),
    "text_embedding.2": same("condition_embedder.text_embedder.linear_2"),
    "img_emb.proj.0": same("condition_embedder.image_embedder.norm1"),
    "img_emb.proj.1": same("condition_embedder.image_embedder.ff.net.0.proj"),
    "img_emb.proj.3": same("condition_embedder.image_embedder.ff.net.2"),
    "img_emb.proj.4": same("condition_embedder.image_embedder.norm2"),
    "img_emb.emb_pos": same("condition_embedder.image_embedder.pos_embed"),
    "head.head": same("proj_out"),
    "head.modulation": same("scale_shift_table"),
    **within(
        "vace_blocks.{}",
        "vace_blocks.{}",
        {
            **_attention("self_attn", "attn1"),
            **_attention("cross_attn", "attn2"),
            "ffn.0": "ffn.net.0.proj",
            "ffn.2": "ffn.net.2",
            "before_proj": "proj_in",
            "after_proj": "proj_out",
        },
    ),
}
