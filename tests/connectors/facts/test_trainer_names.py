from __future__ import annotations

import pytest

from connectors.facts.base_models import by_id
from connectors.facts.trainer_names import _FAMILIES, base_of

# What trainers wrote in 2026, with the base model and the architecture that it is for.
VERSIONS: tuple[tuple[str, str, str], ...] = (
    ("qwen_image_layered", "qwen-image-layered", "qwen-image"),
    ("qwen_image_edit_plus", "qwen-image-edit", "qwen-image"),
    ("kandinsky5", "kandinsky-5", "kandinsky5"),
    ("hidream_o1_image", "hidream-o1", "hidream-o1"),
    ("hidream_o1", "hidream-o1", "hidream-o1"),
    ("hidream_e1", "hidream", "hidream"),
    ("hunyuan_video_1_5", "hunyuan-video-1.5", "hunyuan-video-1.5"),
    ("ideogram4", "ideogram-4", "ideogram4"),
    ("krea2", "krea-2", "krea2"),
    ("chroma_radiance", "chroma", "chroma"),
    ("zeta_chroma", "zeta-chroma", "z-image"),
    ("zimage_l2p", "z-image", "z-image"),
    ("ltx2.3", "ltx-2.3", "ltx-video-2"),
    ("ltx2.5", "ltx-2.5", "ltx-video-2"),
    ("minimax_h3_ref2va", "minimax-h3", "minimax-h3"),
    ("mageflow_edit", "mageflow", "mageflow"),
    ("boogu_image.0.1", "boogu", "boogu"),
    ("boogu_image_edit.0.1", "boogu", "boogu"),
    ("ernie_image", "ernie", "ernie"),
    ("nucleus_image", "nucleus-image", "nucleus-image"),
    ("omnigen2", "omnigen2", "omnigen2"),
    ("f-lite", "f-lite", "f-lite"),
    ("prx_pixel", "prx-pixel", "prx"),
    ("ace_step_15", "ace-step-1.5", "ace-step"),
    ("ace_step_15_xl", "ace-step-1.5-xl", "ace-step"),
    ("flex2", "flex.2", "flux1"),
    ("wan_2.1", "wan", "wan"),
    ("sd_2.1", "sd-2.1", "sd2"),
    ("ssd", "sdxl-distilled", "ssd-1b"),
    ("vega", "sdxl-distilled", "ssd-1b"),
)
SPECS: tuple[tuple[str, str], ...] = (
    ("Qwen-Image-Edit-2511/lora", "qwen-image-edit"),
    ("Qwen-Image-Edit-Plus/lora", "qwen-image-edit"),
    ("Qwen-Image-Layered/lora", "qwen-image-layered"),
    ("Kandinsky-5/lora", "kandinsky-5"),
    ("HiDream-O1-Image/lora", "hidream-o1"),
    ("Ideogram-4/lora", "ideogram-4"),
    ("Flux.2-klein-9b/lora", "flux.2-klein-9b"),
    ("Chroma1/lora", "chroma"),
    ("Flux.1-fill-dev/lora", "flux.1-fill"),
    ("stable-diffusion-v3.5/lora", "sd-3.5"),
    ("stable-diffusion-v2/embedding", "sd-2.1"),
    ("wan-t2v-480p-1.3b-2.1/lora", "wan"),
    ("wan-ti2v-5b-2.2/lora", "wan-2.2-ti2v-5b"),
    ("flux-krea/lora", "flux.1-krea"),
    ("flux-dev/lora", "flux.1-dev"),
    ("flux2-dev/lora", "flux.2-dev"),
    ("ltxvideo2-dev/lora", "ltx-2"),
    ("z_image-turbo/lora", "z-image-turbo"),
    ("longcat_image-final/lora", "longcat-image"),
)


@pytest.mark.parametrize(("written", "base", "architecture"), VERSIONS)
def test_a_version_is_of_a_base_model_and_its_architecture(written: str, base: str, architecture: str) -> None:
    found = by_id(base_of("ss_base_model_version", written) or "")
    assert found is not None
    assert (found.id, found.architecture) == (base, architecture)


@pytest.mark.parametrize(("written", "base"), SPECS)
def test_a_modelspec_names_a_base_model_and_what_was_trained(written: str, base: str) -> None:
    assert base_of("modelspec.architecture", written) == base


@pytest.mark.parametrize("written", ["wan_2.2_14b", "wan22_14b"])
def test_wan_2_2_of_14b_is_left_open_as_it_is_written_for_texts_and_for_pictures(written: str) -> None:
    assert base_of("ss_base_model_version", written) == "wan"


@pytest.mark.parametrize("written", ["lora", "unknown/lora", "fluxion/lora", "sdxlish-base/lora", ""])
def test_a_modelspec_that_nobody_writes_names_nothing(written: str) -> None:
    assert base_of("modelspec.architecture", written) is None


def test_every_family_leads_to_a_base_model_that_exists() -> None:
    assert [base for _, base in _FAMILIES if by_id(base) is None] == []
