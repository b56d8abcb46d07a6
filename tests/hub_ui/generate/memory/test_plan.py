import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.generate.base_models import base_by_id, choose_base
from hub_ui.generate.base_models.table import ModelSize
from hub_ui.generate.memory.device import KINDS, Device, OffloadLevel, kind_of
from hub_ui.generate.memory.plan import (
    bytes_of_part,
    choose_device,
    download_bytes,
    footprint,
    host_memory,
    image_too_large,
    peak_memory,
    plan_memory,
    usable_memory,
)
from hub_ui.generate.settings import ResolvedRequest
from tests.hub_ui.generate.building import CPU, settings
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

GIGABYTE = 1_000_000_000


def of(id: str, precision: str = "full") -> Any:
    spec: Any = base_by_id(id)
    return spec.in_precision(precision)


def card(gibibytes: int) -> int:
    return usable_memory(gibibytes * 2**30)


@pytest.mark.parametrize(
    ("id", "gibibytes", "level"),
    [
        ("sd-1.5", 8, "whole"),
        ("sdxl-1.0", 8, "model_offload"),
        ("sdxl-1.0", 12, "whole"),
        ("sd-3.5-medium", 12, "model_offload"),
        ("z-image", 16, "model_offload"),
        ("z-image", 24, "whole"),
        ("flux.1-dev", 24, "group_offload"),
        ("flux.1-dev", 48, "whole"),
        ("qwen-image", 48, "model_offload"),
        ("hidream", 48, "model_offload"),
        ("qwen-image", 80, "whole"),
    ],
)
def test_a_card_gets_the_fastest_level_that_fits(id: str, gibibytes: int, level: str) -> None:
    plan = plan_memory(of(id), memory=card(gibibytes), ram=None)
    assert (plan.level, plan.is_tiled, plan.fits) == (level, False, True)


def test_the_parts_have_their_true_sizes() -> None:
    plan = plan_memory(of("flux.1-dev"), memory=None, ram=None)
    assert {part: round(size / GIGABYTE, 1) for part, size in plan.parts.items()} == {
        "transformer": 23.8, "text_encoder": 0.2, "text_encoder_2": 9.5, "vae": 0.2,
    }  # fmt: skip
    assert round(plan.peak / GIGABYTE, 1) == 35.8


def test_beside_a_small_image_it_is_merging_that_takes_most() -> None:
    small = ResolvedRequest(negative="", seed=1, steps=20, guidance=7.0, width=256, height=256)
    needs = footprint(of("sd-1.5"), "float16", small, loras=1000)
    assert peak_memory(needs, "whole") - needs.weights - 1000 == needs.merging == 5 * 4 * 2**24 > needs.decoding
    # Nothing is merged without a LoRA.
    assert footprint(of("sd-1.5"), "float16", small, loras=0).merging == 0
    # LoRAs are not merged into packed weights.
    packed = of("flux.1-dev", "gguf-q4_k_s")
    assert footprint(packed, "bfloat16").merging == 0


def test_the_second_network_of_ideogram_stays_while_the_first_one_runs() -> None:
    needs = footprint(of("ideogram-4"), "bfloat16")
    both = needs.parts["transformer"] + needs.parts["unconditional_transformer"]
    assert both == 4 * 9_279_288_448
    assert peak_memory(needs, "model_offload") == needs.loras + both + needs.denoising


def test_a_quantised_network_takes_what_its_weights_are_stored_in() -> None:
    packed = of("flux.1-dev", "gguf-q4_k_s")
    plan = plan_memory(packed, memory=card(12), ram=None)
    assert (plan.level, round(plan.parts["transformer"] / GIGABYTE, 1)) == ("model_offload", 6.8)
    # But for its table of words and the last layers of its blocks, in 8-bit floats; Apple's GPUs have none.
    assert round(plan.parts["text_encoder_2"] / GIGABYTE, 1) == 5.9
    assert round(plan_memory(packed, memory=None, ram=None, kind="mps").parts["text_encoder_2"] / GIGABYTE, 1) == 9.5


@pytest.mark.parametrize(("precision", "level", "gigabytes"), [("nf4", "model_offload", 1.93), ("int8", "whole", 2.9)])
def test_bitsandbytes_leaves_some_weights_as_and_where_they_are(precision: str, level: str, gigabytes: float) -> None:
    plan = plan_memory(of("sdxl-1.0", precision), memory=GIGABYTE, ram=None)
    assert (plan.level, plan.fits, round(plan.parts["unet"] / GIGABYTE, 2)) == (level, False, gigabytes)


@pytest.mark.parametrize(
    ("id", "memory", "ram", "note"),
    [
        ("wan-2.2-t2v-a14b", 24, 21, "It takes 58 GB of the computer's own memory, and 21 GB are free."),
        ("flux.1-dev", 24, 16, "Its weights take 34 GB of the disk for temporary files, and 20 GB are free there."),
        ("flux.1-dev", 1, 64, "It does not fit into the device's memory."),
    ],
)
def test_what_is_too_small_is_told(id: str, memory: int, ram: int, note: str) -> None:
    plan = plan_memory(of(id), memory=card(memory), ram=ram * GIGABYTE, disk=20 * GIGABYTE)
    assert (plan.fits, note in plan.notes) == (False, True)


def test_files_that_are_mapped_run_from_the_disk_where_memory_is_short() -> None:
    plan = plan_memory(of("flux.1-dev"), memory=card(24), ram=16 * GIGABYTE)
    assert (plan.level, plan.fits) == ("disk_offload", True)
    assert plan.notes == (
        "This computer's memory is too small for its weights: they are read from the disk in each step, which is slow.",
    )


@pytest.mark.parametrize(
    ("id", "precision", "level", "gigabytes"),
    [
        # Its files are mapped, and it is too large to be merged into.
        ("flux.1-dev", "full", "disk_offload", 0.4),
        # The originals of what LoRAs are merged into: in pinned memory, where the base is on the GPU.
        ("sdxl-1.0", "full", "whole", 6.7),
        ("sdxl-1.0", "full", "model_offload", 12.1),
        # Layers in 8-bit floats go on one by one.
        ("z-image", "fp8", "disk_offload", 0.4),
        # Files in float32 are converted part by part: of the one its text encoder, of the other its networks.
        ("ltx-2", "fp8", "disk_offload", 24.4),
        ("wan-2.2-t2v-a14b", "fp8", "disk_offload", 28.6),
        # Beside what stays: the second network is there in both types while it is converted.
        ("wan-2.2-t2v-a14b", "fp8", "model_offload", 51.1),
        # GGUF files are copied.
        ("flux.2-dev", "gguf-q4_k_m", "disk_offload", 20.7),
    ],
)
def test_the_computer_s_memory_holds_what_is_converted_or_stays(
    id: str, precision: str, level: OffloadLevel, gigabytes: float
) -> None:
    needs = footprint(of(id, precision), "bfloat16")
    assert round(host_memory(needs, level) / GIGABYTE, 1) == gigabytes


def test_an_image_is_decoded_in_pieces_only_where_it_has_to_be() -> None:
    large = ResolvedRequest(negative="", seed=1, steps=20, guidance=3.5, width=2048, height=2048)
    plan = plan_memory(of("flux.1-dev"), memory=5 * GIGABYTE, ram=None, settings=large)
    assert (plan.level, plan.is_tiled, plan.fits) == ("group_offload", True, True)
    assert "The image is decoded piece by piece, which changes it a little." in plan.notes


@pytest.mark.parametrize(
    ("precision", "gigabytes"),
    [("full", 0.0), ("fp8", 0.11), ("gguf-q8_0", 0.23), ("gguf-q6_k", 0.4), ("gguf-q4_k_s", 0.3)],
)
def test_the_largest_layer_of_a_quantised_network_is_unpacked_to_compute(precision: str, gigabytes: float) -> None:
    unpacking = footprint(of("flux.1-dev", precision), "bfloat16").unpacking
    assert round(unpacking["transformer"] / GIGABYTE, 2) == gigabytes


@pytest.mark.parametrize(
    ("id", "precision", "gigabytes"),
    [
        ("flux.1-dev", "full", 33.7),
        # Layers in 8-bit floats are made of the whole files.
        ("flux.1-dev", "fp8", 33.7),
        ("flux.1-dev", "gguf-q6_k", 19.8),
        # Both networks, whose own files are in float32.
        ("wan-2.2-t2v-a14b", "gguf-q4_k_m", 31.3),
    ],
)
def test_a_file_of_fewer_bits_is_downloaded_in_place_of_the_network(id: str, precision: str, gigabytes: float) -> None:
    assert round(download_bytes(of(id, precision)) / GIGABYTE, 1) == gigabytes


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_a_device_without_its_own_memory_has_one_level(kind: str) -> None:
    plan = plan_memory(of("sdxl-1.0"), memory=4 * GIGABYTE, ram=4 * GIGABYTE, kind=kind)
    assert (plan.level, plan.fits) == ("whole", False)


def test_full_precision_takes_twice_as_much() -> None:
    half, full = (footprint(of("sd-1.5"), dtype) for dtype in ("float16", "float32"))
    assert (full.weights, full.denoising) == (2 * half.weights, 2 * half.denoising)


def comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines that compare something with the name of a kind of GPU."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            names = {each.value for part in operands for each in ast.walk(part) if isinstance(each, ast.Constant)}
            if names & {"cuda", "xpu", "mps"}:
                yield node.lineno


def test_no_source_compares_the_name_of_a_kind_of_gpu() -> None:
    sources = [path for folder in ("hub_ui", "connectors") for path in Path(folder).rglob("*.py")]
    found = [f"{path}:{line}" for path in sources for line in comparisons(ast.parse(path.read_text(encoding="utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "index", "name"), [("cuda", 1, "cuda:1"), ("xpu", 0, "xpu:0"), ("mps", 0, "mps"), ("cpu", 0, "cpu")]
)
def test_where_there_may_be_several_they_are_numbered(kind: str, index: int, name: str) -> None:
    assert Device(label="card", kind=kind, dtype="float16", index=index).name == name
    assert kind_of(name) is KINDS[kind]


def test_a_text_encoder_keeps_its_table_of_words_in_the_type_that_is_computed_in() -> None:
    dev, stored = of("flux.1-dev"), of("flux.1-dev", "fp8")
    t5, clip = ModelSize(4_000_000_000, 100_000_000), ModelSize(100_000_000, 0)
    assert bytes_of_part(dev, "text_encoder_2", t5, width=2.0, kind="cuda")[0] == 8_000_000_000
    assert bytes_of_part(stored, "text_encoder_2", t5, width=2.0, kind="cuda")[0] == 4_100_000_000
    assert bytes_of_part(stored, "text_encoder_2", t5, width=2.0, kind="mps")[0] == 8_000_000_000
    assert bytes_of_part(stored, "text_encoder", clip, width=2.0, kind="cuda")[0] == 200_000_000


XL = choose_base("sdxl", None, None)


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_is_the_cpu_in_half_precision_for_large_bases_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for gigabytes, dtype in ((64, "float32"), (10, "bfloat16")):
        monkeypatch.setattr("hub_ui.generate.memory.device.total_memory", lambda size=gigabytes: size * 10**9)
        assert choose_device(XL) == replace(CPU, dtype=dtype)


@pytest.mark.parametrize(
    ("base", "gibibytes", "major", "dtype"),
    [
        ("sdxl-1.0", 32, 8, "float16"), ("sdxl-1.0", 16, 7, "float16"), ("flux.1-dev", 32, 8, "bfloat16"),
        ("flux.1-dev", 24, 7, "float16"), ("sana", 32, 7, "float32"), ("wan-2.1-t2v-14b", 24, 7, "float16"),
        # What overflows in float16 is not computed in it.
        ("qwen-image", 24, 7, "bfloat16"), ("z-image-turbo", 16, 7, "bfloat16"), ("z-image-turbo", 80, 7, "float32"),
        ("cogvideox", 16, 7, "bfloat16"), ("cogvideox-2b", 80, 7, "float16"),
    ],
)  # fmt: skip
def test_a_gpu_draws_in_the_type_that_the_base_bears(base: str, gibibytes: int, major: int, dtype: str) -> None:
    # The first one, which is torch's current GPU, is another one.
    with simulated_cuda(Card(memory=2**30, major=15 - major), Card(memory=gibibytes * 2**30, major=major)):
        assert choose_device(choose_base(None, None, base)).dtype == dtype


CARD = Device(label="card", kind="cuda", dtype="float16")


def test_what_would_fit_is_told() -> None:
    error = image_too_large(choose_base("qwen-image", None, None), settings(1024, 1024), CARD)
    assert error.message == (
        "1024 × 1024 with Qwen-Image does not fit into the memory of this card, not even piece by piece. "
        "Try 768 × 768, or close other programs."
    )
    sd = image_too_large(choose_base("sd3", None, "sd-3.5-large"), settings(1024, 1024), CARD)
    assert "or the smaller base SD 3.5 Medium" in sd.message


@pytest.mark.parametrize(
    ("size", "frames", "advice"),
    [
        ((64, 64), 1, "Close other programs."),
        ((512, 64), 1, "Close other programs."),
        ((96, 128), 1, "Try 64 × 64, or close other programs."),
        ((64, 64), 9, "Try fewer frames, or close other programs."),
        ((1024, 512), 9, "Try fewer frames, 768 × 384, or close other programs."),
    ],
)
def test_only_what_is_smaller_is_proposed(size: tuple[int, int], frames: int, advice: str) -> None:
    asked = settings(*size, frames=frames)
    error = image_too_large(choose_base("qwen-image", None, None), asked, CARD)
    assert error.message.split("piece by piece. ")[1] == advice
