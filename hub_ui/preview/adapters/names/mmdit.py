"""Stable Diffusion 3, AuraFlow and Mochi in the names of their own code."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Table, same, swapped, within

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
