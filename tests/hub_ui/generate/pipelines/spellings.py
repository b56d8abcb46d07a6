"""What trainers call the layers of a model: from the real module names of a tiny pipeline to the names of a file.

Written from the models' original code, and from nothing of the product's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.files import Spelled

Spelling = Callable[[Any], list[Spelled]]


def modules(pipe: Any, component: str, wanted: str = "", unwanted: str | None = None) -> list[str]:
    """Layers with a matrix, by regular expressions on their names."""
    return [
        name
        for name, module in getattr(pipe, component).named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
        and re.search(wanted, name)
        and not (unwanted and re.search(unwanted, name))
    ]


def dotted(component: str, prefix: str, wanted: str = "", unwanted: str | None = None) -> Spelling:
    """A trainer that works on diffusers' or transformers' own networks and keeps their names."""
    return lambda pipe: [
        Spelled(name=prefix + name, component=component, modules=(name,))
        for name in modules(pipe, component, wanted, unwanted)
    ]


def underscored(component: str, prefix: str, wanted: str = "", unwanted: str | None = None) -> Spelling:
    return lambda pipe: [
        Spelled(name=prefix + name.replace(".", "_"), component=component, modules=(name,))
        for name in modules(pipe, component, wanted, unwanted)
    ]


def of_clip(component: str, prefix: str, between: str = "_", wanted: str = r"layers") -> Spelling:
    """Trainers know a CLIP text model by the name it had in transformers before 5: with text_model in front."""

    def spell(pipe: Any) -> list[Spelled]:
        found = modules(pipe, component, wanted)
        whole = {name: name if name.startswith("text_") else f"text_model.{name}" for name in found}
        return [
            Spelled(name=prefix + whole[name].replace(".", between), component=component, modules=(name,))
            for name in found
        ]

    return spell


def processors(prefix: str) -> Spelling:
    """diffusers of early 2023: a LoRA was an attention processor."""

    def spell(pipe: Any) -> list[Spelled]:
        return [
            Spelled(name=prefix + _processor(name), component="unet", modules=(name,))
            for name in modules(pipe, "unet", r"attn[12]\.")
        ]

    return spell


def _processor(name: str) -> str:
    attention, _, projection = name.removesuffix(".0").rpartition(".")
    return f"{attention}.processor.{projection}"


def sai(prefix: str = "lora_unet_", wanted: str = r"attentions", between: str = "_") -> Spelling:
    """Stability's own names of a UNet, which kohya's scripts train SDXL by: blocks counted through."""

    def spell(pipe: Any) -> list[Spelled]:
        layers = pipe.unet.config.layers_per_block
        return [
            Spelled(name=prefix + _sai(name, layers).replace(".", between), component="unet", modules=(name,))
            for name in modules(pipe, "unet", wanted)
        ]

    return spell


RESNET = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def _sai(name: str, layers: int) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    part = name.split(".")
    if part[0] == "mid_block":
        at = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}[".".join(part[1:3])]
        return f"middle_block.{at}.{_inside(part[1], part[3:])}"
    block, kind, layer = int(part[1]), part[2], int(part[3])
    if part[0] == "down_blocks":
        at = 1 + block * (layers + 1) + (layers if kind == "downsamplers" else layer)
        inner = {"resnets": "0", "attentions": "1", "downsamplers": "0.op"}[kind]
        return f"input_blocks.{at}.{inner}" + ("" if kind == "downsamplers" else "." + _inside(kind, part[4:]))
    at = block * (layers + 1) + (layers if kind == "upsamplers" else layer)
    # An upsampler comes after the attention, where there is one: SDXL's two outer levels have it.
    inner = {"resnets": "0", "attentions": "1", "upsamplers": "2.conv"}[kind]
    return f"output_blocks.{at}.{inner}" + ("" if kind == "upsamplers" else "." + _inside(kind, part[4:]))


def _inside(kind: str, rest: Sequence[str]) -> str:
    name = ".".join(rest)
    return RESNET[name] if kind == "resnets" else name


Table = Mapping[str, tuple[str, ...]]
# name in the original -> modules in diffusers' network. {i} is the block.
FLUX_BLOCKS: Table = {
    "double_blocks.{i}.img_attn.qkv": tuple(f"transformer_blocks.{{i}}.attn.to_{x}" for x in "qkv"),
    "double_blocks.{i}.txt_attn.qkv": tuple(f"transformer_blocks.{{i}}.attn.add_{x}_proj" for x in "qkv"),
    "double_blocks.{i}.img_attn.proj": ("transformer_blocks.{i}.attn.to_out.0",),
    "double_blocks.{i}.txt_attn.proj": ("transformer_blocks.{i}.attn.to_add_out",),
    "double_blocks.{i}.img_mlp.0": ("transformer_blocks.{i}.ff.net.0.proj",),
    "double_blocks.{i}.img_mlp.2": ("transformer_blocks.{i}.ff.net.2",),
    "double_blocks.{i}.txt_mlp.0": ("transformer_blocks.{i}.ff_context.net.0.proj",),
    "double_blocks.{i}.txt_mlp.2": ("transformer_blocks.{i}.ff_context.net.2",),
    "double_blocks.{i}.img_mod.lin": ("transformer_blocks.{i}.norm1.linear",),
    "double_blocks.{i}.txt_mod.lin": ("transformer_blocks.{i}.norm1_context.linear",),
    "single_blocks.{i}.linear2": ("single_transformer_blocks.{i}.proj_out",),
    "single_blocks.{i}.modulation.lin": ("single_transformer_blocks.{i}.norm.linear",),
}
FLUX_LINEAR1: Table = {
    "single_blocks.{i}.linear1": (
        *(f"single_transformer_blocks.{{i}}.attn.to_{x}" for x in "qkv"),
        "single_transformer_blocks.{i}.proj_mlp",
    )
}
FLUX_OUTSIDE: Table = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
    "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
CHROMA_OUTSIDE: Table = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "distilled_guidance_layer.in_proj": ("distilled_guidance_layer.in_proj",),
    "distilled_guidance_layer.out_proj": ("distilled_guidance_layer.out_proj",),
    "distilled_guidance_layer.layers.{i}.in_layer": ("distilled_guidance_layer.layers.{i}.linear_1",),
    "distilled_guidance_layer.layers.{i}.out_layer": ("distilled_guidance_layer.layers.{i}.linear_2",),
    "final_layer.linear": ("proj_out",),
}
XLABS: Table = {
    "double_blocks.{i}.processor.qkv_lora1": FLUX_BLOCKS["double_blocks.{i}.img_attn.qkv"],
    "double_blocks.{i}.processor.qkv_lora2": FLUX_BLOCKS["double_blocks.{i}.txt_attn.qkv"],
    "double_blocks.{i}.processor.proj_lora1": FLUX_BLOCKS["double_blocks.{i}.img_attn.proj"],
    "double_blocks.{i}.processor.proj_lora2": FLUX_BLOCKS["double_blocks.{i}.txt_attn.proj"],
}
XLABS_SINGLE: Table = {
    "single_blocks.{i}.processor.qkv_lora": tuple(f"single_transformer_blocks.{{i}}.attn.to_{x}" for x in "qkv"),
    "single_blocks.{i}.processor.proj_lora": ("single_transformer_blocks.{i}.proj_out",),
}
SD3_BLOCKS: Table = {
    "joint_blocks.{i}.x_block.attn.qkv": tuple(f"transformer_blocks.{{i}}.attn.to_{x}" for x in "qkv"),
    "joint_blocks.{i}.context_block.attn.qkv": tuple(f"transformer_blocks.{{i}}.attn.add_{x}_proj" for x in "qkv"),
    "joint_blocks.{i}.x_block.attn2.qkv": tuple(f"transformer_blocks.{{i}}.attn2.to_{x}" for x in "qkv"),
    "joint_blocks.{i}.x_block.attn.proj": ("transformer_blocks.{i}.attn.to_out.0",),
    "joint_blocks.{i}.context_block.attn.proj": ("transformer_blocks.{i}.attn.to_add_out",),
    "joint_blocks.{i}.x_block.attn2.proj": ("transformer_blocks.{i}.attn2.to_out.0",),
    "joint_blocks.{i}.x_block.mlp.fc1": ("transformer_blocks.{i}.ff.net.0.proj",),
    "joint_blocks.{i}.x_block.mlp.fc2": ("transformer_blocks.{i}.ff.net.2",),
    "joint_blocks.{i}.context_block.mlp.fc1": ("transformer_blocks.{i}.ff_context.net.0.proj",),
    "joint_blocks.{i}.context_block.mlp.fc2": ("transformer_blocks.{i}.ff_context.net.2",),
    "joint_blocks.{i}.x_block.adaLN_modulation.1": ("transformer_blocks.{i}.norm1.linear",),
    "joint_blocks.{i}.context_block.adaLN_modulation.1": ("transformer_blocks.{i}.norm1_context.linear",),
}
SD3_OUTSIDE: Table = {
    "x_embedder.proj": ("pos_embed.proj",),
    "context_embedder": ("context_embedder",),
    "t_embedder.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_text_embed.timestep_embedder.linear_2",),
    "y_embedder.mlp.0": ("time_text_embed.text_embedder.linear_1",),
    "y_embedder.mlp.2": ("time_text_embed.text_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
AURAFLOW: Table = {
    **{
        f"double_layers.{{i}}.attn.w{side}{x}": (f"joint_transformer_blocks.{{i}}.attn.{name}",)
        for side, names in (
            (1, ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
            (2, ("to_q", "to_k", "to_v", "to_out.0")),
        )
        for x, name in zip("qkvo", names, strict=True)
    },
    **{
        f"double_layers.{{i}}.mlp{side}.{layer}": (f"joint_transformer_blocks.{{i}}.{ff}.{name}",)
        for side, ff in (("X", "ff"), ("C", "ff_context"))
        for layer, name in (("c_fc1", "linear_1"), ("c_fc2", "linear_2"), ("c_proj", "out_projection"))
    },
    "double_layers.{i}.modX.1": ("joint_transformer_blocks.{i}.norm1.linear",),
    "double_layers.{i}.modC.1": ("joint_transformer_blocks.{i}.norm1_context.linear",),
    **{
        f"single_layers.{{i}}.attn.w1{x}": (f"single_transformer_blocks.{{i}}.attn.{name}",)
        for x, name in zip("qkvo", ("to_q", "to_k", "to_v", "to_out.0"), strict=True)
    },
    **{
        f"single_layers.{{i}}.mlp.{layer}": (f"single_transformer_blocks.{{i}}.ff.{name}",)
        for layer, name in (("c_fc1", "linear_1"), ("c_fc2", "linear_2"), ("c_proj", "out_projection"))
    },
    "single_layers.{i}.modCX.1": ("single_transformer_blocks.{i}.norm1.linear",),
}


def original(prefix: str, *tables: Table, between: str = ".") -> Spelling:
    """Names of the network's first code. A layer that the tiny network lacks is left out."""

    def spell(pipe: Any) -> list[Spelled]:
        there = set(modules(pipe, "transformer"))
        return [
            Spelled(
                name=prefix + name.replace(".", between), component="transformer", modules=found,
                swapped=swapped(pipe, found[0]),
            )
            for table in tables
            for pattern, into in table.items()
            for i in (range(8) if "{i}" in pattern else range(1))
            for name, found in [(pattern.format(i=i), tuple(module.format(i=i) for module in into))]
            if set(found) <= there
        ]  # fmt: skip

    return spell


def swapped(pipe: Any, module: str) -> bool:
    """A last norm's linear layer makes scale and shift in diffusers, shift and scale in the originals.

    In SD3 the text's norm of the last block is such a one too.
    """
    last = f"transformer_blocks.{getattr(pipe.transformer.config, 'num_layers', 0) - 1}.norm1_context.linear"
    return module == "norm_out.linear" or (type(pipe).__name__.startswith("StableDiffusion3") and module == last)
