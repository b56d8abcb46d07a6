"""HunyuanVideo, HunyuanVideo 1.5, FramePack and HunyuanImage 2.1 in the names of Tencent's code."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Rows, Table, same, swapped, within

_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_DOUBLE: Rows = {
    "img_mod.linear": "norm1.linear",
    "txt_mod.linear": "norm1_context.linear",
    "img_attn_qkv": _QKV,
    "img_attn_q": "attn.to_q",
    "img_attn_k": "attn.to_k",
    "img_attn_v": "attn.to_v",
    "img_attn_q_norm": "attn.norm_q",
    "img_attn_k_norm": "attn.norm_k",
    "img_attn_proj": "attn.to_out.0",
    "txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn_q": "attn.add_q_proj",
    "txt_attn_k": "attn.add_k_proj",
    "txt_attn_v": "attn.add_v_proj",
    "txt_attn_q_norm": "attn.norm_added_q",
    "txt_attn_k_norm": "attn.norm_added_k",
    "txt_attn_proj": "attn.to_add_out",
    "img_mlp.fc1": "ff.net.0.proj",
    "img_mlp.fc2": "ff.net.2",
    "txt_mlp.fc1": "ff_context.net.0.proj",
    "txt_mlp.fc2": "ff_context.net.2",
    # As ComfyUI has them.
    "img_attn.qkv": _QKV,
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
}
_SINGLE: Rows = {
    "linear1": (*_QKV, "proj_mlp"),
    "linear2": "proj_out",
    # HunyuanImage keeps them apart.
    "linear1_q": "attn.to_q",
    "linear1_k": "attn.to_k",
    "linear1_v": "attn.to_v",
    "linear1_mlp": "proj_mlp",
    "linear2.fc": "proj_out",
    "q_norm": "attn.norm_q",
    "k_norm": "attn.norm_k",
    "modulation.linear": "norm.linear",
    "modulation.lin": "norm.linear",
}
_REFINER: Rows = {
    "self_attn_qkv": _QKV,
    "self_attn_q": "attn.to_q",
    "self_attn_k": "attn.to_k",
    "self_attn_v": "attn.to_v",
    "self_attn_proj": "attn.to_out.0",
    "self_attn.qkv": _QKV,
    "self_attn.proj": "attn.to_out.0",
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
    "mlp.0": "ff.net.0.proj",
    "mlp.2": "ff.net.2",
    "adaLN_modulation.1": "norm_out.linear",
}


# Two linear layers, as Tencent's modules and ComfyUI's call them.
_MLP, _LAYERS, _LINEAR = ("mlp.0", "mlp.2"), ("in_layer", "out_layer"), ("linear_1", "linear_2")


def _embedder(name: str, module: str, official: tuple[str, str] = _MLP) -> Table:
    return {
        f"{name}.{theirs}": same(f"{module}.{ours}")
        for spelling in (official, _MLP, _LAYERS, _LINEAR)
        for theirs, ours in zip(spelling, _LINEAR, strict=True)
    }


HUNYUAN: Table = {
    **within("double_blocks.{}", "transformer_blocks.{}", _DOUBLE),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _SINGLE),
    **within("txt_in.individual_token_refiner.blocks.{}", "context_embedder.token_refiner.refiner_blocks.{}", _REFINER),
    "txt_in.input_embedder": same("context_embedder.proj_in"),
    **_embedder("txt_in.t_embedder", "context_embedder.time_text_embed.timestep_embedder"),
    **_embedder("txt_in.c_embedder", "context_embedder.time_text_embed.text_embedder", _LINEAR),
    "img_in.proj": same("x_embedder.proj"),
    "byt5_in.layernorm": same("context_embedder_2.norm"),
    "byt5_in.fc1": same("context_embedder_2.linear_1"),
    "byt5_in.fc2": same("context_embedder_2.linear_2"),
    "byt5_in.fc3": same("context_embedder_2.linear_3"),
    # Where each network keeps its time and guidance; a row whose modules the base lacks says nothing.
    **_embedder("time_in", "time_text_embed.timestep_embedder"),
    **_embedder("vector_in", "time_text_embed.text_embedder", _LAYERS),
    **_embedder("guidance_in", "time_text_embed.guidance_embedder"),
    "final_layer.linear": same("proj_out"),
    "final_layer.adaLN_modulation.1": swapped("norm_out.linear"),
}
HUNYUAN_IMAGE: Table = {
    **HUNYUAN,
    **_embedder("time_in", "time_guidance_embed.timestep_embedder"),
    **_embedder("guidance_in", "time_guidance_embed.guidance_embedder"),
    **_embedder("time_r_in", "time_guidance_embed.timestep_embedder_r"),
}
HUNYUAN_VIDEO_15: Table = {
    **HUNYUAN,
    **_embedder("time_in", "time_embed.timestep_embedder"),
    "vision_in.proj.0": same("image_embedder.norm_in"),
    "vision_in.proj.1": same("image_embedder.linear_1"),
    "vision_in.proj.3": same("image_embedder.linear_2"),
    "vision_in.proj.4": same("image_embedder.norm_out"),
    "cond_type_embedding": same("cond_type_embed"),
}
