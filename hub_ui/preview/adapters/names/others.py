"""Krea 2, Qwen-Image 2, MiniMax-H3, Ideogram 4, Sana and PixArt in the names of their own code."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Rows, Table, same, swapped, within

_KREA2_BLOCK = {
    "attn.wq": "attn.to_q",
    "attn.wk": "attn.to_k",
    "attn.wv": "attn.to_v",
    "attn.wo": "attn.to_out.0",
    "attn.gate": "attn.to_gate",
    "attn.qknorm.qnorm": "attn.norm_q",
    "attn.qknorm.knorm": "attn.norm_k",
    "mlp.gate": "ff.gate",
    "mlp.up": "ff.up",
    "mlp.down": "ff.down",
    "prenorm": "norm1",
    "postnorm": "norm2",
}
KREA2: Table = {
    **within("blocks.{}", "transformer_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.layerwise_blocks.{}", "text_fusion.layerwise_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.refiner_blocks.{}", "text_fusion.refiner_blocks.{}", _KREA2_BLOCK),
    "txtfusion.projector": same("text_fusion.projector"),
    "first": same("img_in"),
    "last.linear": same("final_layer.linear"),
    "last.norm": same("final_layer.norm"),
    "tmlp.0": same("time_embed.linear_1"),
    "tmlp.2": same("time_embed.linear_2"),
    "tproj.1": same("time_mod_proj"),
    "txtmlp.0": same("txt_in.norm"),
    "txtmlp.1": same("txt_in.linear_1"),
    "txtmlp.3": same("txt_in.linear_2"),
}
QWEN_IMAGE_2: Table = {
    "transformer_blocks.{}.img_mlp.gate_up": same(
        "transformer_blocks.{}.img_mlp.gate_layer", "transformer_blocks.{}.img_mlp.proj"
    ),
}
_MINIMAX_BLOCK: Rows = {
    "attn.qkv_proj": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "attn.out_proj": "attn.to_out.0",
    "attn.q_norm": "attn.norm_q",
    "attn.k_norm": "attn.norm_k",
    # Gate and value there, value and gate here.
    "mlp.fc1": swapped("ff.net.0.proj"),
    "mlp.fc2": "ff.net.2",
}
MINIMAX_H3: Table = {
    **within("blocks.{}", "transformer_blocks.{}", _MINIMAX_BLOCK),
    **within("token_refiner.blocks.{}", "token_refiner.refiner_blocks.{}", _MINIMAX_BLOCK),
    "blocks.{}.adaln_proj.linear": same("transformer_blocks.{}.adaln_proj.linear"),
    "video_patch_proj": same("proj_in"),
    "audio_patch_proj": same("audio_proj_in"),
    "condition_proj": same("context_embedder"),
    "time_embedder.proj_in": same("time_embedder.linear_1"),
    "time_embedder.proj_out": same("time_embedder.linear_2"),
    "final_layer.norm": same("norm_out.norm"),
    "final_layer.adaln_proj.linear": same("norm_out.linear"),
    "final_layer.video_out": same("proj_out"),
    "final_layer.audio_out": same("audio_proj_out"),
}
IDEOGRAM4: Table = within(
    "layers.{}.attention",
    "layers.{}.attention",
    {
        "qkv": ("to_q", "to_k", "to_v"),
        "o": "to_out.0",
    },
)
_LINEAR_ATTENTION: Rows = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "attn.proj": "attn1.to_out.0",
    "cross_attn.q_linear": "attn2.to_q",
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
    "cross_attn.proj": "attn2.to_out.0",
}
SANA: Table = {
    **within(
        "blocks.{}",
        "transformer_blocks.{}",
        {
            **_LINEAR_ATTENTION,
            "mlp.inverted_conv.conv": "ff.conv_inverted",
            "mlp.depth_conv.conv": "ff.conv_depth",
            "mlp.point_conv.conv": "ff.conv_point",
        },
    ),
    "x_embedder.proj": same("patch_embed.proj"),
    "t_embedder.mlp.0": same("time_embed.emb.timestep_embedder.linear_1"),
    "t_embedder.mlp.2": same("time_embed.emb.timestep_embedder.linear_2"),
    "t_block.1": same("time_embed.linear"),
    "y_embedder.y_proj.fc1": same("caption_projection.linear_1"),
    "y_embedder.y_proj.fc2": same("caption_projection.linear_2"),
    "attention_y_norm": same("caption_norm"),
    "final_layer.linear": same("proj_out"),
}
PIXART: Table = {
    **within(
        "blocks.{}",
        "transformer_blocks.{}",
        {**_LINEAR_ATTENTION, "mlp.fc1": "ff.net.0.proj", "mlp.fc2": "ff.net.2"},
    ),
    "x_embedder.proj": same("pos_embed.proj"),
    "t_embedder.mlp.0": same("adaln_single.emb.timestep_embedder.linear_1"),
    "t_embedder.mlp.2": same("adaln_single.emb.timestep_embedder.linear_2"),
    "csize_embedder.mlp.0": same("adaln_single.emb.resolution_embedder.linear_1"),
    "csize_embedder.mlp.2": same("adaln_single.emb.resolution_embedder.linear_2"),
    "ar_embedder.mlp.0": same("adaln_single.emb.aspect_ratio_embedder.linear_1"),
    "ar_embedder.mlp.2": same("adaln_single.emb.aspect_ratio_embedder.linear_2"),
    "t_block.1": same("adaln_single.linear"),
    "y_embedder.y_proj.fc1": same("caption_projection.linear_1"),
    "y_embedder.y_proj.fc2": same("caption_projection.linear_2"),
    "final_layer.linear": same("proj_out"),
}
