"""The key map of each architecture. One without a row has diffusers' own names everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from hub_ui.generate.lora.key_maps import image, video
from hub_ui.generate.lora.key_maps.table import Table, table

TABLES: Mapping[str, Table] = {
    architecture: table(rows)
    for architecture, rows in {
        "anima": video.COSMOS,
        "auraflow": image.AURAFLOW,
        "chroma": image.CHROMA,
        "cosmos": video.COSMOS,
        "flux1": image.FLUX1,
        "flux2": image.FLUX2,
        "flux3": image.FLUX3,
        "framepack": video.HUNYUAN,
        "hunyuan-image": video.HUNYUAN_IMAGE,
        "hunyuan-video": video.HUNYUAN,
        "hunyuan-video-1.5": video.HUNYUAN_VIDEO_15,
        "ideogram4": image.IDEOGRAM4,
        "krea2": image.KREA2,
        "ltx-video": video.LTX,
        "ltx-video-2": video.LTX2,
        "lumina2": image.LUMINA2,
        "minimax-h3": video.MINIMAX_H3,
        "mochi": video.MOCHI,
        "pixart": image.PIXART,
        "qwen-image-2": image.QWEN_IMAGE_2,
        "sana": image.SANA,
        "sd3": image.SD3,
        "wan": video.WAN,
        "z-image": image.Z_IMAGE,
    }.items()
}
# Those with the U-Net whose blocks have one running number in the original code.
UNETS = frozenset(("sd1", "sd2", "sdxl", "kolors", "tiny-shapes"))
