"""Offload levels on real pipelines whose device is the CPU: images stay the same, from each level to each other."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ZImageTransformer2DModel
from transformers import T5Config, T5EncoderModel

from hub_ui.generate.base_models import choose_base
from hub_ui.generate.base_models.load import layer_mover, load_pipeline, store_network, store_text_encoder
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.memory.device import LEVELS, Device, OffloadLevel
from hub_ui.generate.memory.offload import Placement, free_parts, place, prepare
from hub_ui.generate.memory.plan import footprint, host_memory
from tests.hub_ui.generate.building import CPU
from tests.hub_ui.generate.loading import save_sparse
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.real_pipelines import GEMMA_2, SANA_06B, built, spec_of
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda
from tests.programs import python


@pytest.fixture
def pipe(base: str) -> Any:
    pipe = load_pipeline(choose_base("sd1", None, base), LocalBase(folder=Path(base)), CPU)[0]
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
    # One that is further down, and back from it.
    for level in (*LEVELS[1:], *LEVELS[-2::-1]):
        place(pipe, CPU, Placement(level=level))
        assert np.array_equal(pixels(pipe), expected), level


def test_layers_are_copied_by_streams_of_the_gpu_that_they_go_to(pipe: Any) -> None:
    with simulated_cuda(Card(), Card()) as cuda:
        place(pipe, Device(label="second", kind="cuda", index=1), Placement(level="group_offload"))
        assert cuda.queued == {1}


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


@pytest.mark.exact
def test_a_modular_pipeline_generates_the_same_at_each_level(tmp_path: Path) -> None:
    folder = TINY["anima"].save(tmp_path / "anima")
    modular: Any = load_pipeline(choose_base("anima", None, str(folder)), LocalBase(folder=folder), CPU)[0]

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
    assert before.lower(stage) == after


def test_pieces_are_smaller_than_an_image_of_a_large_autoencoder(pipe: Any) -> None:
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 1024, 128
    place(pipe, CPU, Placement(is_tiled=True))
    assert (pipe.vae.use_tiling, pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size) == (True, 512, 64)


def small_network() -> torch.nn.Module:
    torch.manual_seed(0)
    kind: Any = ZImageTransformer2DModel
    network: torch.nn.Module = kind(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2,
        n_kv_heads=2, cap_feat_dim=16, axes_dims=[8, 4, 4], axes_lens=[128, 32, 32],
    ).to(torch.bfloat16)  # fmt: skip
    return network


def stored(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [value for value in network.parameters() if value.dtype == torch.float8_e4m3fn]


def gpu() -> Device:
    return Device(label="GPU", kind="cuda", dtype="bfloat16")


@pytest.mark.parametrize("level", LEVELS)
def test_a_t5_in_8_bit_floats_reads_alike_at_each_level(level: OffloadLevel) -> None:
    config: Any = T5Config
    kind: Any = T5EncoderModel
    sizes = {"vocab_size": 32, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}
    torch.manual_seed(0)
    encoder = kind(config(**sizes, feed_forward_proj="gated-gelu")).eval().to(torch.bfloat16)
    store_text_encoder(encoder, torch.bfloat16, least=0)
    pipe = SimpleNamespace(components={"text_encoder": encoder}, to=encoder.to)
    with simulated_cuda(Card()), torch.no_grad():
        encoder.to("cuda:0")
        words = torch.arange(4, device="cuda:0")[None]
        expected = encoder(words).last_hidden_state
        place(pipe, gpu(), Placement(level=level))
        # Layers are prefetched from the second time on.
        assert all(torch.equal(encoder(words).last_hidden_state, expected) for _time in range(2))


def test_layers_go_on_to_the_gpu_as_they_are_stored_in_fewer_bits() -> None:
    with simulated_cuda(Card()) as cuda, layer_mover(gpu(), "whole") as settle:
        network = store_network(small_network(), torch.bfloat16, settle)
        assert {value.device.type for value in stored(network)} == {"cuda"}
        assert cuda.cards[0].used == sum(value.nbytes for value in stored(network))


def test_layers_stay_where_they_are_once_the_gpu_is_full() -> None:
    with simulated_cuda(Card(memory=10_000)), layer_mover(gpu(), "whole") as settle:
        network = store_network(small_network(), torch.bfloat16, settle)
        assert {value.device.type for value in stored(network)} == {"cpu", "cuda"}


def file_of(value: torch.Tensor) -> str:
    """The file that the memory of a tensor is mapped from; empty for none."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place, *_rest = line.split()
        start, end = (int(address, 16) for address in place.split("-"))
        if start <= value.data_ptr() < end:
            return _rest[4] if len(_rest) > 4 else ""
    return ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which file memory is mapped from")
def test_layers_that_are_read_from_the_disk_are_in_files_as_soon_as_they_are_stored() -> None:
    expected = stored(store_network(small_network(), torch.bfloat16))
    with simulated_cuda(Card()), layer_mover(gpu(), "disk_offload") as settle:
        network = store_network(small_network(), torch.bfloat16, settle)
        files = [Path(file_of(value)) for value in stored(network)]
        assert all(file.suffix == ".safetensors" for file in files)
        assert all(map(torch.equal, (value.float() for value in stored(network)), (each.float() for each in expected)))
    assert [file for file in files if file.exists()] == []


@pytest.mark.parametrize(("free", "is_pinned"), [(4095, False), (4096, True)])
def test_weights_are_pinned_where_there_is_room(monkeypatch: pytest.MonkeyPatch, free: int, is_pinned: bool) -> None:
    layer = torch.nn.Linear(30, 30, bias=False)
    pipe = SimpleNamespace(components={"transformer": torch.nn.Sequential(layer)}, to=layer.to)
    monkeypatch.setattr("hub_ui.generate.memory.offload._UNPINNED", 0)
    monkeypatch.setattr("hub_ui.generate.memory.offload.available_memory", lambda: free)
    with simulated_cuda(Card()) as cuda:
        place(pipe, gpu(), Placement(level="group_offload"))
        assert cuda.is_pinned(layer.weight) is is_pinned


@pytest.mark.exact
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which memory no file is behind")
def test_loading_takes_no_more_of_the_computer_s_memory_than_is_planned(tmp_path: Path) -> None:
    folder = TINY["sana"].save(tmp_path)
    parts = {"transformer": ("SanaTransformer2DModel", SANA_06B), "text_encoder": GEMMA_2}
    for name, part in parts.items():
        save_sparse(folder / name, built(*part), "BF16")
    taken = json.loads(python("-m", "tests.hub_ui.generate.loading", str(folder), "sana-0.6b", "fp8").stdout)
    spec = spec_of("sana-0.6b").in_precision("fp8")
    assert spec is not None
    planned = host_memory(footprint(spec, "bfloat16"), "disk_offload")
    assert taken["peak"] - taken["device"] <= planned


def test_a_pipeline_on_the_cpu_has_its_convolutions_channels_last(base: str) -> None:
    pipe: Any = load_pipeline(choose_base("sd1", None, base), LocalBase(folder=Path(base)), CPU)[0]
    assert pipe.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("dtype", "last"), [("float16", True), ("bfloat16", True), ("float32", False)])
def test_on_cuda_convolutions_are_channels_last_in_half_precision(dtype: str, last: bool) -> None:
    unet = torch.nn.Conv2d(4, 8, 3)
    prepare(SimpleNamespace(unet=unet), Device(label="card", kind="cuda", dtype=dtype))
    assert unet.weight.is_contiguous(memory_format=torch.channels_last) is last
