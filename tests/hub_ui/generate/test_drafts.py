"""Drafts of a tiny base with a row of its own: a step-distilled LoRA and a small decoder, on a local hub."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from connectors.ref import Ref
from hub_ui.generate import comparison, engine
from hub_ui.generate.base_models import choose_base
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.base_models.table import Draft, DraftLora
from hub_ui.generate.drafts import using
from hub_ui.generate.engine import Engine
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.generate.settings import resolve_request
from hub_ui.images import png_metadata
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.generate.building import adapter, job, save_kohya
from tests.hub_ui.generate.pipelines import flux

LORA = DraftLora(
    repo="maker/quick", file="quick.safetensors", license="mit", steps=2, guidance=1.0, weight=0.5, sampler="LCM"
)
ROW = Draft(scale=0.5, decoder="maker/small", lora=LORA)


@pytest.fixture(scope="module")
def hubs(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    folder = tmp_path_factory.mktemp("data")
    torch.manual_seed(0)
    small: Any = AutoencoderTiny
    # The tiny base's own autoencoder halves the sides once.
    small(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).save_pretrained(folder / "small")  # fmt: skip
    hub = save_hub(
        folder / "hub",
        Path(base),
        quick={"quick.safetensors": {"path": "quick.safetensors"}},
        small={name: {"path": name} for name in ("config.json", "diffusion_pytorch_model.safetensors")},
    )
    save_kohya(hub / "quick.safetensors", seed=9)
    for path in (folder / "small").iterdir():
        path.rename(hub / path.name)
    with running_hubs(hub) as endpoints:
        yield endpoints


@pytest.fixture
def online(hubs: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    built = Engine(Source(endpoint=hubs.huggingface, cache=tmp_path / "cache"), tmp_path / "timings.json")
    give_row(monkeypatch)
    yield built
    built.close()


def give_row(monkeypatch: pytest.MonkeyPatch, row: Draft = ROW) -> None:
    monkeypatch.setattr(
        engine, "choose_spec", lambda request: replace(choose_spec(request), draft=row, assumed=False)
    )


@pytest.fixture
def asked(tmp_path: Path) -> GenerationRequest:
    lora = adapter(save_kohya(tmp_path / "a.safetensors"))
    return job(lora, base="maker/tiny", draft=True, steps=6, width=64, height=64)


def pair(made_by: Engine, request: GenerationRequest) -> GenerationResult:
    return made_by.generate(request, comparison.before_after(request))


def test_a_draft_takes_the_steps_of_its_lora_and_is_smaller(
    online: Engine, asked: GenerationRequest, runs: list[int]
) -> None:
    made = pair(online, asked)
    assert [image.image.size for image in made.images] == [(32, 32), (32, 32)]
    # Two steps of both images at once, without guidance.
    assert runs == [2, 2]
    assert (made.report.steps, made.report.guidance, made.report.sampler) == (2, 1.0, "LCM")
    runs.clear()
    full = pair(online, replace(asked, draft=False))
    assert runs == [4] * 6
    assert (full.report.draft, full.images[0].image.size) == (None, (64, 64))


def test_a_draft_names_its_files_and_counts_no_lora_that_nobody_chose(
    online: Engine, asked: GenerationRequest
) -> None:
    report = pair(online, asked).report
    lora, decoder = map(Ref.parse, report.draft or ())
    assert (lora.id, lora.file, lora.is_pinned) == ("maker/quick", "quick.safetensors", True)
    assert (decoder.id, decoder.is_pinned) == ("maker/small", True)
    assert [coverage.title for coverage in report.coverage] == [asked.adapters[0].title]
    assert report.notes == ()
