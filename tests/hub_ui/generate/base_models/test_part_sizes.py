from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.generate.base_models import BASES, base_by_id, choose_base
from hub_ui.generate.base_models.part_sizes import is_estimated, model_sizes
from hub_ui.generate.base_models.table import PACKAGED, PIPELINES

FLUX = choose_base("flux1", None, None)
# Stored in half precision as a whole, so that the download's size is that of the parts.
IN_HALF = ("sd-1.5", "sdxl-1.0", "kolors", "flux.1-dev", "flux.2-dev", "qwen-image", "z-image", "chroma", "anima",
           "cogview4", "hunyuan-video", "cogvideox", "mochi", "hidream")  # fmt: skip


def of(id: str) -> Any:
    return base_by_id(id)


def part_parameters(base: Any) -> dict[str, int]:
    return {part: model.parameters for part, model in model_sizes(base).items()}


@pytest.mark.parametrize("id", IN_HALF)
def test_the_parts_together_are_as_large_as_the_download(id: str) -> None:
    base = of(id)
    assert sum(part_parameters(base).values()) * 2 == pytest.approx(base.gigabytes * 1e9, rel=0.03)


def test_every_base_but_the_included_one_has_its_parts_counted() -> None:
    assert {base.id for base in BASES if base.source != str(PACKAGED)} == PIPELINES.parts.keys()


@pytest.mark.parametrize(
    ("id", "part", "network", "settings"),
    [
        ("flux.1-dev", "transformer", "FluxTransformer2DModel", {"guidance_embeds": True}),
        ("flux.2-dev", "transformer", "Flux2Transformer2DModel", {}),
        ("qwen-image", "transformer", "QwenImageTransformer2DModel", {}),
        ("z-image", "transformer", "ZImageTransformer2DModel", {}),
        ("wan-2.1-t2v-14b", "transformer", "WanTransformer3DModel", {}),
        ("krea-2", "transformer", "Krea2Transformer2DModel", {}),
        ("wan-2.1-t2v-14b", "vae", "AutoencoderKLWan", {}),
    ],
)
def test_a_network_of_the_published_size_has_as_many_parameters(
    id: str, part: str, network: str, settings: dict[str, Any]
) -> None:
    import diffusers

    with torch.device("meta"):
        built = getattr(diffusers, network)(**settings)
    largest = max(sum(value.numel() for value in module.parameters(recurse=False)) for module in built.modules())
    size = model_sizes(of(id))[part]
    assert (size.parameters, size.largest) == (sum(value.numel() for value in built.parameters()), largest)


def test_a_base_in_a_folder_is_counted_from_its_files(base: str) -> None:
    assert part_parameters(choose_base("sd1", None, base)) == {"text_encoder": 19840, "unet": 985444, "vae": 56711}


def test_a_base_of_one_s_own_has_the_parts_of_its_architecture() -> None:
    own = replace(FLUX, id="someone/flux", source="someone/flux")
    assert part_parameters(own)["transformer"] == 11_901_408_320
    assert not is_estimated(own)


def test_what_nobody_counted_is_estimated_from_its_size() -> None:
    own = replace(FLUX, id="x/y", source="x/y", architecture="new", pipeline="NewPipeline", gigabytes=20.0)
    assert part_parameters(own) == {"transformer": 6_600_000_000, "text_encoder": 3_200_000_000, "vae": 200_000_000}
    assert is_estimated(own)
    assert not Path("x/y").exists()
