"""The studio on bases from a hub: fetched, agreed to, refused; and on a person's own checkpoint."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from diffusers import UniPCMultistepScheduler

from hub_ui.generate.base_models.download import Source
from hub_ui.generate.engine import Engine
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, Step
from hub_ui.generate.result import GenerationResult
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.comparing import single
from tests.hub_ui.generate.original import save_checkpoint
from tests.hub_ui.generate.pipelines.bases import TINY

UNIPC: Any = UniPCMultistepScheduler


@pytest.fixture(scope="module")
def hubs(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    with running_hubs(save_hub(tmp_path_factory.mktemp("data") / "hub", Path(base))) as endpoints:
        yield endpoints


@pytest.fixture
def online(hubs: HubEndpoints, tmp_path: Path) -> Iterator[Engine]:
    built = Engine(Source(endpoint=hubs.huggingface, cache=tmp_path / "cache"))
    yield built
    built.close()


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return save_kohya(tmp_path / "a.safetensors")


def one(studio: Engine, lora: Path, base: str, told: list[Step] | None = None) -> GenerationResult:
    told = [] if told is None else told
    return single(studio, adapter(lora), base=base, callbacks=Callbacks(on_progress=told.append))


@pytest.mark.parametrize(("size", "shift"), [((32, 16), 3.0), ((32, 32), 5.0)])
def test_the_scheduler_of_wan_is_shifted_by_the_size_of_the_clip(
    studio: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], shift: float
) -> None:
    folder, seen, set_timesteps = TINY["wan_21"].save(tmp_path / "wan"), list[float](), UNIPC.set_timesteps
    own = UNIPC(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=7.0)
    own.save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", UNIPC.__name__]}))

    def watched(self: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(self.config.flow_shift)
        set_timesteps(self, *args, **kwargs)

    monkeypatch.setattr(UNIPC, "set_timesteps", watched)
    monkeypatch.setattr("hub_ui.generate.base_models.table._BETWEEN_480P_AND_720P", 32 * 16)
    spec = replace(choose_spec(job(base=str(folder))), flow_shifts=(3.0, 5.0))
    monkeypatch.setattr("hub_ui.generate.engine.choose_spec", lambda request: spec)
    single(studio, base=str(folder), width=size[0], height=size[1], frames=1)
    assert seen == [shift]


def test_a_base_from_a_hub_draws_and_is_pinned_in_the_report(online: Engine, lora: Path) -> None:
    told: list[Step] = []
    report = one(online, lora, "maker/tiny", told).report
    assert (report.base, report.base_id, report.coverage[0].whole) == ("maker/tiny", "maker/tiny", True)
    assert len(report.base_revision or "") == 40
    # The commit says it.
    assert report.base_sha256 is None
    fetched = [step for step in told if step.stage.startswith("Fetching")]
    assert fetched[-1].done == fetched[-1].total > 1_000_000


def test_a_checkpoint_on_this_disk_draws(
    wide: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves out is fetched from the real base's repo, which is a copy of the tiny one here."""
    checkpoint = save_checkpoint(wide, tmp_path / "mine.safetensors")
    revision = "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
    snapshot = tmp_path / "cache" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "snapshots" / revision
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(wide)
    studio = Engine(Source(endpoint="http://127.0.0.1:9", cache=tmp_path / "cache"))
    made = single(studio, base=str(checkpoint))
    studio.close()
    assert (made.report.base, made.report.base_revision) == ("mine.safetensors", revision)
    written = f"mine.safetensors {hashlib.sha256(checkpoint.read_bytes()).hexdigest()}"
    assert made.report.base_sha256 == hashlib.sha256(written.encode()).hexdigest()
    assert made.images[0].image.size == (32, 32)


def test_the_size_of_a_base_with_an_area_of_its_own_is_the_image_s(studio: Engine, tmp_path: Path) -> None:
    made = single(studio, base=str(TINY["hidream"].save(tmp_path / "base")), steps=1, width=32, height=64)
    assert made.images[0].image.size == (made.report.width, made.report.height) == (180, 360)
    assert made.report.notes == ("This base makes images of its own size: 180 x 360 in place of 32 x 64.",)
