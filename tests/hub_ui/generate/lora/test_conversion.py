from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from hub_ui.generate.lora.conversion import converted
from hub_ui.generate.lora.modules import components, model_of
from tests.hub_ui.generate.building import adapter, save_kohya


@pytest.fixture(scope="module")
def pipe(base: str) -> Any:
    return StableDiffusionPipeline.from_pretrained(base, safety_checker=None)  # type: ignore[no-untyped-call]


def size(pipe: Any, path: Path) -> int:
    return converted(adapter(path), components(pipe), model_of(pipe), "sd1").size


def test_a_file_takes_as_much_memory_as_its_tensors_have_bytes(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    assert size(pipe, path) == sum(value.nbytes for value in load_file(path).values())


def test_what_is_widened_counts_as_wide_as_it_is_kept(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    small = {
        name: value if name.endswith("alpha") else value.to(torch.float8_e4m3fn)
        for name, value in load_file(path).items()
    }
    save_file(small, path)
    factors = sum(value.numel() for name, value in small.items() if not name.endswith("alpha"))
    assert size(pipe, path) == 2 * factors > path.stat().st_size
