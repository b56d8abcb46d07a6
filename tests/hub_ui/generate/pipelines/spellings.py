"""What trainers call the layers of a model: from the real module names of a tiny pipeline to the names of a file.

Written from the models' original code, and from nothing of the product's.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.files import Spelled

Spelling = Callable[[Any], list[Spelled]]


def modules(pipe: Any, component: str, wanted: str = "") -> list[str]:
    """Layers with a matrix, by a regular expression on their names."""
    return [
        name
        for name, module in getattr(pipe, component).named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and re.search(wanted, name)
    ]


def renamed(
    component: str, prefix: str, rename: Callable[[Any, str], str], wanted: str = "", between: str = "."
) -> Spelling:
    """`rename` makes of the pipeline and a module's name there the trainer's name, with dots."""
    return lambda pipe: [
        Spelled(name=prefix + rename(pipe, name).replace(".", between), component=component, modules=(name,))
        for name in modules(pipe, component, wanted)
    ]


def dotted(component: str, prefix: str, wanted: str = "") -> Spelling:
    """A trainer that works on diffusers' or transformers' own networks and keeps their names."""
    return renamed(component, prefix, lambda _, name: name, wanted)


def underscored(component: str, prefix: str, wanted: str = "") -> Spelling:
    return renamed(component, prefix, lambda _, name: name, wanted, "_")


def of_clip(component: str, prefix: str, between: str = "_") -> Spelling:
    """Trainers know a CLIP text model by the name it had in transformers before 5: with text_model in front."""
    return renamed(
        component, prefix, lambda _, name: f"text_model.{name.removeprefix('text_model.')}", "layers", between
    )


def processors(prefix: str) -> Spelling:
    """diffusers of early 2023: a LoRA was an attention processor."""

    def rename(_pipe: Any, name: str) -> str:
        attention, _, projection = name.removesuffix(".0").rpartition(".")
        return f"{attention}.processor.{projection}"

    return renamed("unet", prefix, rename, r"attn[12]\.")


def sai(prefix: str = "lora_unet_", wanted: str = r"attentions", between: str = "_") -> Spelling:
    """Stability's own names of a UNet, which kohya's scripts train SDXL by: blocks counted through."""

    def rename(pipe: Any, name: str) -> str:
        return original_name(name, pipe.unet.config.layers_per_block)

    return renamed("unet", prefix, rename, wanted, between)


RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def original_name(name: str, layers: int) -> str:
    """A UNet's module in Stability's code. `layers`: how many residual layers a block of it has."""
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


# A layer's name in a file, and the modules whose outputs it holds, one after the other.
Names = Mapping[str, tuple[str, ...]]
_FILE = tomllib.loads(Path(__file__).with_name("layers.toml").read_text(encoding="utf-8"))


def layers(*tables: str) -> Names:
    """Tables of layers.toml, in one: "flux2.original", "flux2.around"."""
    return {name: modules for each in tables for name, modules in _layers(each)}


def _layers(table: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    base, _, part = table.partition(".")
    values = _FILE[base][part]
    for name in values:
        names, found = _expand(name), _expand(values[name] if isinstance(values, dict) else name)
        each = len(found) // len(names)
        yield from ((name, found[at * each : (at + 1) * each]) for at, name in enumerate(names))


def _expand(name: str) -> tuple[str, ...]:
    return tuple(map("".join, product(*(words.split(",") for words in re.split("[{}]", name)))))


def original(prefix: str, *tables: str, between: str = ".") -> Spelling:
    """Names of the network's first code, by tables of layers.toml. A layer that the tiny network lacks is left out."""

    def spell(pipe: Any) -> list[Spelled]:
        there = set(modules(pipe, "transformer"))
        return [
            Spelled(
                name=prefix + name.replace(".", between), component="transformer", modules=found,
                swapped=swapped(pipe, found[0]),
            )
            for pattern, into in layers(*tables).items()
            for i in ("01234567" if "#" in pattern else "0")
            for name, found in [(pattern.replace("#", i), tuple(module.replace("#", i) for module in into))]
            if set(found) <= there
        ]  # fmt: skip

    return spell


def swapped(pipe: Any, module: str) -> bool:
    """A last norm's linear layer makes scale and shift in diffusers, shift and scale in the originals.

    In SD3 the text's norm of the last block is such a one too.
    """
    last = f"transformer_blocks.{getattr(pipe.transformer.config, 'num_layers', 0) - 1}.norm1_context.linear"
    return module == "norm_out.linear" or (type(pipe).__name__.startswith("StableDiffusion3") and module == last)
