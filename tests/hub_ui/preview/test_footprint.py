from __future__ import annotations

from typing import Any

import pytest
import torch

from connectors.errors import PreviewError
from hub_ui.preview import footprint
from hub_ui.preview.bases import choose
from hub_ui.preview.device import Device
from hub_ui.preview.settings import Settings

FLUX, XL = choose("flux1", None, None), choose("sdxl", None, None)
GIGABYTE = 1_000_000_000


def settings(**fields: Any) -> Settings:
    values = {"negative": "", "seed": 1, "steps": 20, "guidance": 7.5, "width": 1024, "height": 1024}
    return Settings(**{**values, **fields})


def device(kind: str = "cuda", dtype: str = "float16", gigabytes: float | None = 24) -> Device:
    free = None if gigabytes is None else round(gigabytes * GIGABYTE)
    return Device(label="CPU" if kind == "cpu" else "card", kind=kind, dtype=dtype, free_bytes=free)


@pytest.mark.parametrize(
    ("kind", "gigabytes", "level"),
    [
        ("cuda", 24, "whole"),
        ("cuda", 8, "offload"),
        ("cuda", 3, "groups"),
        ("cuda", None, "whole"),
        ("cpu", 3, "whole"),
    ],
)  # fmt: skip
def test_it_begins_with_what_memory_allows(kind: str, gigabytes: float | None, level: str) -> None:
    assert footprint.first(XL, device(kind, gigabytes=gigabytes)) == level


def test_each_level_has_one_below_it_but_the_last() -> None:
    down = {level: footprint.below(level, device()) for level in ("whole", "tiled", "offload", "groups")}
    assert down == {"whole": "tiled", "tiled": "offload", "offload": "groups", "groups": None}
    assert footprint.below("tiled", device("cpu")) is None


@pytest.mark.parametrize(
    ("gigabytes", "fields", "count"),
    [
        (100, {}, 8), (10, {}, 2), (1, {}, 1), (10, {"width": 512, "height": 512}, 8), (10, {"frames": 81}, 1),
    ],
)  # fmt: skip
def test_a_batch_is_as_large_as_free_memory_allows(gigabytes: float, fields: dict[str, Any], count: int) -> None:
    assert footprint.batch(settings(**fields), device(), "whole", round(gigabytes * GIGABYTE)) == count


def test_where_memory_ran_out_once_pictures_are_drawn_one_by_one() -> None:
    assert footprint.batch(settings(), device(), "tiled", 100 * GIGABYTE) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("Invalid buffer size: 16.00 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_every_device_says_in_its_own_way_that_memory_ran_out(error: Exception, told: bool) -> None:
    assert footprint.out_of_memory(error) is told


def test_what_would_fit_is_told() -> None:
    error = footprint.too_large(choose("qwen-image", None, None), settings(), device())
    assert error.message == (
        "1024 × 1024 with Qwen-Image does not fit into the memory of this card, not even piece by piece. "
        "Try 768 × 768, or close other programs."
    )
    sd = footprint.too_large(choose("sd3", None, "sd-3.5-large"), settings(), device())
    assert "or the smaller base SD 3.5 Medium" in sd.message


def test_a_base_that_no_memory_here_holds_is_told_before_it_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.preview.memory.available", lambda: 16 * GIGABYTE)
    with pytest.raises(PreviewError, match=r"FLUX\.1 dev takes about \d+ GB of memory, and 16 GB are free"):
        footprint.check(FLUX, device("cpu", "bfloat16"))
    footprint.check(FLUX, device("cpu", "bfloat16"), spare=60 * GIGABYTE)
    footprint.check(FLUX, device("cuda"))
