"""LoRA block weights: a number for each block of the network, as sd-webui-lora-block-weight names and counts them.

    lbw=1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0    in the order of BLOCKS, the first of which is the text encoder's
    lbw=INALL                                a name of PRESETS
    lbw=IN05, lbw=NIN05                      that block alone, and all but that one

BLOCKS and PRESETS stand in `blocks.toml`. The longer lists of a U-Net name its convolutions too, which only LoCon files
and their like change. As in that extension, a block that a list leaves out gets 0, and modules that belong to no block
keep the LoRA's weight.
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
# Architecture -> its lists of blocks; the first is the usual one.
BLOCKS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    architecture: tuple(tuple(names.split()) for names in row["blocks"]) for architecture, row in _LAYOUTS.items()
}
PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    architecture: {name: tuple(names.split()) for name, names in _FILE["presets"].get(row["presets"], {}).items()}
    for architecture, row in _LAYOUTS.items()
}
_ALL = re.compile(r"ALL(\d?\.\d{1,3})?")
# What the name of a module begins with -> the side of its block.
_ORIGINAL_SIDES, _FLUX_SIDES = _FILE["sides"]["unet"], _FILE["sides"]["flux1"]


def parse_block_weights(text: str, architecture: str | None) -> tuple[float, ...]:
    """Reads what stands after `lbw=`. Raises UsageError for what is none, or none of this architecture."""
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
    """The blocks that so many numbers are for. Raises UsageError where there is no such list."""
    found = next((blocks for blocks in _lists(architecture) if len(blocks) == count), None)
    if found is None:
        text = _("{architecture} takes {architecture2} block weights, and these are {count}.")
        raise UsageError(text.format(architecture=architecture, architecture2=_counts(architecture), count=count))
    return found


def blocks_of(sizes: Mapping[str, Mapping[str, Shape]], architecture: str) -> Iterator[tuple[ModuleKey, str]]:
    """The modules of a model (component -> module -> shape) that belong to a block, and the name of that block."""
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
    """What the adapter's weight is multiplied by in each module; 1 where a module is left out. Raises UsageError."""
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
