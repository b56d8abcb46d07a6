"""What trainers call the layers of a model: from the real module names of a tiny pipeline to the names of a file.

Written from the models' original code, and from nothing of the product's, but for Stability's names of a UNet: those of
the product are held against diffusers' in lora/test_key_maps_real.py.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch

from hub_ui.generate.lora.module_names import originals
from tests.hub_ui.generate.pipelines.files import Spelled

Spelling = Callable[[Any], list[Spelled]]


def modules(pipe: Any, component: str, wanted: str = "") -> list[str]:
    """Layers with a matrix, by a regular expression on their names."""
    return [
        name
        for name, module in getattr(pipe, component).named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and re.search(wanted, name)
    ]


def joined(prefix: str, name: str) -> str:
    """A prefix that ends in an underscore is of a trainer that writes no dots."""
    return prefix + (name.replace(".", "_") if prefix.endswith("_") else name)


def renamed(component: str, prefix: str, rename: Callable[[Any, str], str], wanted: str = "") -> Spelling:
    """`rename` makes of the pipeline and a module's name there the trainer's name, with dots."""
    return lambda pipe: [
        Spelled(name=joined(prefix, rename(pipe, name)), component=component, modules=(name,))
        for name in modules(pipe, component, wanted)
    ]


def own(component: str, prefix: str, wanted: str = "") -> Spelling:
    """A trainer that works on diffusers' or transformers' own networks and keeps their names."""
    return renamed(component, prefix, lambda _, name: name, wanted)


def of_clip(component: str, prefix: str) -> Spelling:
    """Trainers know a CLIP text model by the name it had in transformers before 5: with text_model in front."""
    return renamed(component, prefix, lambda _, name: f"text_model.{name.removeprefix('text_model.')}", "layers")


def processors(prefix: str) -> Spelling:
    """diffusers of early 2023: a LoRA was an attention processor."""

    def rename(_pipe: Any, name: str) -> str:
        attention, _, projection = name.removesuffix(".0").rpartition(".")
        return f"{attention}.processor.{projection}"

    return renamed("unet", prefix, rename, r"attn[12]\.")


def sai(prefix: str = "lora_unet_", wanted: str = r"attentions") -> Spelling:
    """Stability's own names of a UNet, which kohya's scripts train SDXL by: blocks counted through."""

    def rename(pipe: Any, name: str) -> str:
        return next(original for original, module in originals(modules(pipe, "unet")) if module == name)

    return renamed("unet", prefix, rename, wanted)


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


def original(prefix: str, names: Names, component: str = "transformer") -> Spelling:
    """Names of the network's first code, as in layers.toml. A block that the tiny network lacks is left out."""

    def spell(pipe: Any) -> list[Spelled]:
        there = set(modules(pipe, component))
        return [
            Spelled(
                name=joined(prefix, name), component=component, modules=found,
                swapped=name not in found and is_swapped(pipe, found[0]),
            )
            for pattern, into in names.items()
            for i in ("01234567" if "#" in pattern else "0")
            for name, found in [(pattern.replace("#", i), tuple(module.replace("#", i) for module in into))]
            if name == pattern or set(found) <= there
        ]  # fmt: skip

    return spell


def is_swapped(pipe: Any, module: str) -> bool:
    """A last norm's linear layer makes scale and shift in diffusers, shift and scale in the originals.

    In SD3 the text's norm of the last block is such a one too.
    """
    last = f"transformer_blocks.{getattr(pipe.transformer.config, 'num_layers', 0) - 1}.norm1_context.linear"
    return module == "norm_out.linear" or (type(pipe).__name__.startswith("StableDiffusion3") and module == last)
