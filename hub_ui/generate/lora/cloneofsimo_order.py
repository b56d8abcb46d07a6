"""cloneofsimo/lora numbers the layers it patches, in the order in which PyTorch walks the model of late 2022.

There an attention has q, k, v and its output; a transformer block has its self-attention, the first half of its
feed-forward, then the cross-attention; and the middle of a U-Net comes after its up blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub_ui.generate.lora.modules import Shape, Target

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
