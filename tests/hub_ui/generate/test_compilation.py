"""Compiled networks. The backend hands back what torch traced, so that no compiler is needed and nothing is rounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from connectors.errors import PreviewError
from hub_ui.generate.compilation import ADDED, COMPILED, OFFLOADED, check_compiler, compiled_network
from hub_ui.generate.lora.load import LoraCache
from hub_ui.generate.lora.manager import AdapterManager
from tests.hub_ui.generate.building import adapter, save_kohya


class Traced:
    """A backend of torch.compile that counts what it is given."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, _inputs: Any) -> Callable[..., Any]:
        self.count += 1
        forward: Callable[..., Any] = graph.forward
        return forward


@pytest.fixture
def pipe(base: str) -> Any:
    kind: Any = StableDiffusionPipeline
    pipe = kind.from_pretrained(base)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def manager(pipe: Any, tmp_path: Path) -> AdapterManager:
    manager = AdapterManager(pipe, "sd1", LoraCache(2**28))
    manager.set_adapters([adapter(save_kohya(tmp_path / "kohya.safetensors"))])
    return manager


def drawn(pipe: Any) -> torch.Tensor:
    with torch.inference_mode():
        made: torch.Tensor = pipe(
            "a cat", num_inference_steps=2, height=32, width=32, generator=torch.Generator().manual_seed(0),
            output_type="latent",
        ).images  # fmt: skip
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_merged_loras_run_compiled_and_the_network_is_its_own_again(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    traced = Traced()
    torch.compiler.reset()
    with manager.merge():
        plain = drawn(pipe)
        with compiled_network(pipe, manager, notes.append, backend=traced):
            compiled = drawn(pipe)
    assert (compiled - plain).abs().max() < 1e-5
    assert traced.count > 0
    assert notes == [COMPILED]
    assert not any("forward" in vars(module) for module in pipe.unet.modules())


def test_with_hooks_nothing_is_compiled(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    traced = Traced()
    with manager.row_weights([[0.0], [1.0]]), compiled_network(pipe, manager, notes.append, backend=traced):
        assert not any("forward" in vars(module) for module in pipe.unet.modules())
    assert notes == [ADDED]


def test_an_offloaded_network_is_not_compiled(pipe: Any, manager: AdapterManager) -> None:
    notes: list[str] = []
    pipe.unet.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    with manager.merge(), compiled_network(pipe, manager, notes.append, backend=Traced()):
        pass
    assert notes == [OFFLOADED]


def test_without_a_compiler_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(
        PreviewError, match=r"needs a C\+\+ compiler.*Install g\+\+ or clang\+\+, or leave --compile out"
    ):
        check_compiler("cpu")


def test_cuda_needs_triton_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    check_compiler("cpu")
    with pytest.raises(PreviewError, match="needs Triton for this GPU"):
        check_compiler("cuda")
