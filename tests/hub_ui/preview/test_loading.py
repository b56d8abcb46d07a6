from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import Gated, HubDown, NoBase
from hub_ui.demo.hubs.server import HubEndpoints, running_hubs
from hub_ui.preview.bases import BaseChoice, choose
from hub_ui.preview.loading import Source, folder_of
from hub_ui.preview.studio import Studio
from tests.hub_ui.preview.building import adapter, job, save_kohya


@pytest.fixture(scope="module")
def hubs(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """A hub with the tiny base as repositories: whole with things that must stay there, gated, and of pickles only."""
    data = tmp_path_factory.mktemp("data")
    shutil.copytree(base, data / "base")
    files = [path.relative_to(data / "base").as_posix() for path in (data / "base").rglob("*") if path.is_file()]
    whole = {name: {"path": f"base/{name}"} for name in files if "/" in name or name == "model_index.json"}
    decoys = ("v1-5.safetensors", "unet/diffusion_pytorch_model.bin", "safety_checker/model.safetensors")
    pickles = {name: {"text": "pickle"} for name in ("model_index.json", "unet/diffusion_pytorch_model.bin")}
    listed = {
        "maker/tiny": {**whole, **{name: {"text": "must not be fetched"} for name in decoys}},
        "maker/pickles": pickles,
    }
    (data / "files.json").write_text(json.dumps({"huggingface": listed}))
    (data / "hf_model_maker__tiny.json").write_text(json.dumps({"id": "maker/tiny"}))
    (data / "hf_model_maker__gated.json").write_text(json.dumps({"id": "maker/gated", "gated": "manual"}))
    with running_hubs(data) as endpoints:
        yield endpoints


@pytest.fixture
def source(hubs: HubEndpoints, tmp_path: Path) -> Source:
    return Source(endpoint=hubs.huggingface, token=None, cache=tmp_path / "cache")


def of(repo: str) -> BaseChoice:
    return choose("sd1", None, repo)


def fetched(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_only_what_the_pipeline_needs_is_fetched(source: Source) -> None:
    counts: list[int] = []
    folder = folder_of(of("maker/tiny"), source, counts.append)
    assert [name for name in fetched(folder) if not name.endswith((".json", ".txt"))] == [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert sum(counts) > 0


def test_a_base_from_a_hub_draws(hubs: HubEndpoints, tmp_path: Path) -> None:
    studio = Studio(hf_endpoint=hubs.huggingface, hf_token=None, cache=tmp_path / "cache")
    lora = adapter(save_kohya(tmp_path / "a.safetensors"))
    report = studio.make_pair(job(lora, base="maker/tiny")).report
    assert (report.base, report.applied) == ("maker/tiny", 72)


def test_a_base_fetched_before_serves_without_the_hub(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    first = folder_of(of("maker/tiny"), source, lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    offline = Source(endpoint="http://127.0.0.1:9", token=None, cache=source.cache)
    assert folder_of(of("maker/tiny"), offline, lambda _: None) == first


def test_without_hub_and_files_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(HubDown, match="could not be fetched"):
        folder_of(of("maker/tiny"), Source(endpoint="http://127.0.0.1:9", token=None, cache=tmp_path), lambda _: None)


@pytest.mark.parametrize(
    ("repo", "said"), [("maker/pickles", "safetensors weights"), ("maker/nobody", "no base model")]
)
def test_a_repo_that_is_no_base_is_told(source: Source, repo: str, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        folder_of(of(repo), source, lambda _: None)


def test_a_gated_base_says_what_to_do(source: Source) -> None:
    with pytest.raises(Gated, match="agree, and set HF_TOKEN"):
        folder_of(choose("flux1", None, None), source, lambda _: None)
