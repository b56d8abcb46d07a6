"""Text encoders: OpenCLIP's own names, and what trainers and libraries put before the names of any of them."""

from __future__ import annotations

import re

from hub_ui.preview.adapters.names.table import Table, same, within

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
