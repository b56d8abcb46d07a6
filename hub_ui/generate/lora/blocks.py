"""LoRA block weights: one factor per block of the network, with the block names of sd-webui-lora-block-weight.

    lbw=1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0    in the order of BLOCKS; the first number is the text encoder's
    lbw=INALL                                a preset from PRESETS
    lbw=IN05, lbw=NIN05                      only this block; all blocks except this block

`blocks.toml` defines BLOCKS and PRESETS. A U-Net's longer list also names its convolutions, which only LoCon and
similar files change. As in the extension, a block that is missing from the list gets 0, and a module outside all blocks
keeps the LoRA's weight.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.errors import UsageError
from connectors.http import json_fields
from hub_ui.base.i18n import _
from hub_ui.generate.lora.module_names import UNETS, originals
from hub_ui.generate.lora.modules import ModuleKey, Shape
from hub_ui.generate.request import LoraInput

_FILE = tomllib.loads(Path(__file__).with_name("blocks.toml").read_text(encoding="utf-8"))
_LAYOUTS = {architecture: row for row in _FILE["layout"] for architecture in row["architectures"]}
# Architecture -> its lists of blocks, the usual list first.
BLOCKS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    architecture: tuple(tuple(names.split()) for names in row["blocks"]) for architecture, row in _LAYOUTS.items()
}
PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    architecture: {name: tuple(names.split()) for name, names in _FILE["presets"].get(row["presets"], {}).items()}
    for architecture, row in _LAYOUTS.items()
}
_ALL = re.compile(r"ALL(\d?\.\d{1,3})?")
# First word of a module's name -> side of its block ("IN", "M", "OUT", "D", "S").
_ORIGINAL_SIDES, _FLUX_SIDES = _FILE["sides"]["unet"], _FILE["sides"]["flux1"]


def parse_block_weights(text: str, architecture: str | None) -> tuple[float, ...]:
    """Parse the value of `lbw=`. Raises UsageError if it is invalid or does not suit the architecture."""
    text = text.strip().removeprefix("lbw=").strip()
    if "," in text:
        weights = tuple(_number(part) for part in text.split(","))
        if architecture is not None:
            block_names(architecture, len(weights))
        return weights
    if architecture is None:
        message = _("It is unknown which blocks this LoRA has, so “{text}” means nothing. Write the numbers.")
        raise UsageError(message.format(text=text[:40]))
    blocks = block_names(architecture, len(_lists(architecture)[0]))
    if match := _ALL.fullmatch(text):
        return (float(match[1] or 1),) * len(blocks)
    if text == "NONE":
        return (0.0,) * len(blocks)
    if text in PRESETS[architecture]:
        on = ("BASE", *PRESETS[architecture][text])
        return tuple(float(block in on) for block in blocks)
    name = text.replace("MID", "M00")
    if name in blocks:
        return tuple(float(block == name) for block in blocks)
    if name.removeprefix("N") in blocks:
        return tuple(float(block != name.removeprefix("N")) for block in blocks)
    known = ", ".join(("ALL", "NONE", *PRESETS[architecture], blocks[1]))
    raise UsageError(
        _(
            "“{text}” are no block weights. Give {architecture} numbers with commas between, or a name such as {known}."
        ).format(text=text[:40], architecture=_counts(architecture), known=known)
    )


def _number(text: str) -> float:
    number = json_fields.number(text)
    if number is None:
        message = _("“{text}” is no block weight. Give numbers with commas between, such as 1,0,0.5.")
        raise UsageError(message.format(text=text.strip()[:40]))
    return number


def _lists(architecture: str) -> tuple[tuple[str, ...], ...]:
    if architecture not in BLOCKS:
        text = _(
            "Block weights are known for Stable Diffusion 1 and 2, SDXL and FLUX.1, not for "
            "{architecture}. Leave them out."
        )
        raise UsageError(text.format(architecture=architecture))
    return BLOCKS[architecture]


def _counts(architecture: str) -> str:
    return " or ".join(str(len(blocks)) for blocks in _lists(architecture))


def block_names(architecture: str, count: int) -> tuple[str, ...]:
    """Return the architecture's list of `count` blocks. Raises UsageError if it has no list of this length."""
    names = next((blocks for blocks in _lists(architecture) if len(blocks) == count), None)
    if names is None:
        text = _("{architecture} takes {architecture2} block weights, and these are {count}.")
        raise UsageError(text.format(architecture=architecture, architecture2=_counts(architecture), count=count))
    return names


def blocks_of(sizes: Mapping[str, Mapping[str, Shape]], architecture: str) -> Iterator[tuple[ModuleKey, str]]:
    """Yield each module of a model (component -> module -> shape) that belongs to a block, with the block's name."""
    for component, modules in sizes.items():
        if component.startswith("text_encoder"):
            block = ("T5" if component == "text_encoder_2" else "CLIP") if architecture == "flux1" else "BASE"
            yield from (((component, module), block) for module in modules)
        elif architecture in UNETS:
            for original, module in originals(modules):
                side, *rest = original.split(".")
                if side in _ORIGINAL_SIDES:
                    number = 0 if side == "middle_block" else int(rest[0])
                    yield (component, module), f"{_ORIGINAL_SIDES[side]}{number:02}"
        elif architecture == "flux1":
            for module in modules:
                side, *rest = module.split(".")
                if side in _FLUX_SIDES:
                    yield (component, module), _FLUX_SIDES[side] + (f"{int(rest[0]):02}" if "blocks" in side else "")


def module_factors(
    adapter: LoraInput, sizes: Mapping[str, Mapping[str, Shape]], architecture: str
) -> Mapping[ModuleKey, float]:
    """Return the factor of the adapter's weight in each module; a module that is not listed has the factor 1.

    Raises UsageError if the block weights do not suit the architecture.
    """
    factors: dict[ModuleKey, float] = {}
    if adapter.block_weights:
        weights = dict(zip(block_names(architecture, len(adapter.block_weights)), adapter.block_weights, strict=True))
        factors = {key: weights.get(block, 0.0) for key, block in blocks_of(sizes, architecture)}
    if adapter.text_encoder_scale != 1:
        for component in (name for name in sizes if name.startswith("text_encoder")):
            for module in sizes[component]:
                key = component, module
                factors[key] = factors.get(key, 1.0) * adapter.text_encoder_scale
    return factors
