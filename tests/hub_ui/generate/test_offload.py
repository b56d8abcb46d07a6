"""Offload levels on real pipelines whose device is the CPU: images stay the same, from each level to each other."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import T5Config, T5EncoderModel

from hub_ui.generate.base_models import choose_base
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.memory import Device
from hub_ui.generate.memory_plan import LEVELS
from hub_ui.generate.offload import Placement, free_parts, place
from tests.hub_ui.generate.pipelines.anima import save_anima

CPU = Device(label="CPU", kind="cpu", dtype="float32")


@pytest.fixture
def pipe(base: str) -> Any:
    pipe = load_pipeline(choose_base("sd1", None, base), Path(base), CPU)[0]
    for part in (pipe.unet, pipe.vae):
        # Files take no other layout, and another one rounds otherwise.
        part.to(memory_format=torch.contiguous_format)
    return pipe


def pixels(pipe: Any) -> Any:
    noise = torch.Generator().manual_seed(7)
    made = pipe("a red cat", num_inference_steps=2, width=32, height=32, generator=noise, output_type="np")
    free_parts(pipe)
    return made.images


def test_a_level_changes_no_pixel_whatever_came_before(pipe: Any) -> None:
    expected = pixels(pipe)
    # After each level, each other one: with three, 0 1 0 2 1 2 0.
    for level in (*chain.from_iterable(combinations(LEVELS, 2)), LEVELS[0]):
        place(pipe, CPU, Placement(level=level))
        assert np.array_equal(pixels(pipe), expected), level


def test_weights_that_two_modules_share_are_in_the_files_of_both() -> None:
    config: Any = T5Config
    model: Any = T5EncoderModel
    encoder = model(config(vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).eval()
    pipe = SimpleNamespace(components={"text_encoder": encoder}, to=encoder.to)
    with torch.no_grad():
        expected = encoder(torch.arange(4)[None]).last_hidden_state
        place(pipe, CPU, Placement(level="disk_offload"))
        assert torch.equal(encoder(torch.arange(4)[None]).last_hidden_state, expected)


def test_files_of_offloaded_weights_are_deleted_with_the_level(pipe: Any) -> None:
    place(pipe, CPU, Placement(level="disk_offload"))
    hooks = (getattr(module, "_diffusers_hook", None) for module in pipe.unet.modules())
    groups = [hook.get_hook("group_offloading").group for hook in hooks if hook is not None]
    files = [Path(group.safetensors_file_path) for group in groups]
    assert all(file.exists() for file in files)
    place(pipe, CPU, Placement(level="whole"))
    assert [file for file in files if file.exists()] == []


def test_a_modular_pipeline_generates_the_same_at_each_level(tmp_path: Path) -> None:
    folder = save_anima(tmp_path / "anima")
    modular: Any = load_pipeline(choose_base("anima", None, str(folder)), folder, CPU)[0]

    def image() -> Any:
        noise = torch.Generator().manual_seed(7)
        made = modular(
            prompt="a red cat", generator=noise, height=32, width=32, num_inference_steps=2, max_sequence_length=24
        )
        return np.asarray(made.images[0])

    expected = image()
    for level in (*LEVELS, *LEVELS):
        place(modular, CPU, Placement(level=level))
        assert np.array_equal(image(), expected), level
        free_parts(modular)


@pytest.mark.parametrize(
    ("before", "stage", "after"),
    [
        (Placement(), "generating", Placement(level="model_offload")),
        (Placement(), "decoding", Placement(is_tiled=True)),
        (Placement(is_tiled=True), "decoding", Placement(level="model_offload", is_tiled=True)),
        (Placement(level="group_offload"), "loading", Placement(level="disk_offload")),
        (Placement(level="disk_offload"), "generating", None),
    ],
)
def test_what_is_tried_depends_on_what_ran_out(before: Placement, stage: Any, after: Placement | None) -> None:
    assert before.lower(stage, LEVELS) == after


def test_pieces_are_smaller_than_an_image_of_a_large_autoencoder(pipe: Any) -> None:
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 1024, 128
    place(pipe, CPU, Placement(is_tiled=True))
    assert (pipe.vae.use_tiling, pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size) == (True, 512, 64)
