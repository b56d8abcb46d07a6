"""FLUX.1, Chroma, FLUX.2 and FLUX.3 in the names of Black Forest Labs' code, and of XLabs' attention processors."""

from __future__ import annotations

from hub_ui.generate.lora.key_maps.table import Rows, Table, same, swapped, within

_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_ADDED = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
_ATTENTION: Rows = {
    "img_attn.qkv": _QKV,
    "img_attn.proj": "attn.to_out.0",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.qkv": _ADDED,
    "txt_attn.proj": "attn.to_add_out",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
_DOUBLE: Rows = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    **_ATTENTION,
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
    # XLabs: 1 is the stream of the picture, 2 that of the text.
    "qkv_lora1": _QKV,
    "proj_lora1": "attn.to_out.0",
    "qkv_lora2": _ADDED,
    "proj_lora2": "attn.to_add_out",
}
_SINGLE: Rows = {
    "modulation.lin": "norm.linear",
    "linear1": (*_QKV, "proj_mlp"),
    "linear2": "proj_out",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
    "qkv": _QKV,
    "proj": "proj_out",
}
_BLOCKS: Table = {
    **within("double_blocks.{}", "transformer_blocks.{}", _DOUBLE),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _SINGLE),
    "img_in": same("x_embedder"),
    "txt_in": same("context_embedder"),
    "final_layer.linear": same("proj_out"),
}
FLUX1: Table = {
    **_BLOCKS,
    "time_in.in_layer": same("time_text_embed.timestep_embedder.linear_1"),
    "time_in.out_layer": same("time_text_embed.timestep_embedder.linear_2"),
    "vector_in.in_layer": same("time_text_embed.text_embedder.linear_1"),
    "vector_in.out_layer": same("time_text_embed.text_embedder.linear_2"),
    "guidance_in.in_layer": same("time_text_embed.guidance_embedder.linear_1"),
    "guidance_in.out_layer": same("time_text_embed.guidance_embedder.linear_2"),
    # Shift and scale there, scale and shift here.
    "final_layer.adaLN_modulation.1": swapped("norm_out.linear"),
}
CHROMA: Table = {
    **_BLOCKS,
    "distilled_guidance_layer.layers.{}.in_layer": same("distilled_guidance_layer.layers.{}.linear_1"),
    "distilled_guidance_layer.layers.{}.out_layer": same("distilled_guidance_layer.layers.{}.linear_2"),
}
FLUX2: Table = {
    **within(
        "double_blocks.{}",
        "transformer_blocks.{}",
        {
            **_ATTENTION,
            "img_mlp.0": "ff.linear_in",
            "img_mlp.2": "ff.linear_out",
            "txt_mlp.0": "ff_context.linear_in",
            "txt_mlp.2": "ff_context.linear_out",
        },
    ),
    **within(
        "single_blocks.{}",
        "single_transformer_blocks.{}",
        {
            "linear1": "attn.to_qkv_mlp_proj",
            "linear2": "attn.to_out",
            "norm.query_norm": "attn.norm_q",
            "norm.key_norm": "attn.norm_k",
        },
    ),
    "img_in": same("x_embedder"),
    "txt_in": same("context_embedder"),
    "time_in.in_layer": same("time_guidance_embed.timestep_embedder.linear_1"),
    "time_in.out_layer": same("time_guidance_embed.timestep_embedder.linear_2"),
    "guidance_in.in_layer": same("time_guidance_embed.guidance_embedder.linear_1"),
    "guidance_in.out_layer": same("time_guidance_embed.guidance_embedder.linear_2"),
    "double_stream_modulation_img.lin": same("double_stream_modulation_img.linear"),
    "double_stream_modulation_txt.lin": same("double_stream_modulation_txt.linear"),
    "single_stream_modulation.lin": same("single_stream_modulation.linear"),
    "final_layer.linear": same("proj_out"),
    "final_layer.adaLN_modulation.1": swapped("norm_out.linear"),
    # Some exports cut the first letters off diffusers' names.
    **{
        f"sformer_blocks.{{}}.{name}": same(f"transformer_blocks.{{}}.{name}")
        for name in (*_QKV, *_ADDED, "attn.to_out.0", "attn.to_add_out", "ff.linear_in", "ff.linear_out",
                     "ff_context.linear_in", "ff_context.linear_out")
    },
}  # fmt: skip
_FLUX3_BLOCK: Rows = {
    "q_proj": "attn.to_q",
    "k_proj": "attn.to_k",
    "v_proj": "attn.to_v",
    "attn_out": "attn.to_out.0",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
    "mlp_in": "ff.linear_in",
    "mlp_out": "ff.linear_out",
}
_MODES = ("image", "image_cond")
FLUX3: Table = {
    **{
        name: row
        for mode in _MODES
        for before in ("content_mode_blocks", "mode_blocks")
        for name, row in within(f"{before}.{mode}.{{}}", f"mode_blocks.{mode}.{{}}", _FLUX3_BLOCK).items()
    },
    **within("txt_mode_blocks.{}", "txt_mode_blocks.{}", _FLUX3_BLOCK),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX3_BLOCK),
    **{f"emb_in.{mode}": same(f"x_embedders.{mode}") for mode in _MODES},
    "txt_in": same("context_embedder"),
    "time_in.in_layer": same("timestep_embedder.linear_1"),
    "time_in.out_layer": same("timestep_embedder.linear_2"),
    **{
        f"{stage}_stream_modulations.{mode}.lin": same(f"{stage}_stream_modulations.{mode}.linear")
        for stage in ("early", "single")
        for mode in (*_MODES, "txt")
    },
    "final_layer.image.linear": same("proj_out"),
    "final_layer.image.adaLN_modulation.1": swapped("norm_out.linear"),
}
