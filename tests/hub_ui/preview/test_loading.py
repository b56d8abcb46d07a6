from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from connectors.errors import NoBase, PreviewError
from hub_ui.preview import loading
from hub_ui.preview.bases import BaseChoice, Borrowed, choose
from hub_ui.preview.device import Device
from hub_ui.preview.fetching import Fetched
from tests.hub_ui.preview.pipelines.anima import save_anima
from tests.hub_ui.preview.pipelines.flux import save_dev

CPU = Device(label="CPU", kind="cpu", dtype="float32")
DRAW: dict[str, Any] = {"prompt": "a red cat", "num_inference_steps": 1, "height": 32, "width": 32}


@pytest.fixture
def copy(base: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "copy"))


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dev(tmp_path_factory.mktemp("flux"))


def of(folder: Path | str, **fields: Any) -> BaseChoice:
    return replace(choose(None, None, str(folder)), **fields)


def load(folder: Path | str, fetched: Fetched | None = None, control: bool = False, **fields: Any) -> Any:
    return loading.pipeline(of(folder, **fields), fetched or Path(folder), CPU, control=control)


def test_a_folder_draws(base: str) -> None:
    assert load(base)(**DRAW).images[0].size == (32, 32)


def test_half_precision_on_disk_is_loaded_where_there_is_one(copy: Path) -> None:
    whole = copy / "unet" / "diffusion_pytorch_model.safetensors"
    half = whole.rename(copy / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert load(copy).unet.dtype == torch.float32
    half.write_bytes(half.read_bytes()[:-8])
    with pytest.raises(NoBase, match="can't be loaded from its files"):
        load(copy)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_memory_that_runs_out_while_loading_is_told_as_such(
    base: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: Any) -> None:
        raise error

    monkeypatch.setattr(loading, "place", full)
    with pytest.raises(PreviewError, match=r"ran out of it while it was loaded\. Close other programs"):
        load(base)


def test_another_scheduler_takes_the_place_of_the_repo_s(base: str) -> None:
    options = {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    scheduler = load(base, scheduler="EulerDiscreteScheduler", scheduler_options=options).scheduler
    assert type(scheduler).__name__ == "EulerDiscreteScheduler"
    assert (scheduler.config.timestep_spacing, scheduler.config.prediction_type) == ("trailing", "v_prediction")
    # The repo's own word stands where ours says nothing.
    assert scheduler.config.beta_end == 0.012


def test_flux_takes_a_control_picture_when_asked(flux: Path) -> None:
    pipe = load(flux, control=True)
    assert type(pipe).__name__ == "FluxControlPipeline"
    assert type(load(flux)).__name__ == "FluxPipeline"


def test_a_base_without_a_control_input_is_told(base: str) -> None:
    with pytest.raises(NoBase, match="no input for a control picture"):
        load(base, control=True)


def test_a_modular_pipeline_is_assembled(tmp_path: Path) -> None:
    folder = save_anima(tmp_path / "anima")
    pipe = load(folder)
    made = pipe(**DRAW, max_sequence_length=24)
    assert made.images[0].size == (32, 32)
    assert pipe.transformer.dtype == torch.float32


def test_parts_of_a_modular_pipeline_may_lie_elsewhere(tmp_path: Path) -> None:
    folder = save_anima(tmp_path / "anima")
    moved = folder / "vae"
    moved.rename(tmp_path / "vae")
    index = folder / "modular_model_index.json"
    data = json.loads(index.read_text())
    data["vae"][2]["pretrained_model_name_or_path"] = "someone/else"
    index.write_text(json.dumps(data))
    fetched = Fetched(folder=folder, parts={"vae": tmp_path / "vae"})
    assert load(folder, fetched)(**DRAW, max_sequence_length=24).images[0].size == (32, 32)


def test_a_modular_pipeline_with_a_broken_part_is_told(tmp_path: Path) -> None:
    folder = save_anima(tmp_path / "anima")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(NoBase, match="its vae can't be read"):
        load(folder)


def test_a_borrowed_part_is_put_in(copy: Path, tmp_path: Path) -> None:
    (copy / "text_encoder").rename(tmp_path / "encoder")
    lent = Borrowed(part="text_encoder", kind="CLIPTextModel", repo="someone/clip")
    fetched = Fetched(folder=copy, parts={"text_encoder": tmp_path / "encoder"})
    assert load(copy, fetched, borrowed=(lent,))(**DRAW).images[0].size == (32, 32)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: shutil.rmtree(folder / name)


def overwrite(name: str, data: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("text_encoder"), "is not whole: its text encoder can't be found"),
        (remove("tokenizer"), "is not whole: its tokenizer can't be found"),
        (overwrite("vae/config.json", b"{"), "can't be loaded from its files"),
        (overwrite("unet/diffusion_pytorch_model.safetensors", b"cut off"), "can't be loaded from its files"),
        (overwrite("unet/config.json", b'{"_class_name": "Nothing"}'), "can't be loaded from its files"),
    ],
)
def test_what_is_missing_or_damaged_is_told(copy: Path, damage: Callable[[Path], None], said: str) -> None:
    choice = of(copy)
    damage(copy)
    with pytest.raises(NoBase, match=said):
        loading.pipeline(choice, copy, CPU)


def test_a_damaged_download_says_what_to_delete(copy: Path, tmp_path: Path) -> None:
    (copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    snapshot = tmp_path / "models--maker--tiny" / "snapshots" / ("1" * 40)
    snapshot.parent.mkdir(parents=True)
    fetched = Fetched(folder=copy.rename(snapshot), revision="1" * 40)
    with pytest.raises(NoBase, match=r"Delete .*/models--maker--tiny to have it fetched again"):
        load(snapshot, fetched)


def test_a_folder_without_an_index_is_told(base: str, tmp_path: Path) -> None:
    with pytest.raises(NoBase, match=r"holds no model_index\.json"):
        loading.pipeline(of(base), tmp_path, CPU)


def test_a_pipeline_that_diffusers_has_not_yet_is_told(base: str) -> None:
    with pytest.raises(NoBase, match="needs a newer diffusers"):
        load(base, pipeline="StableDiffusion9Pipeline")
