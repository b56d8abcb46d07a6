"""What trainers call a base model in the metadata that they write: word -> base model.

The words are those of kohya-ss/sd-scripts, musubi-tuner, ai-toolkit, OneTrainer, SimpleTuner and Stability's ModelSpec.
A word that a trainer writes for several models of one architecture leads to the widest of them, or to the oldest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.facts.base_models import identify

# ss_base_model_version.
VERSIONS: Mapping[str, str] = {
    "sd_v1": "sd-1.5", "sd_1.5": "sd-1.5", "sd_v2": "sd-2.1", "sd_2.1": "sd-2.1", "sd_v2_v": "sd-2.1-768",
    "sdxl_base_v1-0": "sdxl-1.0", "sdxl_": "sdxl-1.0", "sdxl": "sdxl-1.0", "sdxl_1.0": "sdxl-1.0",
    "ssd": "sdxl-distilled", "vega": "sdxl-distilled", "sd_3": "sd-3", "medium": "sd-3", "5-medium": "sd-3.5-medium",
    "5-large": "sd-3.5-large", "pixart": "pixart-alpha", "pixart_sigma": "pixart-sigma", "auraflow": "auraflow",
    "flux1": "flux.1-dev", "flux.1": "flux.1-dev", "flux1_schnell": "flux.1-schnell",
    "flux.1_schnell": "flux.1-schnell", "flux_kontext": "flux.1-kontext", "flux.1_kontext": "flux.1-kontext",
    "flex.1": "flex.1", "flex2": "flex.2", "flux_2_dev": "flux.2-dev", "flux2": "flux.2-dev",
    "flux_2_klein_4b": "flux.2-klein-4b", "flux2_klein_4b": "flux.2-klein-4b", "flux_2_klein_9b": "flux.2-klein-9b",
    "flux2_klein_9b": "flux.2-klein-9b", "chroma": "chroma", "chroma_radiance": "chroma",
    "zeta_chroma": "zeta-chroma", "lumina2": "lumina-2", "anima": "anima", "hunyuan-image-2.1": "hunyuan-image",
    "hunyuan_image": "hunyuan-image", "hunyuan_video": "hunyuan-video", "framepack": "hunyuan-video",
    "hunyuan_video_1_5": "hunyuan-video-1.5", "wan": "wan", "wan_2.1": "wan", "wan21": "wan",
    # For films from a text and from a picture alike.
    "wan_2.2_14b": "wan", "wan22_14b": "wan", "wan22_14b_i2v": "wan-2.2-i2v-a14b", "wan_2.2_5b": "wan-2.2-ti2v-5b",
    "wan22_5b": "wan-2.2-ti2v-5b", "qwen_image": "qwen-image", "qwen_image_edit": "qwen-image-edit",
    "qwen_image_edit_plus": "qwen-image-edit", "qwen_image_layered": "qwen-image-layered", "z_image": "z-image",
    "zimage": "z-image", "zimage_l2p": "z-image", "krea2": "krea-2", "ideogram4": "ideogram-4",
    "hidream_i1": "hidream", "hidream": "hidream", "hidream_e1": "hidream", "hidream_o1": "hidream-o1",
    "hidream_o1_image": "hidream-o1", "ltx2": "ltx-2", "ltx2.3": "ltx-2.3", "ltx2.5": "ltx-2.5", "ltx": "ltx-video",
    "kandinsky5": "kandinsky-5", "minimax_h3": "minimax-h3", "minimax_h3_ref2va": "minimax-h3", "mageflow": "mageflow",
    "mageflow_edit": "mageflow", "boogu_image": "boogu", "boogu_image.0.1": "boogu", "boogu_image_edit": "boogu",
    "boogu_image_edit.0.1": "boogu", "ernie_image": "ernie", "nucleus_image": "nucleus-image", "omnigen2": "omnigen2",
    "f-lite": "f-lite", "prx_pixel": "prx-pixel", "ace_step_15": "ace-step-1.5", "ace_step_15_xl": "ace-step-1.5-xl",
    "cogvideox": "cogvideox", "mochi": "mochi", "tiny-shapes": "tiny-shapes",
}  # fmt: skip
# modelspec.architecture without "/lora": kohya's and musubi's words, then OneTrainer's.
SPECS: Mapping[str, str] = {
    "stable-diffusion-v1": "sd-1.5", "stable-diffusion-v2-512": "sd-2.1", "stable-diffusion-v2-768-v": "sd-2.1-768",
    "stable-diffusion-xl-v1-base": "sdxl-1.0", "stable-diffusion-3": "sd-3", "stable-diffusion-3-m": "sd-3",
    "stable-diffusion-3-medium": "sd-3", "stable-diffusion-3-5-large": "sd-3.5-large",
    "stable-diffusion-3-5-medium": "sd-3.5-medium", "flux-1": "flux.1-dev", "flux-1-dev": "flux.1-dev",
    "flux.1-dev": "flux.1-dev", "flux-1-schnell": "flux.1-schnell", "flux.2-dev": "flux.2-dev",
    "flux.2-klein-4b": "flux.2-klein-4b", "flux.2-klein-9b": "flux.2-klein-9b", "chroma": "chroma",
    "lumina-2": "lumina-2", "lumina": "lumina-2", "hunyuan-image-2.1": "hunyuan-image",
    "hunyuan-image": "hunyuan-image", "anima-preview": "anima", "anima-unknown": "anima", "wan2.1": "wan",
    "qwen-image": "qwen-image", "qwen-image-edit": "qwen-image-edit", "qwen-image-edit-plus": "qwen-image-edit",
    "qwen-image-edit-2511": "qwen-image-edit", "qwen-image-layered": "qwen-image-layered", "z-image": "z-image",
    "hunyuan-video": "hunyuan-video", "hunyuan-video-1.5": "hunyuan-video-1.5", "framepack": "hunyuan-video",
    "kandinsky-5": "kandinsky-5", "hidream-o1-image": "hidream-o1", "ideogram-4": "ideogram-4", "krea-2": "krea-2",
    "tiny-shapes": "tiny-shapes",
    "stable-diffusion-v1-inpainting": "sd-1.5", "stable-diffusion-v2": "sd-2.1", "stable-diffusion-v2-depth": "sd-2.1",
    "stable-diffusion-v2-inpainting": "sd-2.1", "stable-diffusion-v3-medium": "sd-3", "stable-diffusion-v3.5": "sd-3.5",
    "stable-diffusion-xl-v1-base-inpainting": "sdxl-1.0", "stable-cascade-v1-prior": "stable-cascade",
    "wuerstchen-v2-prior": "wuerstchen", "pixart-alpha": "pixart-alpha", "pixart-sigma": "pixart-sigma",
    "flux.1-fill-dev": "flux.1-fill", "flux.2": "flux.2-dev", "chroma1": "chroma", "hidream-i1": "hidream",
    "anima": "anima", "ernie": "ernie", "ideogram": "ideogram-4", "sana": "sana",
}  # fmt: skip
# SimpleTuner writes a family and its flavour there: "wan-t2v-480p-1.3b-2.1". The narrower name stands first.
_FAMILIES: tuple[tuple[str, str], ...] = (
    ("flux-schnell", "flux.1-schnell"), ("flux-libreflux", "flux.1-schnell"), ("flux-kontext", "flux.1-kontext"),
    ("flux-krea", "flux.1-krea"), ("flux", "flux.1-dev"), ("flux2-klein-4b", "flux.2-klein-4b"),
    ("flux2-klein-9b", "flux.2-klein-9b"), ("flux2", "flux.2-dev"), ("sd1x", "sd-1.5"), ("sd2x", "sd-2.1"),
    ("sdxl", "sdxl-1.0"), ("kolors", "kolors"), ("sd3-large", "sd-3.5-large"), ("sd3", "sd-3.5-medium"),
    ("qwen_image-edit", "qwen-image-edit"), ("qwen_image", "qwen-image"), ("z_image-turbo", "z-image-turbo"),
    ("z_image", "z-image"), ("wan-ti2v-5b", "wan-2.2-ti2v-5b"), ("wan", "wan"), ("ltxvideo2", "ltx-2"),
    ("ltxvideo", "ltx-video"), ("hunyuanvideo", "hunyuan-video-1.5"), ("hidream", "hidream"),
    ("auraflow-pony", "pony-v7"), ("auraflow", "auraflow"), ("chroma", "chroma"),
    ("lumina2", "lumina-2"), ("krea2", "krea-2"),
    ("ideogram", "ideogram-4"), ("sanavideo", "sana-video"), ("sana", "sana"), ("pixart_sigma", "pixart-sigma"),
    ("cosmos2image", "cosmos"), ("cosmos3", "cosmos-3"), ("longcat_image", "longcat-image"),
    ("longcat_video", "longcat-video"), ("kandinsky5", "kandinsky-5"), ("stable_cascade", "stable-cascade"),
    ("ace_step-v15", "ace-step-1.5"), ("ace_step", "ace-step"), ("anima", "anima"), ("ernie", "ernie"),
    ("boogu_image", "boogu"), ("mageflow", "mageflow"), ("minimaxh3", "minimax-h3"), ("deepfloyd", "deepfloyd-if"),
    ("omnigen", "omnigen"),
)  # fmt: skip


def base_of(key: str, value: str) -> str | None:
    """The base model that the metadata's field `key` means by `value`."""
    lowered = value.casefold()
    if key == "modelspec.architecture":
        name = re.sub(r"[/-](?:lora|embedding|controlnet)$", "", lowered)
        families = (base for family, base in _FAMILIES if name == family or name.startswith(f"{family}-"))
        return SPECS.get(name) or next(families, None)
    if key == "ss_base_model_version" and lowered in VERSIONS:
        return VERSIONS[lowered]
    found = identify(value)
    return found.id if found else None
