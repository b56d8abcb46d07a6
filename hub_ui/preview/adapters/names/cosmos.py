"""Cosmos-Predict2, and Anima which is built on it, in the names of NVIDIA's code."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Table, same, within


def _attention(theirs: str, ours: str) -> dict[str, str]:
    rows = {
        "q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "output_proj": "to_out.0", "q_norm": "norm_q",
        "k_norm": "norm_k",
    }  # fmt: skip
    return {f"{theirs}.{name}": f"{ours}.{module}" for name, module in rows.items()}


def _modulation(what: str, norm: str) -> dict[str, str]:
    return {f"adaln_modulation_{what}.{number}": f"{norm}.linear_{number}" for number in (1, 2)}


COSMOS: Table = {
    **within(
        "blocks.{}",
        "transformer_blocks.{}",
        {
            **_attention("self_attn", "attn1"),
            **_attention("cross_attn", "attn2"),
            "mlp.layer1": "ff.net.0.proj",
            "mlp.layer2": "ff.net.2",
            **_modulation("self_attn", "norm1"),
            **_modulation("cross_attn", "norm2"),
            **_modulation("mlp", "norm3"),
        },
    ),
    "x_embedder.proj.1": same("patch_embed.proj"),
    "t_embedder.1.linear_1": same("time_embed.t_embedder.linear_1"),
    "t_embedder.1.linear_2": same("time_embed.t_embedder.linear_2"),
    "t_embedding_norm": same("time_embed.norm"),
    "final_layer.adaln_modulation.1": same("norm_out.linear_1"),
    "final_layer.adaln_modulation.2": same("norm_out.linear_2"),
    "final_layer.linear": same("proj_out"),
}
