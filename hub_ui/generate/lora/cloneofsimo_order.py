"""cloneofsimo/lora numbers the layers it patches: in the order in which PyTorch walks the model of late 2022.

There every attention has q, k, v and its way out; a transformer block has its self-attention, the first half of its
feed-forward, then the cross-attention; and a U-Net's middle comes after its way up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from hub_ui.generate.lora.modules import Shape, Target

_NUMBERED = re.compile(r"(?P<model>unet|text_encoder):(?P<number>\d+)")
_BLOCK = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "ff.net.0.proj",
          "attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0")  # fmt: skip
_ENCODER = ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj")
_SIDES = ("down_blocks", "up_blocks", "mid_block")


def is_numbered(layer: str) -> bool:
    return _NUMBERED.fullmatch(layer) is not None


def numbered(sizes: Mapping[str, Mapping[str, Shape]]) -> dict[str, Target]:
    """The layers' names, "unet:0", and what they are. The caller holds the sizes of all against them."""
    found: dict[str, Target] = {}
    for component, modules in (("unet", _of_unet(sizes.get("unet", {}))), ("text_encoder", _of_encoder(sizes))):
        for number, module in enumerate(modules):
            found[f"{component}:{number}"] = Target(component=component, module=module)
    return found


def _of_unet(modules: Iterable[str]) -> Iterator[str]:
    blocks = {
        match.group(): _place(match.group())
        for module in modules
        if (match := re.match(r".+\.transformer_blocks\.\d+", module))
    }
    for block in sorted(blocks, key=blocks.__getitem__):
        yield from (f"{block}.{part}" for part in _BLOCK)


def _of_encoder(sizes: Mapping[str, Mapping[str, Shape]]) -> Iterator[str]:
    layers = {
        match.group(): _place(match.group())
        for module in sizes.get("text_encoder", {})
        if (match := re.match(r".*encoder\.layers\.\d+", module))
    }
    for layer in sorted(layers, key=layers.__getitem__):
        yield from (f"{layer}.{part}" for part in _ENCODER)


def _place(block: str) -> tuple[int, ...]:
    side = next((number for number, name in enumerate(_SIDES) if block.startswith(name)), 0)
    return (side, *map(int, re.findall(r"\d+", block)))
