from __future__ import annotations

import pytest

from connectors.facts.base_models import by_id
from connectors.facts.base_names import _NAMED, named_base


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("pixel-art-flux-lora", "flux.1-dev"),
        ("flux-2-klein-9b-360-panorama-lora", "flux.2-klein-9b"),
        ("FLUX.2-klein-base-4B-sprites", "flux.2-klein-4b-base"),
        ("flux2-fox", "flux.2-dev"),
        ("flux schnell, fast", "flux.1-schnell"),
        ("flux-kontext-relight", "flux.1-kontext"),
        ("flux-krea-fox", "flux.1-krea"),
        ("krea2_loras", "krea-2"),
        ("Z-Image_LoRA", "z-image"),
        ("zimage-turbo-fox", "z-image-turbo"),
        ("INFL8-LoRA-Wan22", "wan"),
        ("Qwen-Image-Edit-2509-fox", "qwen-image-edit"),
        ("HunyuanVideo finetune", "hunyuan-video"),
        ("hunyuan-image-fox", "hunyuan-image"),
        ("LongCat-Image-fox-lora", "longcat-image"),
        ("Qwen-Image-Layered-LoRA", "qwen-image-layered"),
        ("kandinsky5-fox", "kandinsky-5"),
        ("ACE-Step-1.5-jazz", "ace-step-1.5"),
        ("hunyuan-fox", "hunyuan-video"),
        ("An SDXL fine-tune", "sdxl-1.0"),
        ("realvisxl2-lcm", "sdxl-1.0"),
        ("fox-sd15", "sd-1.5"),
        ("stable-diffusion-v1-5-fox", "sd-1.5"),
        ("fox-illustrious", "illustrious"),
        ("fox-PonyXL", "pony"),
        ("my-little-pony", None),
        ("influx of foxes", None),
        ("taiwan-2024", None),
        ("fox", None),
        ("", None),
    ],
)
def test_a_name_tells_a_base_model_in_passing(text: str, base: str | None) -> None:
    found = named_base(text)
    assert (found[0] if found else None) == base


def test_every_row_is_a_base_model() -> None:
    assert [base for _, base in _NAMED if by_id(base) is None] == []


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["flux" * 50_000, "flux2 klein " * 20_000, "wan" * 60_000])
def test_a_text_made_to_be_slow_does_not_hang(text: str) -> None:
    named_base(text)
