"""Stable Diffusion 3, AuraFlow and Mochi in the names of their own code."""

from __future__ import annotations

from hub_ui.generate.lora.key_maps.table import Rows, Table, same, swapped, within

SD3: Table = {
    **within(
        "joint_blocks.{}.x_block",
        "transformer_blocks.{}",
        {
            "attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
            "attn.proj": "attn.to_out.0",
            "attn.ln_q": "attn.norm_q",
            "attn.ln_k": "attn.norm_k",
            "attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
            "attn2.proj": "attn2.to_out.0",
            "attn2.ln_q": "attn2.norm_q",
            "attn2.ln_k": "attn2.norm_k",
            "mlp.fc1": "ff.net.0.proj",
            "mlp.fc2": "ff.net.2",
            "adaLN_modulation.1": "norm1.linear",
        },
    ),
    **within(
        "joint_blocks.{}.context_block",
        "transformer_blocks.{}",
        {
            "attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
            "attn.proj": "attn.to_add_out",
            "attn.ln_q": "attn.norm_added_q",
            "attn.ln_k": "attn.norm_added_k",
            "mlp.fc1": "ff_context.net.0.proj",
            "mlp.fc2": "ff_context.net.2",
            # The last block only shifts and scales, and does it in the other order.
            "adaLN_modulation.1": swapped("norm1_context.linear", "two"),
        },
    ),
    "x_embedder.proj": same("pos_embed.proj"),
    "t_embedder.mlp.0": same("time_text_embed.timestep_embedder.linear_1"),
    "t_embedder.mlp.2": same("time_text_embed.timestep_embedder.linear_2"),
    "y_embedder.mlp.0": same("time_text_embed.text_embedder.linear_1"),
    "y_embedder.mlp.2": same("time_text_embed.text_embedder.linear_2"),
    "final_layer.linear": same("proj_out"),
    "final_layer.adaLN_modulation.1": swapped("norm_out.linear"),
}
AURAFLOW: Table = {
    **within(
        "double_layers.{}",
        "joint_transformer_blocks.{}",
        {
            "mlpX.c_fc1": "ff.linear_1",
            "mlpX.c_fc2": "ff.linear_2",
            "mlpX.c_proj": "ff.out_projection",
            "mlpC.c_fc1": "ff_context.linear_1",
            "mlpC.c_fc2": "ff_context.linear_2",
            "mlpC.c_proj": "ff_context.out_projection",
            "modX.1": "norm1.linear",
            "modC.1": "norm1_context.linear",
            "attn.w2q": "attn.to_q",
            "attn.w2k": "attn.to_k",
            "attn.w2v": "attn.to_v",
            "attn.w2o": "attn.to_out.0",
            "attn.w1q": "attn.add_q_proj",
            "attn.w1k": "attn.add_k_proj",
            "attn.w1v": "attn.add_v_proj",
            "attn.w1o": "attn.to_add_out",
        },
    ),
    **within(
        "single_layers.{}",
        "single_transformer_blocks.{}",
        {
            "mlp.c_fc1": "ff.linear_1",
            "mlp.c_fc2": "ff.linear_2",
            "mlp.c_proj": "ff.out_projection",
            "modCX.1": "norm1.linear",
            "attn.w1q": "attn.to_q",
            "attn.w1k": "attn.to_k",
            "attn.w1v": "attn.to_v",
            "attn.w1o": "attn.to_out.0",
        },
    ),
    "t_embedder.mlp.0": same("time_step_proj.linear_1"),
    "t_embedder.mlp.2": same("time_step_proj.linear_2"),
    "cond_seq_linear": same("context_embedder"),
    "init_x_linear": same("pos_embed.proj"),
    "final_linear": same("proj_out"),
    "modF.1": swapped("norm_out.linear"),
}
MOCHI: Table = {
    **within(
        "blocks.{}",
        "transformer_blocks.{}",
        {
            "mod_x": "norm1.linear",
            "mod_y": "norm1_context.linear",
            "attn.qkv_x": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
            "attn.qkv_y": ("attn1.add_q_proj", "attn1.add_k_proj", "attn1.add_v_proj"),
            "attn.proj_x": "attn1.to_out.0",
            "attn.proj_y": "attn1.to_add_out",
            "attn.q_norm_x": "attn1.norm_q",
            "attn.k_norm_x": "attn1.norm_k",
            "attn.q_norm_y": "attn1.norm_added_q",
            "attn.k_norm_y": "attn1.norm_added_k",
            # Gate and value of the activation change places.
            "mlp_x.w1": swapped("ff.net.0.proj"),
            "mlp_x.w2": "ff.net.2",
            "mlp_y.w1": swapped("ff_context.net.0.proj"),
            "mlp_y.w2": "ff_context.net.2",
        },
    ),
    # The last block has no gate for the text, and so a module of another name.
    "blocks.47.mod_y": same("transformer_blocks.47.norm1_context.linear_1"),
    "x_embedder.proj": same("patch_embed.proj"),
    "t_embedder.mlp.0": same("time_embed.timestep_embedder.linear_1"),
    "t_embedder.mlp.2": same("time_embed.timestep_embedder.linear_2"),
    "t5_y_embedder.to_kv": same("time_embed.pooler.to_kv"),
    "t5_y_embedder.to_q": same("time_embed.pooler.to_q"),
    "t5_y_embedder.to_out": same("time_embed.pooler.to_out"),
    "t5_yproj": same("time_embed.caption_proj"),
    "final_layer.linear": same("proj_out"),
    "final_layer.mod": swapped("norm_out.linear"),
}


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
