"""Key maps of video networks: HunyuanVideo, LTX-Video, Wan, Mochi, MiniMax-H3, Cosmos-Predict2, and Anima (images)."""

from hub_ui.generate.lora.key_maps import FC, IN_OUT, MLP, Rows, swap_halves, within, within_each
from hub_ui.generate.lora.key_maps.image import ADDED_QKV, FLUX_DOUBLE, QKV

_HUNYUAN_DOUBLE: Rows = {
    "{img,txt}_mod.linear": "{norm1,norm1_context}.linear",
    "img_attn_qkv": QKV,
    "img_attn_{q,k,v}": "attn.to_{q,k,v}",
    "img_attn_{q,k}_norm": "attn.norm_{q,k}",
    "img_attn_proj": "attn.to_out.0",
    "txt_attn_qkv": ADDED_QKV,
    "txt_attn_{q,k,v}": "attn.add_{q,k,v}_proj",
    "txt_attn_{q,k}_norm": "attn.norm_added_{q,k}",
    "txt_attn_proj": "attn.to_add_out",
    "img_mlp.fc{1,2}": "ff.net.{0.proj,2}",
    "txt_mlp.fc{1,2}": "ff_context.net.{0.proj,2}",
    # ComfyUI builds them of FLUX's blocks.
    **FLUX_DOUBLE,
}
_HUNYUAN_SINGLE: Rows = {
    "linear1": (*QKV, "proj_mlp"),
    "linear2": "proj_out",
    # HunyuanImage keeps them apart.
    "linear1_{q,k,v}": "attn.to_{q,k,v}",
    "linear1_mlp": "proj_mlp",
    "linear2.fc": "proj_out",
    "{q,k}_norm": "attn.norm_{q,k}",
    "modulation.linear": "norm.linear",
    "modulation.lin": "norm.linear",
}
_HUNYUAN_REFINER: Rows = {
    "self_attn_qkv": QKV,
    "self_attn_{q,k,v}": "attn.to_{q,k,v}",
    "self_attn_proj": "attn.to_out.0",
    "self_attn.qkv": QKV,
    "self_attn.proj": "attn.to_out.0",
    "norm{1,2}": "norm{1,2}",
    "mlp.fc{1,2}": "ff.net.{0.proj,2}",
    "mlp.{0,2}": "ff.net.{0.proj,2}",
    "adaLN_modulation.1": "norm_out.linear",
}


_SAME: Rows = {"linear_{1,2}": "linear_{1,2}"}


def _embedder(name: str, module: str, official: Rows | None = None) -> Rows:
    """Two linear layers, in the names of Tencent's modules (the official ones first) and of ComfyUI's."""
    mlp = {"mlp.{0,2}": "linear_{1,2}"}
    return {**within(name, module, official or mlp), **within(name, module, {**mlp, **IN_OUT, **_SAME})}


HUNYUAN: Rows = {
    **within("double_blocks.{}", "transformer_blocks.{}", _HUNYUAN_DOUBLE),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _HUNYUAN_SINGLE),
    **within(
        "txt_in.individual_token_refiner.blocks.{}",
        "context_embedder.token_refiner.refiner_blocks.{}",
        _HUNYUAN_REFINER,
    ),
    "txt_in.input_embedder": "context_embedder.proj_in",
    **_embedder("txt_in.t_embedder", "context_embedder.time_text_embed.timestep_embedder"),
    **_embedder("txt_in.c_embedder", "context_embedder.time_text_embed.text_embedder", _SAME),
    "img_in.proj": "x_embedder.proj",
    "byt5_in.layernorm": "context_embedder_2.norm",
    **within("byt5_in", "context_embedder_2", {**FC, "fc3": "linear_3"}),
    # The time and guidance of each network; rows whose modules the base lacks are ignored.
    **_embedder("time_in", "time_text_embed.timestep_embedder"),
    **_embedder("vector_in", "time_text_embed.text_embedder", IN_OUT),
    **_embedder("guidance_in", "time_text_embed.guidance_embedder"),
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
HUNYUAN_IMAGE: Rows = {
    **HUNYUAN,
    **_embedder("time_in", "time_guidance_embed.timestep_embedder"),
    **_embedder("guidance_in", "time_guidance_embed.guidance_embedder"),
    **_embedder("time_r_in", "time_guidance_embed.timestep_embedder_r"),
}
HUNYUAN_VIDEO_15: Rows = {
    **HUNYUAN,
    **_embedder("time_in", "time_embed.timestep_embedder"),
    **within("vision_in.proj", "image_embedder", {"{0,1,3,4}": "{norm_in,linear_1,linear_2,norm_out}"}),
    "cond_type_embedding": "cond_type_embed",
}


_WAN_ATTENTION: Rows = {"{q,k,v,o}": "to_{q,k,v,out.0}", "norm_{q,k}": "norm_{q,k}"}
_WAN_BLOCK: Rows = {
    **within("self_attn", "attn1", _WAN_ATTENTION),
    **within("cross_attn", "attn2", _WAN_ATTENTION),
    "ffn.{0,2}": "ffn.net.{0.proj,2}",
}
_WAN_MAIN_BLOCK: Rows = {
    **_WAN_BLOCK,
    # The image that a video begins with.
    "cross_attn.{k,v}_img": "attn2.add_{k,v}_proj",
    "cross_attn.norm_k_img": "attn2.norm_added_k",
    # Their second and third norm are the third and second here; the third has no weight.
    "norm3": "norm2",
    "modulation": "scale_shift_table",
}
WAN: Rows = {
    **within_each(("blocks.{}",), _WAN_MAIN_BLOCK),
    **within_each(("vace_blocks.{}",), {**_WAN_BLOCK, "{before,after}_proj": "proj_{in,out}"}),
    **within("time_embedding", "condition_embedder.time_embedder", MLP),
    "time_projection.1": "condition_embedder.time_proj",
    **within("text_embedding", "condition_embedder.text_embedder", MLP),
    **within(
        "img_emb",
        "condition_embedder.image_embedder",
        {"proj.{0,4}": "norm{1,2}", "proj.{1,3}": "ff.net.{0.proj,2}", "emb_pos": "pos_embed"},
    ),
    "head.head": "proj_out",
    "head.modulation": "scale_shift_table",
}


_LTX_ATTENTIONS = ("attn1", "attn2", "audio_attn1", "audio_attn2", "audio_to_video_attn", "video_to_audio_attn")
_ADALN: Rows = {"emb.timestep_embedder.linear_{1,2}": "emb.timestep_embedder.linear_{1,2}", "linear": "linear"}
LTX: Rows = {
    "patchify_proj": "proj_in",
    **within("adaln_single", "time_embed", _ADALN),
    **within_each(
        tuple(f"transformer_blocks.{{}}.{attention}" for attention in _LTX_ATTENTIONS),
        {"{q,k}_norm": "norm_{q,k}"},
    ),
}
LTX2: Rows = {
    **LTX,
    "audio_patchify_proj": "audio_proj_in",
    **within("audio_adaln_single", "audio_time_embed", _ADALN),
    **within("av_ca_video_scale_shift_adaln_single", "av_cross_attn_video_scale_shift", _ADALN),
    **within("av_ca_a2v_gate_adaln_single", "av_cross_attn_video_a2v_gate", _ADALN),
    **within("av_ca_audio_scale_shift_adaln_single", "av_cross_attn_audio_scale_shift", _ADALN),
    **within("av_ca_v2a_gate_adaln_single", "av_cross_attn_audio_v2a_gate", _ADALN),
    **within("prompt_adaln_single", "prompt_adaln", _ADALN),
    **within("audio_prompt_adaln_single", "audio_prompt_adaln", _ADALN),
    **within_each(
        ("transformer_blocks.{}",),
        {"scale_shift_table_a2v_ca_{video,audio}": "{video,audio}_a2v_cross_attn_scale_shift_table"},
    ),
}


_COSMOS_ATTENTION: Rows = {
    "{q,k,v,output}_proj": "to_{q,k,v,out.0}",
    "{q,k}_norm": "norm_{q,k}",
    # One of the trainers of Anima fuses them.
    "qkv_proj": ("to_q", "to_k", "to_v"),
    "kv_proj": ("to_k", "to_v"),
}
_TWO_LINEAR: Rows = {"{1,2}": "linear_{1,2}"}
COSMOS: Rows = {
    **within("blocks.{}.self_attn", "transformer_blocks.{}.attn1", _COSMOS_ATTENTION),
    **within("blocks.{}.cross_attn", "transformer_blocks.{}.attn2", _COSMOS_ATTENTION),
    **within("blocks.{}.adaln_modulation_self_attn", "transformer_blocks.{}.norm1", _TWO_LINEAR),
    **within("blocks.{}.adaln_modulation_cross_attn", "transformer_blocks.{}.norm2", _TWO_LINEAR),
    **within("blocks.{}.adaln_modulation_mlp", "transformer_blocks.{}.norm3", _TWO_LINEAR),
    **within("blocks.{}.mlp", "transformer_blocks.{}.ff.net", {"layer{1,2}": "{0.proj,2}"}),
    **within("final_layer.adaln_modulation", "norm_out", _TWO_LINEAR),
    "x_embedder.proj.1": "patch_embed.proj",
    "t_embedder.1.linear_{1,2}": "time_embed.t_embedder.linear_{1,2}",
    "t_embedding_norm": "time_embed.norm",
    "final_layer.linear": "proj_out",
}
_MOCHI_BLOCK: Rows = {
    "mod_{x,y}": "{norm1,norm1_context}.linear",
    "attn.qkv_x": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "attn.qkv_y": ("attn1.add_q_proj", "attn1.add_k_proj", "attn1.add_v_proj"),
    "attn.proj_{x,y}": "attn1.{to_out.0,to_add_out}",
    "attn.{q,k}_norm_x": "attn1.norm_{q,k}",
    "attn.{q,k}_norm_y": "attn1.norm_added_{q,k}",
    # Gate and value of the activation change places.
    "mlp_x.w1": swap_halves("ff.net.0.proj"),
    "mlp_x.w2": "ff.net.2",
    "mlp_y.w1": swap_halves("ff_context.net.0.proj"),
    "mlp_y.w2": "ff_context.net.2",
}
MOCHI: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _MOCHI_BLOCK),
    # The last block has no gate for the text, and so a module of another name.
    "blocks.47.mod_y": "transformer_blocks.47.norm1_context.linear_1",
    "x_embedder.proj": "patch_embed.proj",
    **within("t_embedder.mlp", "time_embed.timestep_embedder", MLP),
    **within("t5_y_embedder", "time_embed.pooler", {"to_{kv,q,out}": "to_{kv,q,out}"}),
    "t5_yproj": "time_embed.caption_proj",
    "final_layer.linear": "proj_out",
    "final_layer.mod": swap_halves("norm_out.linear"),
}
_MINIMAX_BLOCK: Rows = {
    "attn.qkv_proj": QKV,
    "attn.out_proj": "attn.to_out.0",
    "attn.{q,k}_norm": "attn.norm_{q,k}",
    # Gate and value there, value and gate here.
    "mlp.fc1": swap_halves("ff.net.0.proj"),
    "mlp.fc2": "ff.net.2",
}
MINIMAX_H3: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _MINIMAX_BLOCK),
    **within("token_refiner.blocks.{}", "token_refiner.refiner_blocks.{}", _MINIMAX_BLOCK),
    "blocks.{}.adaln_proj.linear": "transformer_blocks.{}.adaln_proj.linear",
    "{video,audio}_patch_proj": "{proj_in,audio_proj_in}",
    "condition_proj": "context_embedder",
    "time_embedder.proj_{in,out}": "time_embedder.linear_{1,2}",
    "final_layer.{norm,adaln_proj.linear}": "norm_out.{norm,linear}",
    "final_layer.{video,audio}_out": "{proj_out,audio_proj_out}",
}
