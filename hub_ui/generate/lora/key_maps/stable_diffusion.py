"""The U-Net of Stable Diffusion 1, 2 and XL in the names of CompVis' and Stability AI's code, as SAI's SDXL files have.

There the blocks are counted through: `input_blocks.4.1` is the attention of the fourth one. Which block of diffusers
that is depends on how many resnets a block has, so the table is made from the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hub_ui.generate.lora.key_maps.table import Table, same, within

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
    attentive = {name.split(".")[1] for name in every if name.startswith("up_blocks.") and ".attentions." in name}
    for name in every:
        if name in _TOP:
            yield _TOP[name], name
        elif match := _BLOCK.fullmatch(name):
            for original in _originals(match, resnets, attentive):
                yield original, name


def _originals(match: re.Match[str], resnets: int, attentive: set[str]) -> Iterator[str]:
    kind, layer, rest = match["kind"], int(match["layer"]), match["rest"]
    if match["side"] is None:
        yield f"middle_block.{2 * layer if kind == 'resnets' else 2 * layer + 1}.{_rest(kind, rest)}"
        return
    first = int(match["block"]) * (resnets + 1)
    if match["side"] == "down":
        yield from _of_input(kind, first + 1, layer, rest, resnets)
    elif kind == "upsamplers":
        # It comes after the attention, where the block has one.
        yield f"output_blocks.{first + resnets}.{2 if match['block'] in attentive else 1}.{rest}"
    else:
        yield f"output_blocks.{first + layer}.{int(kind == 'attentions')}.{_rest(kind, rest)}"


def _of_input(kind: str, first: int, layer: int, rest: str, resnets: int) -> Iterator[str]:
    if kind == "downsamplers":
        # "conv" is "op" there.
        yield f"input_blocks.{first + resnets}.0.{rest.replace('conv', 'op')}"
    else:
        yield f"input_blocks.{first + layer}.{int(kind == 'attentions')}.{_rest(kind, rest)}"


def _rest(kind: str, rest: str) -> str:
    return _RESNET.get(rest, rest) if kind == "resnets" else rest


# In the names that `plain` makes of transformers' own.
OPEN_CLIP: Table = {
    **within(
        "resblocks.{}",
        "encoder.layers.{}",
        {
            "attn.in_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "attn.out_proj": "self_attn.out_proj",
            "mlp.c_fc": "mlp.fc1",
            "mlp.c_proj": "mlp.fc2",
            "ln_1": "layer_norm1",
            "ln_2": "layer_norm2",
        },
    ),
    "ln_final": same("final_layer_norm"),
}
# What diffusers called attention's layers in early 2023.
EARLY: Table = within(
    "encoder.layers.{}.self_attn",
    "encoder.layers.{}.self_attn",
    {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"},
)
# Newer versions of transformers have dropped `text_model.` from one class and not from the other.
_BEFORE = re.compile(r"^(?:(?:text_model|language_model|model|transformer)[._])+")


def plain(name: str) -> str:
    """A layer's name, in a file or in a model, without the wrappers around the encoder's own stack."""
    return _BEFORE.sub("", name)
