import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_ui.generate.base_models import base_by_id
from hub_ui.generate.base_models.precision import in_precision
from hub_ui.generate.memory import Device
from hub_ui.generate.memory_plan import (
    KINDS,
    OffloadLevel,
    download_bytes,
    footprint,
    host_memory,
    kind_of,
    peak_memory,
    plan_memory,
    usable_memory,
)
from hub_ui.generate.settings import ResolvedRequest

GIGABYTE = 1_000_000_000


def of(id: str, precision: str = "full") -> Any:
    spec: Any = base_by_id(id)
    return in_precision(spec, precision)


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
    base = base_by_id("ideogram-4")
    assert base is not None
    needs = footprint(base, "bfloat16")
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


def test_weights_that_the_computer_s_memory_can_t_hold_are_told() -> None:
    plan = plan_memory(of("wan-2.2-t2v-a14b"), memory=card(24), ram=21 * GIGABYTE)
    assert not plan.fits
    assert "It takes 58 GB of the computer's own memory, and 21 GB are free." in plan.notes


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


def test_weights_that_are_read_from_the_disk_have_to_fit_there() -> None:
    plan = plan_memory(of("flux.1-dev"), memory=card(24), ram=16 * GIGABYTE, disk=20 * GIGABYTE)
    assert (plan.fits, round(plan.disk / GIGABYTE)) == (False, 34)
    assert "Its weights take 34 GB of the disk for temporary files, and 20 GB are free there." in plan.notes


def test_an_image_is_decoded_in_pieces_only_where_it_has_to_be() -> None:
    large = ResolvedRequest(negative="", seed=1, steps=20, guidance=3.5, width=2048, height=2048)
    plan = plan_memory(of("flux.1-dev"), memory=5 * GIGABYTE, ram=None, settings=large)
    assert (plan.level, plan.is_tiled, plan.fits) == ("group_offload", True, True)
    assert "The image is decoded piece by piece, which changes it a little." in plan.notes


@pytest.mark.parametrize(
    ("precision", "gigabytes"),
    [("full", 0.0), ("fp8", 0.11), ("gguf-q8_0", 0.23), ("gguf-q6_k", 0.4), ("gguf-q4_k_s", 0.3)],
)
def test_the_largest_layer_of_a_quantised_network_is_unpacked_as_it_computes(precision: str, gigabytes: float) -> None:
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


def test_what_no_level_fits_is_told() -> None:
    plan = plan_memory(of("flux.1-dev"), memory=GIGABYTE // 2, ram=None)
    assert (plan.fits, plan.notes[0]) == (False, "It does not fit into the device's memory.")


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
