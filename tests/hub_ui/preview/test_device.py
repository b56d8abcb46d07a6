from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.preview import footprint
from hub_ui.preview.bases import choose
from hub_ui.preview.device import Device, pick, place
from hub_ui.preview.loading import pipeline

XL = choose("sdxl", None, None)


class Recorder:
    """Stands in for a pipeline on hardware that a test machine lacks; writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def to(self, kind: str) -> None:
        self.told.append(f"to {kind}")

    def enable_model_cpu_offload(self) -> None:
        self.told.append("offload")

    def enable_group_offload(self, **_options: Any) -> None:
        self.told.append("by groups")

    def enable_attention_slicing(self) -> None:
        self.told.append("slices")


@pytest.mark.parametrize(
    ("kind", "free", "told"),
    [
        ("cuda", 24_000_000_000, ["to cuda"]),
        ("cuda", 8_000_000_000, ["offload"]),
        ("cuda", 4_000_000_000, ["by groups"]),
        ("cuda", None, ["to cuda"]),
        ("mps", None, ["to mps", "slices"]),
        ("cpu", None, ["to cpu"]),
    ],
)
def test_a_base_travels_part_by_part_only_where_it_has_no_room(kind: str, free: int | None, told: list[str]) -> None:
    recorder = Recorder()
    place(recorder, Device(label="x", kind=kind, dtype="float16", free_bytes=free), XL)
    assert recorder.told == told


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_is_the_cpu_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.preview.memory.installed", lambda: 64_000_000_000)
    assert pick(XL) == Device(label="CPU", kind="cpu", dtype="float32")


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU")
def test_a_base_that_is_too_large_in_full_precision_is_taken_in_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.preview.memory.installed", lambda: 10_000_000_000)
    assert pick(XL).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("architecture", "bf16", "dtype"),
    [("sdxl", True, "float16"), ("flux1", True, "bfloat16"), ("flux1", False, "float16"), ("sana", False, "float32")],
)
def test_a_gpu_draws_in_the_type_that_the_base_can_be_trusted_in(
    monkeypatch: pytest.MonkeyPatch, architecture: str, bf16: bool, dtype: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (32_000_000_000, 32_000_000_000))
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: bf16 or including_emulation)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "A card")
    assert pick(choose(architecture, None, None)).dtype == dtype


@pytest.mark.parametrize("level", ["offload", "groups"])
def test_a_pipeline_that_can_t_travel_by_parts_travels_as_a_whole(level: Any) -> None:
    class Blocks:
        told: tuple[str, ...] = ()

        def to(self, kind: str) -> None:
            self.told = (*self.told, kind)

    blocks = Blocks()
    footprint.apply(blocks, Device(label="x", kind="cuda", dtype="float16"), level)
    assert blocks.told == ("cuda",)


def test_a_pipeline_on_the_cpu_has_its_convolutions_channels_last(base: str) -> None:
    choice = choose("sd1", None, base)
    pipe: Any = pipeline(choice, Path(base), Device(label="CPU", kind="cpu", dtype="float32"))
    assert pipe.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
