"""Quantised networks on the second of two simulated GPUs: what they draw on the CPU at each level."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_ui.generate.base_models import Checkpoint, choose_base
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.generate.memory import Device
from hub_ui.generate.memory_plan import LEVELS, OffloadLevel
from hub_ui.generate.offload import Placement, free_parts, place, release_memory
from tests.hub_ui.generate.building import CPU, adapter
from tests.hub_ui.generate.pipelines import packed
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import PEFT
from tests.hub_ui.generate.pipelines.frame import draw, load
from tests.hub_ui.generate.pipelines.rows import file
from tests.hub_ui.generate.pipelines.short_form import only
from tests.hub_ui.generate.pipelines.spellings import dotted
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

SECOND = Device(label="card", kind="cuda", dtype="float32", index=1)
BLOCKS = file(dotted("transformer", "transformer.", r"attn\.to_[qkv]$|ff\.net\.2"), PEFT)
# Of GGUF files "BF16" is the type of what is not packed.
PRECISIONS = ("full", "gguf-q8_0", "gguf-q4_0", "gguf-q8_0 with BF16", "fp8")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["flux1 dev"].save(tmp_path_factory.mktemp("flux"))


def load_on(device: Device, precision: str, base: Path, folder: Path) -> Any:
    spec = replace(choose_base("flux1", None, str(base)), precision=precision.split()[0])
    if not precision.startswith("gguf"):
        return load_pipeline(spec, LocalBase(folder=base), device)[0]
    gguf = folder / "flux.gguf"
    packed.save_gguf(base, gguf, precision.split()[0][5:].upper(), others="BF16" if "BF16" in precision else "F32")
    checkpoint = Checkpoint(file=str(gguf), brings=frozenset({"transformer"}))
    return load_pipeline(replace(spec, checkpoint=checkpoint), LocalBase(folder=base, checkpoint=gguf), device)[0]


def draw_with_lora(pipe: Any, device: Device, path: Path) -> list[torch.Tensor]:
    """Alone, with a LoRA, in rows of several weights, and alone again."""
    manager = AdapterManager(pipe, "flux1", LoraCache(2**28), device.name)
    alone = draw(pipe, TINY["flux1 dev"])
    manager.set_adapters([adapter(path, architecture="flux1")])
    with manager.merge(steps=100):
        whole = draw(pipe, TINY["flux1 dev"])
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    with manager.row_weights([[0.5], [1.0]]):
        rows = draw(pipe, TINY["flux1 dev"], prompt=["a red cat"] * 2, generator=seeds)
    manager.disable()
    made = [alone, whole, rows, draw(pipe, TINY["flux1 dev"])]
    free_parts(pipe)
    return [each.cpu() for each in made]


@pytest.mark.parametrize(("precision", "level"), only(product(PRECISIONS, LEVELS), ("gguf-q8_0", "group_offload")))
def test_a_quantised_base_draws_there_what_it_draws_on_the_cpu(
    base: Path, tmp_path: Path, precision: str, level: OffloadLevel
) -> None:
    path = BLOCKS(load(TINY["flux1 dev"], base), 1).save(tmp_path / "lora.safetensors")
    expected = draw_with_lora(load_on(CPU, precision, base, tmp_path), CPU, path)
    with simulated_cuda(Card(), Card()) as cuda:
        pipe = load_on(SECOND, precision, base, tmp_path)
        with SECOND.current():
            place(pipe, SECOND, Placement(level=level))
            made = draw_with_lora(pipe, SECOND, path)
        del pipe
        release_memory(SECOND)
    for here, there in zip(expected, made, strict=True):
        assert torch.allclose(here, there, atol=1e-4)
    assert torch.equal(made[0], made[3])
    assert (cuda.cards[0].allocations, cuda.unindexed, cuda.cards[1].used) == (0, [], 0)
