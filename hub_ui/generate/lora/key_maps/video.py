"""HunyuanVideo, HunyuanVideo 1.5, FramePack and HunyuanImage 2.1 in the names of Tencent's code."""

from __future__ import annotations

from hub_ui.generate.lora.key_maps.table import Rows, Table, same, swapped, within

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


_ADALN = ("emb.timestep_embedder.linear_1", "emb.timestep_embedder.linear_2", "linear")
_NORMS = {
    f"transformer_blocks.{{}}.{attention}.{theirs}": same(f"transformer_blocks.{{}}.{attention}.{ours}")
    for attention in (
        "attn1", "attn2", "audio_attn1", "audio_attn2", "audio_to_video_attn", "video_to_audio_attn"
    )
    for theirs, ours in (("q_norm", "norm_q"), ("k_norm", "norm_k"))
}  # fmt: skip


def _adaln(theirs: str, ours: str) -> Table:
    return {f"{theirs}.{name}": same(f"{ours}.{name}") for name in _ADALN}


LTX: Table = {"patchify_proj": same("proj_in"), **_adaln("adaln_single", "time_embed"), **_NORMS}
LTX2: Table = {
    **LTX,
    "audio_patchify_proj": same("audio_proj_in"),
    **_adaln("audio_adaln_single", "audio_time_embed"),
    **_adaln("av_ca_video_scale_shift_adaln_single", "av_cross_attn_video_scale_shift"),
    **_adaln("av_ca_a2v_gate_adaln_single", "av_cross_attn_video_a2v_gate"),
    **_adaln("av_ca_audio_scale_shift_adaln_single", "av_cross_attn_audio_scale_shift"),
    **_adaln("av_ca_v2a_gate_adaln_single", "av_cross_attn_audio_v2a_gate"),
    **_adaln("prompt_adaln_single", "prompt_adaln"),
    **_adaln("audio_prompt_adaln_single", "audio_prompt_adaln"),
    "transformer_blocks.{}.scale_shift_table_a2v_ca_video": same(
        "transformer_blocks.{}.video_a2v_cross_attn_scale_shift_table"
    ),
    "transformer_blocks.{}.scale_shift_table_a2v_ca_audio": same(
        "transformer_blocks.{}.audio_a2v_cross_attn_scale_shift_table"
    ),
}


def _cosmos_attention(theirs: str, ours: str) -> dict[str, str]:
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
            **_cosmos_attention("self_attn", "attn1"),
            **_cosmos_attention("cross_attn", "attn2"),
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
