import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from connectors.errors import NoBase, PreviewError
from hub_ui.generate.base_models import Checkpoint, PipelineSpec, SharedComponent, choose_base
from hub_ui.generate.base_models import load as base_models_load
from hub_ui.generate.base_models.download import Source, download
from hub_ui.generate.base_models.files import plan_download
from hub_ui.generate.base_models.load import load_pipeline
from hub_ui.generate.base_models.repo_layout import LocalBase
from hub_ui.generate.control import sibling_pipeline
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub, silently
from tests.hub_ui.generate.building import CPU
from tests.hub_ui.generate.original import save_checkpoint
from tests.hub_ui.generate.pipelines.bases import TINY

DRAW: dict[str, Any] = {"prompt": "a red cat", "num_inference_steps": 1, "height": 32, "width": 32}


@pytest.fixture
def copy(base: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "copy"))


def of(folder: Path | str, **fields: Any) -> PipelineSpec:
    return replace(choose_base(None, None, str(folder)), **fields)


def load_base(folder: Path | str, fetched: LocalBase | None = None, **fields: Any) -> Any:
    return load_pipeline(of(folder, **fields), fetched or LocalBase(folder=Path(folder)), CPU)[0]


def test_the_autoencoder_of_wan_is_loaded_in_full_precision(tmp_path: Path) -> None:
    folder = TINY["wan_21"].save(tmp_path / "wan")
    pipe: Any = load_pipeline(of(folder), LocalBase(folder=folder), replace(CPU, dtype="bfloat16"))[0]
    assert (pipe.vae.dtype, pipe.transformer.dtype) == (torch.float32, torch.bfloat16)
    frames = pipe(**DRAW, num_frames=5, max_sequence_length=24, output_type="np").frames
    assert np.isfinite(frames).all()


def test_half_precision_on_disk_is_loaded_where_there_is_one(copy: Path) -> None:
    whole = copy / "unet" / "diffusion_pytorch_model.safetensors"
    half = whole.rename(copy / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert load_base(copy).unet.dtype == torch.float32
    half.write_bytes(half.read_bytes()[:-8])
    with pytest.raises(NoBase, match="can't be loaded from its files"):
        load_base(copy)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_memory_that_runs_out_meanwhile_is_told(base: str, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(base_models_load, "first_fit", Mock(side_effect=error))
    with pytest.raises(PreviewError, match=r"ran out of it while it was loaded\. Close other programs"):
        load_base(base)


def test_another_scheduler_takes_the_place_of_the_repo_s(base: str) -> None:
    options = {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    scheduler = load_base(base, scheduler="EulerDiscreteScheduler", scheduler_options=options).scheduler
    assert type(scheduler).__name__ == "EulerDiscreteScheduler"
    assert (scheduler.config.timestep_spacing, scheduler.config.prediction_type) == ("trailing", "v_prediction")
    # The repo's own word stands where ours says nothing.
    assert scheduler.config.beta_end == 0.012


def test_parts_of_a_modular_pipeline_may_lie_elsewhere(tmp_path: Path) -> None:
    folder = TINY["anima"].save(tmp_path / "anima")
    moved = folder / "vae"
    moved.rename(tmp_path / "vae")
    index = folder / "modular_model_index.json"
    data = json.loads(index.read_text())
    data["vae"][2]["pretrained_model_name_or_path"] = "someone/else"
    index.write_text(json.dumps(data))
    fetched = LocalBase(folder=folder, parts={"vae": tmp_path / "vae"})
    pipe = load_base(folder, fetched)
    assert pipe(**DRAW, max_sequence_length=24).images[0].size == (32, 32)
    assert pipe.transformer.dtype == torch.float32


def test_a_modular_pipeline_with_a_broken_part_is_told(tmp_path: Path) -> None:
    folder = TINY["anima"].save(tmp_path / "anima")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(NoBase, match="its vae can't be read"):
        load_base(folder)


def test_a_borrowed_part_is_put_in(copy: Path, tmp_path: Path) -> None:
    (copy / "text_encoder").rename(tmp_path / "encoder")
    lent = SharedComponent(part="text_encoder", kind="CLIPTextModel", repo="someone/clip")
    fetched = LocalBase(folder=copy, parts={"text_encoder": tmp_path / "encoder"})
    assert load_base(copy, fetched, shared_components=(lent,))(**DRAW).images[0].size == (32, 32)


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
        load_pipeline(choice, LocalBase(folder=copy), CPU)


def test_a_damaged_download_says_what_to_delete(copy: Path, tmp_path: Path) -> None:
    (copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut off")
    snapshot = tmp_path / "models--maker--tiny" / "snapshots" / ("1" * 40)
    snapshot.parent.mkdir(parents=True)
    fetched = LocalBase(folder=copy.rename(snapshot), revision="1" * 40)
    with pytest.raises(NoBase, match=r"Delete .*/models--maker--tiny to have it fetched again"):
        load_base(snapshot, fetched)


def test_a_folder_without_an_index_is_told(base: str, tmp_path: Path) -> None:
    with pytest.raises(NoBase, match=r"holds no model_index\.json"):
        load_pipeline(of(base), LocalBase(folder=tmp_path), CPU)


def test_a_pipeline_that_diffusers_has_not_yet_is_told(base: str) -> None:
    with pytest.raises(NoBase, match="needs a newer diffusers"):
        load_base(base, pipeline="StableDiffusion9Pipeline")


@pytest.fixture(scope="module")
def hubs(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """A hub with the base that the checkpoints are most like."""
    with running_hubs(save_hub(tmp_path_factory.mktemp("data") / "hub", wide)) as endpoints:
        yield endpoints


@pytest.fixture
def source(hubs: HubEndpoints, tmp_path: Path) -> Source:
    return Source(endpoint=hubs.huggingface, cache=tmp_path / "cache")


def spec_of_single_file(path: Path) -> PipelineSpec:
    """As it is chosen, but that the rest comes from the local hub's copy of Stable Diffusion."""
    return replace(choose_base("sd1", None, str(path)), source="maker/tiny", revision=None)


def drawn(pipe: Any) -> NDArray[np.uint8]:
    seed = torch.Generator().manual_seed(1)
    options = {"num_inference_steps": 2, "height": 32, "width": 32, "generator": seed, "output_type": "np"}
    return np.asarray(pipe("a red cat", **options).images[0] * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reference(wide: Path) -> NDArray[np.uint8]:
    """What the model generates from its own folder."""
    return drawn(load_base(wide))


@pytest.mark.parametrize(
    "parts", [("unet",), ("unet", "vae"), ("unet", "text_encoder"), ("unet", "vae", "text_encoder")]
)
def test_what_a_checkpoint_leaves_out_comes_from_the_base(
    source: Source, wide: Path, reference: NDArray[np.uint8], tmp_path: Path, parts: tuple[str, ...]
) -> None:
    path = save_checkpoint(wide, tmp_path / "part.safetensors", parts)
    choice = spec_of_single_file(path)
    planned = plan_download(choice, source)
    weights = {file.filename.partition("/")[0] for file in planned.files if file.filename.endswith(".safetensors")}
    assert weights == {"unet", "vae", "text_encoder"} - set(parts)
    fetched = download(planned, source, silently)
    assert (choice.label, fetched.checkpoint) == ("part.safetensors", path)
    assert np.array_equal(drawn(load_pipeline(choice, fetched, CPU)[0]), reference)


def test_weights_of_another_size_are_told(source: Source, wide: Path, tmp_path: Path) -> None:
    tensors = load_file(save_checkpoint(wide, tmp_path / "whole.safetensors"))
    name = "model.diffusion_model.input_blocks.0.0.weight"
    tensors[name] = torch.cat([tensors[name], tensors[name]])
    save_file(tensors, tmp_path / "other.safetensors")
    choice = spec_of_single_file(tmp_path / "other.safetensors")
    with pytest.raises(NoBase, match=r"other\.safetensors can't be loaded from its files"):
        load_pipeline(choice, download(plan_download(choice, source), source, silently), CPU)


def test_a_diffusion_model_alone_is_put_on_the_other_parts(tmp_path: Path) -> None:
    folder = TINY["flux1 dev"].save(tmp_path / "flux")
    [weights] = (folder / "transformer").glob("*.safetensors")
    file = Path(shutil.move(weights, tmp_path / "flux1.safetensors"))
    choice = replace(
        choose_base("flux1", None, str(folder)),
        checkpoint=Checkpoint(file=str(file), brings=frozenset({"transformer"})),
    )
    pipe = load_pipeline(choice, LocalBase(folder=folder, checkpoint=file), CPU)[0]
    assert type(pipe).__name__ == "FluxPipeline"
    assert torch.equal(pipe.transformer.state_dict()["proj_out.weight"], load_file(file)["proj_out.weight"])
    steered = sibling_pipeline(pipe, "Control", "none")
    assert type(steered).__name__ == "FluxControlPipeline"


def test_a_file_without_a_network_is_told(wide: Path, tmp_path: Path) -> None:
    path = save_checkpoint(wide, tmp_path / "vae.safetensors", ("vae",))
    choice = replace(
        choose_base("sd1", None, str(wide)), checkpoint=Checkpoint(file=str(path), brings=frozenset({"vae"}))
    )
    with pytest.raises(NoBase, match=r"vae\.safetensors has no network to generate with"):
        load_pipeline(choice, LocalBase(folder=wide, checkpoint=path), CPU)
