"""The networks that make images, in the names of their own code.

FLUX.1, Chroma, FLUX.2 and FLUX.3 (Black Forest Labs, and XLabs' attention processors), Stable Diffusion 3, AuraFlow,
Lumina-Image 2, Z-Image, Krea 2, Qwen-Image 2, Ideogram 4, Sana and PixArt.
"""

from __future__ import annotations

from hub_ui.generate.lora.key_maps.table import FC, IN_OUT, MLP, Rows, swap_halves, within, within_each

_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_ADDED_QKV = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
_DOUBLE_ATTENTION: Rows = {
    "img_attn.qkv": _QKV,
    "img_attn.proj": "attn.to_out.0",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.qkv": _ADDED_QKV,
    "txt_attn.proj": "attn.to_add_out",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
_NORMS: Rows = {"norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"}
FLUX_DOUBLE: Rows = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    **_DOUBLE_ATTENTION,
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
    # XLabs: 1 is the stream of the image, 2 that of the text.
    "qkv_lora1": _QKV,
    "proj_lora1": "attn.to_out.0",
    "qkv_lora2": _ADDED_QKV,
    "proj_lora2": "attn.to_add_out",
}
_FLUX1_SINGLE: Rows = {
    "modulation.lin": "norm.linear",
    "linear1": (*_QKV, "proj_mlp"),
    "linear2": "proj_out",
    **_NORMS,
    "qkv": _QKV,
    "proj": "proj_out",
}
CHROMA: Rows = {
    **within("double_blocks.{}", "transformer_blocks.{}", FLUX_DOUBLE),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX1_SINGLE),
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    **within_each(("distilled_guidance_layer.layers.{}",), IN_OUT),
}
FLUX1: Rows = {
    **CHROMA,
    **within("time_in", "time_text_embed.timestep_embedder", IN_OUT),
    **within("vector_in", "time_text_embed.text_embedder", IN_OUT),
    **within("guidance_in", "time_text_embed.guidance_embedder", IN_OUT),
    # Shift and scale there, scale and shift here.
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
# Some exports cut the first letters off diffusers' names.
_CUT_OFF = (*_QKV, *_ADDED_QKV, "attn.to_out.0", "attn.to_add_out", "ff.linear_in", "ff.linear_out",
            "ff_context.linear_in", "ff_context.linear_out")  # fmt: skip
FLUX2: Rows = {
    **within("double_blocks.{}", "transformer_blocks.{}", _DOUBLE_ATTENTION),
    **within("double_blocks.{}.img_mlp", "transformer_blocks.{}.ff", {"0": "linear_in", "2": "linear_out"}),
    **within("double_blocks.{}.txt_mlp", "transformer_blocks.{}.ff_context", {"0": "linear_in", "2": "linear_out"}),
    **within(
        "single_blocks.{}",
        "single_transformer_blocks.{}",
        {"linear1": "attn.to_qkv_mlp_proj", "linear2": "attn.to_out", **_NORMS},
    ),
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    **within("time_in", "time_guidance_embed.timestep_embedder", IN_OUT),
    **within("guidance_in", "time_guidance_embed.guidance_embedder", IN_OUT),
    "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
    "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
    **within("sformer_blocks.{}", "transformer_blocks.{}", {name: name for name in _CUT_OFF}),
}
_FLUX3_BLOCK: Rows = {
    "q_proj": "attn.to_q",
    "k_proj": "attn.to_k",
    "v_proj": "attn.to_v",
    "attn_out": "attn.to_out.0",
    **_NORMS,
    "mlp_in": "ff.linear_in",
    "mlp_out": "ff.linear_out",
}
_MODES = ("image", "image_cond")
FLUX3: Rows = {
    **within_each(tuple(f"mode_blocks.{mode}.{{}}" for mode in _MODES), _FLUX3_BLOCK),
    **within("content_mode_blocks.image.{}", "mode_blocks.image.{}", _FLUX3_BLOCK),
    **within("content_mode_blocks.image_cond.{}", "mode_blocks.image_cond.{}", _FLUX3_BLOCK),
    **within("txt_mode_blocks.{}", "txt_mode_blocks.{}", _FLUX3_BLOCK),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX3_BLOCK),
    **{f"emb_in.{mode}": f"x_embedders.{mode}" for mode in _MODES},
    "txt_in": "context_embedder",
    **within("time_in", "timestep_embedder", IN_OUT),
    **{
        f"{stage}_stream_modulations.{mode}.lin": f"{stage}_stream_modulations.{mode}.linear"
        for stage in ("early", "single")
        for mode in (*_MODES, "txt")
    },
    "final_layer.image.linear": "proj_out",
    "final_layer.image.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
SD3: Rows = {
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
            "adaLN_modulation.1": swap_halves("norm1_context.linear", "two"),
        },
    ),
    "x_embedder.proj": "pos_embed.proj",
    **within("t_embedder.mlp", "time_text_embed.timestep_embedder", MLP),
    **within("y_embedder.mlp", "time_text_embed.text_embedder", MLP),
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
_AURAFLOW_MLP: Rows = {"c_fc1": "linear_1", "c_fc2": "linear_2", "c_proj": "out_projection"}
AURAFLOW: Rows = {
    **within(
        "double_layers.{}",
        "joint_transformer_blocks.{}",
        {
            **within("mlpX", "ff", _AURAFLOW_MLP),
            **within("mlpC", "ff_context", _AURAFLOW_MLP),
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
            **within("mlp", "ff", _AURAFLOW_MLP),
            "modCX.1": "norm1.linear",
            "attn.w1q": "attn.to_q",
            "attn.w1k": "attn.to_k",
            "attn.w1v": "attn.to_v",
            "attn.w1o": "attn.to_out.0",
        },
    ),
    **within("t_embedder.mlp", "time_step_proj", MLP),
    "cond_seq_linear": "context_embedder",
    "init_x_linear": "pos_embed.proj",
    "final_linear": "proj_out",
    "modF.1": swap_halves("norm_out.linear"),
}


_STACKS = ("layers.{}", "noise_refiner.{}", "context_refiner.{}")
LUMINA2: Rows = {
    **within_each(
        _STACKS,
        {
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
        },
    ),
    **within_each(_STACKS[:2], {"adaLN_modulation.1": "norm1.linear", "attention_norm1": "norm1.norm"}),
    "context_refiner.{}.attention_norm1": "context_refiner.{}.norm1",
    **within("t_embedder.mlp", "time_caption_embed.timestep_embedder", MLP),
    "cap_embedder.0": "time_caption_embed.caption_embedder.0",
    "cap_embedder.1": "time_caption_embed.caption_embedder.1",
    "final_layer.adaLN_modulation.1": "norm_out.linear_1",
    "final_layer.linear": "norm_out.linear_2",
}
Z_IMAGE: Rows = {
    **within_each(
        tuple(f"{stack}.attention" for stack in _STACKS),
        {
            "qkv": ("to_q", "to_k", "to_v"),
            "out": "to_out.0",
            "q_norm": "norm_q",
            "k_norm": "norm_k",
            # Written with dots where the name has underscores.
            "to.q": "to_q",
            "to.k": "to_k",
            "to.v": "to_v",
        },
    ),
    "x_embedder": "all_x_embedder.2-1",
    "final_layer.linear": "all_final_layer.2-1.linear",
    "final_layer.adaLN_modulation.1": "all_final_layer.2-1.adaLN_modulation.1",
}


_KREA2_BLOCK: Rows = {
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
KREA2: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.layerwise_blocks.{}", "text_fusion.layerwise_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.refiner_blocks.{}", "text_fusion.refiner_blocks.{}", _KREA2_BLOCK),
    "txtfusion.projector": "text_fusion.projector",
    "first": "img_in",
    "last.linear": "final_layer.linear",
    "last.norm": "final_layer.norm",
    **within("tmlp", "time_embed", MLP),
    "tproj.1": "time_mod_proj",
    **within("txtmlp", "txt_in", {"0": "norm", "1": "linear_1", "3": "linear_2"}),
}
QWEN_IMAGE_2: Rows = {
    "transformer_blocks.{}.img_mlp.gate_up": (
        "transformer_blocks.{}.img_mlp.gate_layer",
        "transformer_blocks.{}.img_mlp.proj",
    ),
}
IDEOGRAM4: Rows = within_each(("layers.{}.attention",), {"qkv": ("to_q", "to_k", "to_v"), "o": "to_out.0"})
_LINEAR_ATTENTION: Rows = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "attn.proj": "attn1.to_out.0",
    "cross_attn.q_linear": "attn2.to_q",
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
    "cross_attn.proj": "attn2.to_out.0",
}
SANA: Rows = {
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
    "x_embedder.proj": "patch_embed.proj",
    **within("t_embedder.mlp", "time_embed.emb.timestep_embedder", MLP),
    "t_block.1": "time_embed.linear",
    **within("y_embedder.y_proj", "caption_projection", FC),
    "attention_y_norm": "caption_norm",
    "final_layer.linear": "proj_out",
}
PIXART: Rows = {
    **within(
        "blocks.{}",
        "transformer_blocks.{}",
        {**_LINEAR_ATTENTION, "mlp.fc1": "ff.net.0.proj", "mlp.fc2": "ff.net.2"},
    ),
    "x_embedder.proj": "pos_embed.proj",
    **within("t_embedder.mlp", "adaln_single.emb.timestep_embedder", MLP),
    **within("csize_embedder.mlp", "adaln_single.emb.resolution_embedder", MLP),
    **within("ar_embedder.mlp", "adaln_single.emb.aspect_ratio_embedder", MLP),
    "t_block.1": "adaln_single.linear",
    **within("y_embedder.y_proj", "caption_projection", FC),
    "final_layer.linear": "proj_out",
}
