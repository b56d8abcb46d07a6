from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from hub_ui.generate.base_models import BASES, base_by_id, choose_base
from hub_ui.generate.base_models.part_sizes import activations, is_estimated, model_sizes
from hub_ui.generate.base_models.table import PACKAGED, PIPELINES
from tests.hub_ui.generate.base_models.live_bytes import line, peak_bytes

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


FOUR_LEVELS: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 2,
}  # fmt: skip


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, dtype=torch.bfloat16, device="meta")


def build(name: str, **settings: Any) -> Any:
    with torch.device("meta"):
        return getattr(diffusers, name)(**settings).to(torch.bfloat16)


def flux(network: Any, side: int) -> None:
    tokens = (side // 16) ** 2
    network(
        hidden_states=empty(1, tokens, 64), encoder_hidden_states=empty(1, 512, 4096), timestep=empty(1),
        pooled_projections=empty(1, 768), img_ids=empty(tokens, 3), txt_ids=empty(512, 3), guidance=empty(1),
    )  # fmt: skip


def stable_diffusion(network: Any, side: int) -> None:
    network(empty(2, 4, side // 8, side // 8), empty(2), empty(2, 77, 768))


@pytest.mark.parametrize(
    ("id", "network", "settings", "call"),
    [
        ("flux.1-dev", "FluxTransformer2DModel", {"guidance_embeds": True}, flux),
        ("sd-1.5", "UNet2DConditionModel", {"sample_size": 64, "cross_attention_dim": 768}, stable_diffusion),
    ],
)
def test_denoising_takes_what_the_network_of_real_size_takes(
    id: str, network: str, settings: dict[str, Any], call: Any
) -> None:
    built = build(network, **settings)
    small, large = ((side**2, peak_bytes(built, partial(call, side=side))) for side in (512, 1024))
    pixel, fixed = line(small, large)
    known = activations(of(id))
    assert known.pixel == pytest.approx(pixel, rel=0.01)
    assert known.fixed == pytest.approx(fixed, abs=1_000_000)


def test_decoding_takes_what_the_autoencoder_of_real_size_takes() -> None:
    built = build("AutoencoderKL", latent_channels=4, **FOUR_LEVELS)
    taken = peak_bytes(built, lambda it: it.decode(empty(1, 4, 64, 64)))
    assert activations(of("sd-1.5")).decoding.pixel == pytest.approx(taken / 512**2, rel=0.01)


def test_every_pipeline_of_the_table_has_its_own() -> None:
    assert {base.pipeline for base in BASES} == {of(id).pipeline for id in PIPELINES.activations}


def test_a_pipeline_that_is_not_known_counts_as_a_large_one() -> None:
    assert activations(replace(of("sd-1.5"), id="x/y", pipeline="NewPipeline")).pixel == 600.0
