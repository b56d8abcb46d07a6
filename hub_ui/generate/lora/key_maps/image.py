"""Key maps of image networks: FLUX.1 to 3, Chroma, Stable Diffusion 3, AuraFlow, Lumina, Z-Image, Krea 2 and others.

The U-Net of Stable Diffusion 1, 2 and XL in the names of CompVis' and Stability AI's code.

There the blocks have one running number: `input_blocks.4.1` is the attention of the fourth. Which block of diffusers it
is depends on the number of resnets in a block, so this key map is made from the model.

cloneofsimo/lora has no names: it numbers the layers it patches, in the order in which PyTorch walks the model of late
2022. There an attention has q, k, v and its output; a transformer block has its self-attention, the first half of its
feed-forward, then the cross-attention; and the middle of a U-Net comes after its up blocks.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from hub_ui.generate.lora.key_maps import FC, IN_OUT, MLP, Rows, Table, swap_halves, table, within, within_each
from hub_ui.generate.lora.modules import Shape, Target

_TOP = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(
    r"(?:(?P<side>down|up)_blocks\.(?P<block>\d+)|mid_block)\.(?P<kind>resnets|attentions|downsamplers|upsamplers)"
    r"\.(?P<layer>\d+)\.(?P<rest>.+)"
)


def originals(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every module's name in the original code, and its own."""
    every = tuple(modules)
    resnets = len({name.split(".")[3] for name in every if name.startswith("down_blocks.0.resnets.")})
    with_attention = {name.split(".")[1] for name in every if name.startswith("up_blocks.") and ".attentions." in name}
    for name in every:
        if name in _TOP:
            yield _TOP[name], name
        elif match := _BLOCK.fullmatch(name):
            has_attention = match["block"] in with_attention
            yield _original(match, resnets, has_attention), name


def _original(match: re.Match[str], resnets: int, has_attention: bool) -> str:
    """`resnets` is the number of them in a block; `has_attention` is that of an up block."""
    kind, layer, rest = match["kind"], int(match["layer"]), match["rest"]
    if kind == "resnets":
        rest = _RESNET.get(rest, rest)
    position = int(kind == "attentions")
    if match["side"] is None:
        return f"middle_block.{2 * layer + position}.{rest}"
    first = int(match["block"]) * (resnets + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + 1 + resnets}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        # It comes after the attention, if there is one.
        return f"output_blocks.{first + resnets}.{1 + has_attention}.{rest}"
    side, first = ("input", first + 1) if match["side"] == "down" else ("output", first)
    return f"{side}_blocks.{first + layer}.{position}.{rest}"


# Rows for the names that `plain` makes of those of transformers.
_OPEN_CLIP_BLOCK: Rows = {
    "attn.in_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attn.out_proj": "self_attn.out_proj",
    "mlp.{c_fc,c_proj}": "mlp.{fc1,fc2}",
    "ln_{1,2}": "layer_norm{1,2}",
}
OPEN_CLIP: Table = {
    **within("resblocks.{}", "encoder.layers.{}", _OPEN_CLIP_BLOCK),
    **table({"ln_final": "final_layer_norm"}),
}
# The names of attention's layers in diffusers of early 2023.
EARLY: Table = within_each(("encoder.layers.{}.self_attn",), {"to_{q,k,v,out}": "{q,k,v,out}_proj"})
# Newer versions of transformers have dropped `text_model.` from one class and not from the other.
_ENCODER_WRAPPERS = re.compile(r"^(?:(?:text_model|language_model|model|transformer)[._])+")


def plain(name: str) -> str:
    """A layer's name, in a file or in a model, without the wrappers around the encoder's own stack."""
    return _ENCODER_WRAPPERS.sub("", name)


_NUMBERED = re.compile(r"(?:unet|text_encoder):\d+")
# Component -> its blocks, and the layers of each.
_ORDER = {
    "unet": (
        re.compile(r".+\.transformer_blocks\.\d+"),
        ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "ff.net.0.proj",
         "attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"),
    ),
    "text_encoder": (
        re.compile(r".*encoder\.layers\.\d+"),
        ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj"),
    ),
}  # fmt: skip
_SIDES = ("down_blocks", "up_blocks", "mid_block")


def is_numbered(layer: str) -> bool:
    return _NUMBERED.fullmatch(layer) is not None


def targets_by_number(sizes: Mapping[str, Mapping[str, Shape]]) -> dict[str, Target]:
    """The layers by name, such as "unet:0". The caller has to check their sizes."""
    targets: dict[str, Target] = {}
    for component, (pattern, layers) in _ORDER.items():
        blocks = {match.group() for module in sizes.get(component, {}) if (match := pattern.match(module))}
        modules = (f"{block}.{layer}" for block in sorted(blocks, key=_position) for layer in layers)
        for number, module in enumerate(modules):
            targets[f"{component}:{number}"] = Target(component=component, module=module)
    return targets


def _position(block: str) -> tuple[int, ...]:
    side = next((number for number, name in enumerate(_SIDES) if block.startswith(name)), 0)
    return (side, *map(int, re.findall(r"\d+", block)))


QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
ADDED_QKV = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
_DOUBLE_ATTENTION: Rows = {
    "img_attn.qkv": QKV,
    "img_attn.proj": "attn.to_out.0",
    "img_attn.norm.{query,key}_norm": "attn.norm_{q,k}",
    "txt_attn.qkv": ADDED_QKV,
    "txt_attn.proj": "attn.to_add_out",
    "txt_attn.norm.{query,key}_norm": "attn.norm_added_{q,k}",
}
_NORMS: Rows = {"norm.{query,key}_norm": "attn.norm_{q,k}"}
FLUX_DOUBLE: Rows = {
    "{img,txt}_mod.lin": "{norm1,norm1_context}.linear",
    **_DOUBLE_ATTENTION,
    "img_mlp.{0,2}": "ff.net.{0.proj,2}",
    "txt_mlp.{0,2}": "ff_context.net.{0.proj,2}",
    # XLabs: 1 is the stream of the image, 2 that of the text.
    "qkv_lora1": QKV,
    "qkv_lora2": ADDED_QKV,
    "proj_lora{1,2}": "attn.{to_out.0,to_add_out}",
}
_FLUX1_SINGLE: Rows = {
    "modulation.lin": "norm.linear",
    "linear1": (*QKV, "proj_mlp"),
    "linear2": "proj_out",
    **_NORMS,
    "qkv": QKV,
    "proj": "proj_out",
}
CHROMA: Rows = {
    **within("double_blocks.{}", "transformer_blocks.{}", FLUX_DOUBLE),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX1_SINGLE),
    "{img,txt}_in": "{x,context}_embedder",
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
_CUT_OFF = (*QKV, *ADDED_QKV, "attn.to_out.0", "attn.to_add_out", "ff.linear_in", "ff.linear_out",
            "ff_context.linear_in", "ff_context.linear_out")  # fmt: skip
_FLUX2_SINGLE: Rows = {"linear{1,2}": "attn.{to_qkv_mlp_proj,to_out}", **_NORMS}
FLUX2: Rows = {
    **within("double_blocks.{}", "transformer_blocks.{}", _DOUBLE_ATTENTION),
    **within("double_blocks.{}.img_mlp", "transformer_blocks.{}.ff", {"{0,2}": "linear_{in,out}"}),
    **within("double_blocks.{}.txt_mlp", "transformer_blocks.{}.ff_context", {"{0,2}": "linear_{in,out}"}),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX2_SINGLE),
    "{img,txt}_in": "{x,context}_embedder",
    **within("time_in", "time_guidance_embed.timestep_embedder", IN_OUT),
    **within("guidance_in", "time_guidance_embed.guidance_embedder", IN_OUT),
    "double_stream_modulation_{img,txt}.lin": "double_stream_modulation_{img,txt}.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
    **within("sformer_blocks.{}", "transformer_blocks.{}", {name: name for name in _CUT_OFF}),
}
_FLUX3_BLOCK: Rows = {
    "{q,k,v}_proj": "attn.to_{q,k,v}",
    "attn_out": "attn.to_out.0",
    **_NORMS,
    "mlp_{in,out}": "ff.linear_{in,out}",
}

FLUX3: Rows = {
    **within_each(("mode_blocks.image.{}", "mode_blocks.image_cond.{}", "txt_mode_blocks.{}"), _FLUX3_BLOCK),
    **within("content_mode_blocks.image.{}", "mode_blocks.image.{}", _FLUX3_BLOCK),
    **within("content_mode_blocks.image_cond.{}", "mode_blocks.image_cond.{}", _FLUX3_BLOCK),
    **within("single_blocks.{}", "single_transformer_blocks.{}", _FLUX3_BLOCK),
    "emb_in.{image,image_cond}": "x_embedders.{image,image_cond}",
    "txt_in": "context_embedder",
    **within("time_in", "timestep_embedder", IN_OUT),
    **within_each(
        ("early_stream_modulations", "single_stream_modulations"),
        {"{image,image_cond,txt}.lin": "{image,image_cond,txt}.linear"},
    ),
    "final_layer.image.linear": "proj_out",
    "final_layer.image.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
_SD3_IMAGE: Rows = {
    "attn.qkv": QKV,
    "attn.proj": "attn.to_out.0",
    "attn.ln_{q,k}": "attn.norm_{q,k}",
    "attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "attn2.proj": "attn2.to_out.0",
    "attn2.ln_{q,k}": "attn2.norm_{q,k}",
    "mlp.fc{1,2}": "ff.net.{0.proj,2}",
    "adaLN_modulation.1": "norm1.linear",
}
_SD3_TEXT: Rows = {
    "attn.qkv": ADDED_QKV,
    "attn.proj": "attn.to_add_out",
    "attn.ln_{q,k}": "attn.norm_added_{q,k}",
    "mlp.fc{1,2}": "ff_context.net.{0.proj,2}",
    # The last block only shifts and scales, and does it in the other order.
    "adaLN_modulation.1": swap_halves("norm1_context.linear", "two"),
}
SD3: Rows = {
    **within("joint_blocks.{}.x_block", "transformer_blocks.{}", _SD3_IMAGE),
    **within("joint_blocks.{}.context_block", "transformer_blocks.{}", _SD3_TEXT),
    "x_embedder.proj": "pos_embed.proj",
    **within("t_embedder.mlp", "time_text_embed.timestep_embedder", MLP),
    **within("y_embedder.mlp", "time_text_embed.text_embedder", MLP),
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": swap_halves("norm_out.linear"),
}
_AURAFLOW_MLP: Rows = {"c_fc{1,2}": "linear_{1,2}", "c_proj": "out_projection"}
_AURAFLOW_DOUBLE: Rows = {
    **within("mlpX", "ff", _AURAFLOW_MLP),
    **within("mlpC", "ff_context", _AURAFLOW_MLP),
    "mod{X,C}.1": "{norm1,norm1_context}.linear",
    "attn.w2{q,k,v,o}": "attn.to_{q,k,v,out.0}",
    "attn.w1{q,k,v}": "attn.add_{q,k,v}_proj",
    "attn.w1o": "attn.to_add_out",
}
_AURAFLOW_SINGLE: Rows = {
    **within("mlp", "ff", _AURAFLOW_MLP),
    "modCX.1": "norm1.linear",
    "attn.w1{q,k,v,o}": "attn.to_{q,k,v,out.0}",
}
AURAFLOW: Rows = {
    **within("double_layers.{}", "joint_transformer_blocks.{}", _AURAFLOW_DOUBLE),
    **within("single_layers.{}", "single_transformer_blocks.{}", _AURAFLOW_SINGLE),
    **within("t_embedder.mlp", "time_step_proj", MLP),
    "cond_seq_linear": "context_embedder",
    "init_x_linear": "pos_embed.proj",
    "final_linear": "proj_out",
    "modF.1": swap_halves("norm_out.linear"),
}


_STACKS = ("layers.{}", "noise_refiner.{}", "context_refiner.{}")
_LUMINA2_BLOCK: Rows = {
    # k and v have fewer heads than q, so they are narrower.
    "attention.qkv": QKV,
    "attention.out": "attn.to_out.0",
    "attention.to_{q,k,v,out.0}": "attn.to_{q,k,v,out.0}",
    "attention.{q,k}_norm": "attn.norm_{q,k}",
    "feed_forward.w{1,2,3}": "feed_forward.linear_{1,2,3}",
    "attention_norm2": "norm2",
}
LUMINA2: Rows = {
    **within_each(_STACKS, _LUMINA2_BLOCK),
    **within_each(_STACKS[:2], {"adaLN_modulation.1": "norm1.linear", "attention_norm1": "norm1.norm"}),
    "context_refiner.{}.attention_norm1": "context_refiner.{}.norm1",
    **within("t_embedder.mlp", "time_caption_embed.timestep_embedder", MLP),
    "cap_embedder.{0,1}": "time_caption_embed.caption_embedder.{0,1}",
    "final_layer.adaLN_modulation.1": "norm_out.linear_1",
    "final_layer.linear": "norm_out.linear_2",
}
_Z_IMAGE_ATTENTION: Rows = {
    "qkv": ("to_q", "to_k", "to_v"),
    "out": "to_out.0",
    "{q,k}_norm": "norm_{q,k}",
    # Written with dots where the name has underscores.
    "to.{q,k,v}": "to_{q,k,v}",
}
Z_IMAGE: Rows = {
    **within_each(tuple(f"{stack}.attention" for stack in _STACKS), _Z_IMAGE_ATTENTION),
    "x_embedder": "all_x_embedder.2-1",
    "final_layer.{linear,adaLN_modulation.1}": "all_final_layer.2-1.{linear,adaLN_modulation.1}",
}


_KREA2_BLOCK: Rows = {
    "attn.w{q,k,v,o}": "attn.to_{q,k,v,out.0}",
    "attn.gate": "attn.to_gate",
    "attn.qknorm.{q,k}norm": "attn.norm_{q,k}",
    "mlp.{gate,up,down}": "ff.{gate,up,down}",
    "{pre,post}norm": "norm{1,2}",
}
KREA2: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.layerwise_blocks.{}", "text_fusion.layerwise_blocks.{}", _KREA2_BLOCK),
    **within("txtfusion.refiner_blocks.{}", "text_fusion.refiner_blocks.{}", _KREA2_BLOCK),
    "txtfusion.projector": "text_fusion.projector",
    "first": "img_in",
    "last.{linear,norm}": "final_layer.{linear,norm}",
    **within("tmlp", "time_embed", MLP),
    "tproj.1": "time_mod_proj",
    **within("txtmlp", "txt_in", {"{0,1,3}": "{norm,linear_1,linear_2}"}),
}
QWEN_IMAGE_2: Rows = within_each(("transformer_blocks.{}.img_mlp",), {"gate_up": ("gate_layer", "proj")})
IDEOGRAM4: Rows = within_each(("layers.{}.attention",), {"qkv": ("to_q", "to_k", "to_v"), "o": "to_out.0"})
_LINEAR_ATTENTION: Rows = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "attn.proj": "attn1.to_out.0",
    "cross_attn.q_linear": "attn2.to_q",
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
    "cross_attn.proj": "attn2.to_out.0",
}
SANA: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _LINEAR_ATTENTION),
    "blocks.{}.mlp.{inverted,depth,point}_conv.conv": "transformer_blocks.{}.ff.conv_{inverted,depth,point}",
    "x_embedder.proj": "patch_embed.proj",
    **within("t_embedder.mlp", "time_embed.emb.timestep_embedder", MLP),
    "t_block.1": "time_embed.linear",
    **within("y_embedder.y_proj", "caption_projection", FC),
    "attention_y_norm": "caption_norm",
    "final_layer.linear": "proj_out",
}
PIXART: Rows = {
    **within("blocks.{}", "transformer_blocks.{}", _LINEAR_ATTENTION),
    "blocks.{}.mlp.fc{1,2}": "transformer_blocks.{}.ff.net.{0.proj,2}",
    "x_embedder.proj": "pos_embed.proj",
    **within("t_embedder.mlp", "adaln_single.emb.timestep_embedder", MLP),
    **within("csize_embedder.mlp", "adaln_single.emb.resolution_embedder", MLP),
    **within("ar_embedder.mlp", "adaln_single.emb.aspect_ratio_embedder", MLP),
    "t_block.1": "adaln_single.linear",
    **within("y_embedder.y_proj", "caption_projection", FC),
    "final_layer.linear": "proj_out",
}
