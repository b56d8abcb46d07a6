"""Which table is an architecture's. One without a row has only diffusers' own names, or is named alike everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from hub_ui.generate.lora.key_maps.flux import CHROMA, FLUX1, FLUX2, FLUX3
from hub_ui.generate.lora.key_maps.image import (
    AURAFLOW,
    IDEOGRAM4,
    KREA2,
    LUMINA2,
    MINIMAX_H3,
    MOCHI,
    PIXART,
    QWEN_IMAGE_2,
    SANA,
    SD3,
    Z_IMAGE,
)
from hub_ui.generate.lora.key_maps.table import Table
from hub_ui.generate.lora.key_maps.video import COSMOS, HUNYUAN, HUNYUAN_IMAGE, HUNYUAN_VIDEO_15, LTX, LTX2, WAN

TABLES: Mapping[str, Table] = {
    "anima": COSMOS,
    "auraflow": AURAFLOW,
    "chroma": CHROMA,
    "cosmos": COSMOS,
    "flux1": FLUX1,
    "flux2": FLUX2,
    "flux3": FLUX3,
    "framepack": HUNYUAN,
    "hunyuan-image": HUNYUAN_IMAGE,
    "hunyuan-video": HUNYUAN,
    "hunyuan-video-1.5": HUNYUAN_VIDEO_15,
    "ideogram4": IDEOGRAM4,
    "krea2": KREA2,
    "ltx-video": LTX,
    "ltx-video-2": LTX2,
    "lumina2": LUMINA2,
    "minimax-h3": MINIMAX_H3,
    "mochi": MOCHI,
    "pixart": PIXART,
    "qwen-image-2": QWEN_IMAGE_2,
    "sana": SANA,
    "sd3": SD3,
    "wan": WAN,
    "z-image": Z_IMAGE,
}
# Built on the U-Net whose blocks are counted through in the original code.
UNETS = frozenset(("sd1", "sd2", "sdxl", "kolors", "tiny-shapes"))
