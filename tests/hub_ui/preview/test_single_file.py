from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from connectors.errors import NoBase
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from hub_ui.preview import loading
from hub_ui.preview.bases import BaseChoice, Checkpoint, choose
from hub_ui.preview.device import Device
from hub_ui.preview.fetching import Fetched, Source, fetch, plan
from tests.hub_ui.preview.base_hub import save_hub
from tests.hub_ui.preview.original import save_checkpoint, save_wide
from tests.hub_ui.preview.pipelines.flux import save_dev

CPU = Device(label="CPU", kind="cpu", dtype="float32")


@pytest.fixture(scope="module")
def wide(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_wide(Path(base), tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def checkpoint(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(wide, tmp_path_factory.mktemp("file") / "mine.safetensors")


@pytest.fixture(scope="module")
def hubs(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """A hub with the base that the checkpoints are most like."""
    with running_hubs(save_hub(tmp_path_factory.mktemp("data") / "hub", wide)) as endpoints:
        yield endpoints


@pytest.fixture
def source(hubs: HubEndpoints, tmp_path: Path) -> Source:
    return Source(endpoint=hubs.huggingface, token=None, cache=tmp_path / "cache")


def of(path: Path) -> BaseChoice:
    """As it is chosen, but that the rest comes from the local hub's copy of Stable Diffusion."""
    return replace(choose("sd1", None, str(path)), source="maker/tiny", revision=None)


def drawn(pipe: Any) -> NDArray[np.uint8]:
    seed = torch.Generator().manual_seed(1)
    options = {"num_inference_steps": 2, "height": 32, "width": 32, "generator": seed, "output_type": "np"}
    return np.asarray(pipe("a red cat", **options).images[0] * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reference(wide: Path) -> NDArray[np.uint8]:
    """What the model draws from its own folder."""
    return drawn(loading.pipeline(choose("sd1", None, str(wide)), wide, CPU))


def silently(_count: int) -> None:
    """Nobody wants to know."""


def test_only_small_files_are_fetched_for_a_whole_checkpoint(source: Source, checkpoint: Path) -> None:
    planned = plan(of(checkpoint), source)
    assert planned.bytes < 20_000
    assert not [file.name for file in planned.files if file.name.endswith(".safetensors")]


def test_a_whole_checkpoint_draws_as_the_same_model_in_diffusers_layout(
    source: Source, reference: NDArray[np.uint8], checkpoint: Path
) -> None:
    choice = of(checkpoint)
    fetched = fetch(plan(choice, source), source, silently)
    assert (choice.label, fetched.checkpoint) == ("mine.safetensors", checkpoint)
    assert np.array_equal(drawn(loading.pipeline(choice, fetched, CPU)), reference)


def test_once_fetched_the_rest_serves_without_the_hub(source: Source, checkpoint: Path) -> None:
    choice = of(checkpoint)
    first = fetch(plan(choice, source), source, silently)
    offline = replace(source, endpoint="http://127.0.0.1:9")
    assert fetch(plan(choice, offline), offline, silently) == first


@pytest.mark.parametrize("parts", [("unet",), ("unet", "vae"), ("unet", "text_encoder")])
def test_what_a_checkpoint_leaves_out_comes_from_the_base(
    source: Source, wide: Path, reference: NDArray[np.uint8], tmp_path: Path, parts: tuple[str, ...]
) -> None:
    path = save_checkpoint(wide, tmp_path / "part.safetensors", parts)
    choice = of(path)
    planned = plan(choice, source)
    weights = {file.name.partition("/")[0] for file in planned.files if file.name.endswith(".safetensors")}
    assert weights == {"unet", "vae", "text_encoder"} - set(parts)
    pipe = loading.pipeline(choice, fetch(planned, source, silently), CPU)
    assert np.array_equal(drawn(pipe), reference)


def test_weights_of_another_size_are_told(source: Source, wide: Path, tmp_path: Path) -> None:
    tensors = load_file(save_checkpoint(wide, tmp_path / "whole.safetensors"))
    name = "model.diffusion_model.input_blocks.0.0.weight"
    tensors[name] = torch.cat([tensors[name], tensors[name]])
    save_file(tensors, tmp_path / "other.safetensors")
    choice = of(tmp_path / "other.safetensors")
    with pytest.raises(NoBase, match=r"other\.safetensors can't be loaded from its files"):
        loading.pipeline(choice, fetch(plan(choice, source), source, silently), CPU)


@pytest.fixture
def flux(tmp_path: Path) -> tuple[Path, Path]:
    """A folder without its transformer's weights, and those in a file."""
    folder = save_dev(tmp_path / "flux")
    [weights] = (folder / "transformer").glob("*.safetensors")
    return folder, Path(shutil.move(weights, tmp_path / "flux1.safetensors"))


def test_a_diffusion_model_alone_is_put_on_the_other_parts(flux: tuple[Path, Path]) -> None:
    folder, file = flux
    choice = replace(
        choose("flux1", None, str(folder)), checkpoint=Checkpoint(file=str(file), brings=frozenset({"transformer"}))
    )
    pipe = loading.pipeline(choice, Fetched(folder=folder, checkpoint=file), CPU)
    assert type(pipe).__name__ == "FluxPipeline"
    assert torch.equal(pipe.transformer.state_dict()["proj_out.weight"], load_file(file)["proj_out.weight"])
    steered = loading.pipeline(choice, Fetched(folder=folder, checkpoint=file), CPU, control=True)
    assert type(steered).__name__ == "FluxControlPipeline"


def test_a_checkpoint_is_put_on_a_folder_alone_too(wide: Path, checkpoint: Path) -> None:
    choice = replace(choose("sd1", None, str(checkpoint)), source=str(wide))
    assert drawn(loading.pipeline(choice, wide, CPU)).shape == (32, 32, 3)


def test_a_file_without_a_network_is_told(wide: Path, tmp_path: Path) -> None:
    path = save_checkpoint(wide, tmp_path / "vae.safetensors", ("vae",))
    choice = replace(choose("sd1", None, str(wide)), checkpoint=Checkpoint(file=str(path), brings=frozenset({"vae"})))
    with pytest.raises(NoBase, match=r"vae\.safetensors has no network to draw with"):
        loading.pipeline(choice, wide, CPU)
