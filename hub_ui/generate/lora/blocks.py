"""LoRA block weights: a number for each block of the network, as sd-webui-lora-block-weight names and counts them.

    lbw=1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0    in the order of BLOCKS, the first of which is the text encoder's
    lbw=INALL                                a name of PRESETS
    lbw=IN05, lbw=NIN05                      that block alone, and all but that one

The longer lists of a U-Net name its convolutions too, which only LoCon files and their like change. As in that
extension, a block that a list leaves out gets 0, and modules that belong to no block keep the LoRA's weight.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from connectors.errors import UsageError
from hub_ui.generate.lora.key_maps import originals
from hub_ui.generate.lora.module_names import UNETS
from hub_ui.generate.lora.modules import ModuleKey, Shape
from hub_ui.generate.request import LoraInput
from hub_ui.i18n import _


def _numbered(prefix: str, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{prefix}{number:02}" for number in numbers)


_SD = ("BASE", *_numbered("IN", (1, 2, 4, 5, 7, 8)), "M00", *_numbered("OUT", range(3, 12)))
_SD_FULL = ("BASE", *_numbered("IN", range(12)), "M00", *_numbered("OUT", range(12)))
_XL = ("BASE", *_numbered("IN", (4, 5, 7, 8)), "M00", *_numbered("OUT", range(6)))
_XL_FULL = ("BASE", *_numbered("IN", range(9)), "M00", *_numbered("OUT", range(9)))
_FLUX = ("CLIP", "T5", "IN", *_numbered("D", range(19)), *_numbered("S", range(38)), "OUT")

# Architecture -> its lists of blocks; the first is the usual one.
BLOCKS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("sd1", "sd2"), (_SD, _SD_FULL)),
    **dict.fromkeys(("sdxl", "kolors"), (_XL, _XL_FULL)),
    "tiny-shapes": (_SD_FULL, _SD),
    "flux1": (_FLUX,),
}


def _presets(count: int, shallow: int) -> Mapping[str, tuple[str, ...]]:
    """Of a U-Net with `count` blocks on each side, `shallow` of them in the shallow half: the blocks that are 1 beside
    the text encoder's. An S is for the shallow half of a side, a D for the deep.
    """
    deep_ins, deep_outs = _numbered("IN", range(shallow, count)), _numbered("OUT", range(count - shallow))
    return {
        "INS": _numbered("IN", range(shallow)),
        "IND": deep_ins,
        "INALL": _numbered("IN", range(count)),
        "MIDD": (*deep_ins, "M00", *deep_outs),
        "OUTD": deep_outs,
        "OUTS": _numbered("OUT", range(count - shallow, count)),
        "OUTALL": _numbered("OUT", range(count)),
    }


# The extension's own, which are those of Stable Diffusion 1. The deepest of SDXL's three levels is its deep half.
PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("sd1", "sd2", "tiny-shapes"), _presets(12, 5)),
    **dict.fromkeys(("sdxl", "kolors"), _presets(9, 6)),
    "flux1": {},
}
_ALL = re.compile(r"ALL(\d?\.\d{1,3})?")
_ORIGINAL_SIDES = {"input_blocks": "IN", "middle_block": "M", "output_blocks": "OUT"}
_FLUX_SIDES = {
    "transformer_blocks": "D", "single_transformer_blocks": "S", "x_embedder": "IN", "context_embedder": "IN",
    "time_text_embed": "IN", "norm_out": "OUT", "proj_out": "OUT",
}  # fmt: skip


def parse_block_weights(text: str, architecture: str | None) -> tuple[float, ...]:
    """Reads what stands after `lbw=`. Raises UsageError for what is none, or none of this architecture."""
    text = text.strip().removeprefix("lbw=").strip()
    if "," in text:
        weights = tuple(_number(part) for part in text.split(","))
        if architecture is not None:
            block_names(architecture, len(weights))
        return weights
    if architecture is None:
        raise UsageError(
            _("It is unknown which blocks this LoRA has, so “{text}” means nothing. Write the numbers.").format(
                text=text[:40]
            )
        )
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
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            _("“{text}” is no block weight. Give numbers with commas between, such as 1,0,0.5.").format(
                text=text.strip()[:40]
            )
        )
    return number


def _lists(architecture: str) -> tuple[tuple[str, ...], ...]:
    if architecture not in BLOCKS:
        raise UsageError(
            _(
                "Block weights are known for Stable Diffusion 1 and 2, SDXL and FLUX.1, not for "
                "{architecture}. Leave them out."
            ).format(architecture=architecture)
        )
    return BLOCKS[architecture]


def _counts(architecture: str) -> str:
    return " or ".join(str(len(blocks)) for blocks in _lists(architecture))


def block_names(architecture: str, count: int) -> tuple[str, ...]:
    """The blocks that so many numbers are for. Raises UsageError where there is no such list."""
    found = next((blocks for blocks in _lists(architecture) if len(blocks) == count), None)
    if found is None:
        raise UsageError(
            _("{architecture} takes {architecture2} block weights, and these are {count}.").format(
                architecture=architecture, architecture2=_counts(architecture), count=count
            )
        )
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
