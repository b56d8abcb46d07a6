from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import diffusers
import pytest
import torch

from hub_ui.generate.base_models import BASES, base_by_id
from hub_ui.generate.base_models.part_sizes import activations
from hub_ui.generate.base_models.table import PIPELINES
from tests.hub_ui.generate.base_models.live_bytes import line, peak_bytes

FOUR_LEVELS: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 2,
}  # fmt: skip


def of(id: str) -> Any:
    return base_by_id(id)


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
