"""What trainers call the layers of a model: from the real module names of a tiny pipeline to the names of a file.

Names of a network's first code are those of the product's tables, which lora/test_key_maps_real.py holds against
diffusers' converters.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch

from hub_ui.generate.lora.module_names import TABLES, Entry, expand_rows, flat, names_of, originals
from hub_ui.generate.lora.modules import Target, model_of
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
    return prefix + (flat(name) if prefix.endswith("_") else name)


def renamed(component: str, prefix: str, rename: Callable[[Any, str], str], wanted: str = "") -> Spelling:
    """`rename` makes of the pipeline and a module's name there the trainer's name, with dots."""
    return lambda pipe: [
        Spelled(name=joined(prefix, rename(pipe, name)), targets=(Target(component=component, module=name),))
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


def first_of_each(rows: Iterable[tuple[str, Entry]]) -> Iterator[tuple[str, Entry]]:
    """The first row for each module; those after it are other spellings of the same."""
    seen: set[str] = set()
    for original, entry in rows:
        if seen.isdisjoint(entry.modules):
            yield original, entry
        seen |= set(entry.modules)


def original(architecture: str, prefix: str, wanted: str = "", component: str = "transformer") -> Spelling:
    """Names of the network's first code; its layers that have none go by their own."""

    def spell(pipe: Any) -> list[Spelled]:
        model, layers = model_of(pipe), set(modules(pipe, component))
        rows = [row for row in expand_rows(TABLES[architecture], layers) if set(row[1].modules) <= layers]
        layers -= {module for _, entry in rows for module in entry.modules}
        rows += [(name, Entry(modules=(name,))) for name in sorted(layers)]
        targets = names_of({"transformer": model[component]}, architecture).network
        return [
            Spelled(
                name=joined(prefix, name),
                targets=tuple(replace(target, component=component) for target in targets[flat(name)]),
            )
            for name, _ in first_of_each(row for row in rows if re.search(wanted, row[0]))
        ]

    return spell


def xlabs(wanted: str) -> Spelling:
    """FLUX.1 as XLabs trains it: by the processors of its attention."""

    def spell(pipe: Any) -> list[Spelled]:
        layers = original("flux1", "", wanted)(pipe)
        names = [
            re.sub(r"(\d+)\.(qkv|proj)(?:_lora)?(\d?)$", r"\1.processor.\2_lora\3", layer.name) for layer in layers
        ]
        return [Spelled(name=name, targets=layer.targets) for name, layer in zip(names, layers, strict=True)]

    return spell
