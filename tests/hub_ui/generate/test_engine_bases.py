"""The engine on bases from a hub and on a checkpoint of one's own, and drafts: a quick LoRA and a small decoder."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny, UniPCMultistepScheduler
from diffusers.models.transformers.transformer_flux import FluxSingleTransformerBlock
from PIL import Image

from connectors.errors import NeedsFetching
from connectors.ref import Ref
from hub_ui.app.documents import result_json
from hub_ui.generate import engine
from hub_ui.generate.base_models.download import Source
from hub_ui.generate.base_models.table import Draft, DraftLora
from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.memory.device import OffloadLevel
from hub_ui.generate.plan import choose_spec
from hub_ui.generate.request import Callbacks, GenerationRequest, Step
from hub_ui.generate.result import GenerationResult
from hub_ui.images import png_metadata
from hub_ui.images.contact_sheet import contact
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.generate.building import adapter, alike, job, save_kohya, single
from tests.hub_ui.generate.original import save_checkpoint
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.second_gpu import second_gpu

UNIPC: Any = UniPCMultistepScheduler


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
def online(hubs: HubEndpoints, tmp_path: Path) -> Iterator[Engine]:
    built = Engine(Source(endpoint=hubs.huggingface, cache=tmp_path / "cache"), tmp_path / "timings.json")
    yield built
    built.close()


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


def test_a_base_from_a_hub_draws_and_is_pinned_in_the_report(online: Engine, kohya: Path) -> None:
    told: list[Step] = []
    callbacks = Callbacks(on_progress=told.append)
    report = single(online, adapter(kohya), base="maker/tiny", callbacks=callbacks).report
    assert (report.base, report.base_id, report.coverage[0].whole) == ("maker/tiny", "maker/tiny", True)
    assert len(report.base_revision or "") == 40
    # The commit says it.
    assert report.base_sha256 is None
    fetched = [step for step in told if step.stage.startswith("Fetching")]
    assert fetched[-1].done == fetched[-1].total > 1_000_000


def test_a_checkpoint_on_this_disk_draws(studio: Engine, wide: Path, tmp_path: Path) -> None:
    """What it leaves out is fetched from the real base's repo, which is a copy of the tiny one here."""
    checkpoint = save_checkpoint(wide, tmp_path / "mine.safetensors")
    revision = "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
    snapshot = tmp_path / "cache" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "snapshots" / revision
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(wide)
    made = single(studio, base=str(checkpoint))
    assert (made.report.base, made.report.base_revision) == ("mine.safetensors", revision)
    written = f"mine.safetensors {hashlib.sha256(checkpoint.read_bytes()).hexdigest()}"
    assert made.report.base_sha256 == hashlib.sha256(written.encode()).hexdigest()
    assert made.images[0].image.size == (32, 32)


def test_the_size_of_a_base_with_an_area_of_its_own_is_the_image_s(studio: Engine, tmp_path: Path) -> None:
    made = single(studio, base=str(TINY["hidream"].save(tmp_path / "base")), steps=1, width=32, height=64)
    assert made.images[0].image.size == (made.report.width, made.report.height) == (180, 360)
    assert made.report.notes == ("This base makes images of its own size: 180 x 360 in place of 32 x 64.",)


def give_row(monkeypatch: pytest.MonkeyPatch, row: Draft = ROW) -> None:
    monkeypatch.setattr(engine, "choose_spec", lambda request: replace(choose_spec(request), draft=row, assumed=False))


@pytest.fixture
def drafting(online: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    give_row(monkeypatch)
    return online


@pytest.fixture
def asked(kohya: Path) -> GenerationRequest:
    return job(adapter(kohya), base="maker/tiny", draft=True, steps=6, width=64, height=64)


def pair(made_by: Engine, request: GenerationRequest) -> GenerationResult:
    return made_by.generate(request, comparison.before_after(request))


def test_a_draft_has_few_steps_and_is_smaller(drafting: Engine, asked: GenerationRequest, runs: list[int]) -> None:
    made = pair(drafting, asked)
    assert [image.image.size for image in made.images] == [(32, 32), (32, 32)]
    # Two steps of both images at once, without guidance.
    assert runs == [2, 2]
    assert (made.report.steps, made.report.guidance, made.report.sampler) == (2, 1.0, "LCM")
    runs.clear()
    full = pair(drafting, replace(asked, draft=False))
    assert runs == [4] * 6
    assert (full.report.draft, full.images[0].image.size) == (None, (64, 64))


def test_a_draft_names_its_files_and_counts_no_lora_nobody_chose(drafting: Engine, asked: GenerationRequest) -> None:
    report = pair(drafting, asked).report
    lora, decoder = map(Ref.parse, report.draft or ())
    assert (lora.id, lora.file, lora.is_pinned) == ("maker/quick", "quick.safetensors", True)
    assert (decoder.id, decoder.is_pinned) == ("maker/small", True)
    assert [coverage.title for coverage in report.coverage] == [asked.adapters[0].title]
    assert report.notes == ()


def test_a_draft_is_made_again_from_its_file_to_the_pixel_and_in_full(
    drafting: Engine, asked: GenerationRequest, tmp_path: Path
) -> None:
    made = pair(drafting, asked)
    png_metadata.save(made, 1, tmp_path / "draft.png")
    found = png_metadata.read(tmp_path / "draft.png")
    again = replace(found.job(lambda _ref, _weight: asked.adapters[0]), base="maker/tiny")
    assert (again.draft, again.steps, again.width) == (True, 6, 64)
    drafting.close()
    second = drafting.generate(again, comparison.before_after(again))
    assert second.images[1].image.tobytes() == made.images[1].image.tobytes()
    full = drafting.generate(replace(again, draft=False), comparison.single(again))
    assert (full.report.steps, full.images[0].image.size) == (6, (64, 64))
    said = png_metadata.differences(found, full.request, full.report)
    assert any(
        text.startswith("It was made as a draft with ") and text.endswith(", and this one in full.") for text in said
    )


def test_a_draft_is_marked_wherever_it_goes(drafting: Engine, asked: GenerationRequest, tmp_path: Path) -> None:
    made = pair(drafting, asked)
    png_metadata.save(made, 0, tmp_path / "draft.png")
    with Image.open(tmp_path / "draft.png") as image:
        told, infotext = json.loads(image.info["hub-ui"]), image.info["parameters"]
    assert told["draft"] == {"steps": 6, "guidance": None, "width": 64, "height": 64}
    assert told["report"]["draft"] == list(made.report.draft or ())
    assert ("Quality: draft" in infotext, "quick" in infotext) == (True, False)
    document = result_json(made, "draft.png", ())
    assert (document["draft"], len(document["draft_files"])) == (True, 2)
    in_full = replace(made, report=replace(made.report, draft=None))
    assert contact(made)[0].tobytes() != contact(in_full)[0].tobytes()


def test_a_draft_goes_on_without_what_cannot_be_had_and_says_so(
    drafting: Engine, asked: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = replace(ROW, decoder="maker/none", lora=replace(LORA, repo="maker/nowhere"))
    give_row(monkeypatch, gone)
    made = pair(drafting, asked)
    # The base's own steps, of which these are few enough.
    assert (made.report.steps, made.report.draft, made.images[0].image.size) == (6, (), (32, 32))
    assert [note.partition(": ")[0] for note in made.report.notes] == [
        "The draft was made without maker/nowhere",
        "The draft was made without maker/none",
    ]


def test_who_may_fetch_nothing_gets_a_draft_of_what_is_here(drafting: Engine, asked: GenerationRequest) -> None:
    pair(drafting, replace(asked, draft=False))
    report = pair(drafting, replace(asked, may_complete=False)).report
    assert (report.steps, [Ref.parse(ref).id for ref in report.draft or ()]) == (6, ["maker/small"])
    assert [note.partition(": ")[0] for note in report.notes] == ["The draft was made without maker/quick"]


def test_a_large_lora_for_drafts_is_agreed_to_first(
    drafting: Engine, asked: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair(drafting, replace(asked, draft=False))
    monkeypatch.setattr("hub_ui.generate.base_models.download._WITHOUT_ASKING", 0)
    with pytest.raises(NeedsFetching, match=r"What drafts with maker/tiny need \(.* from maker/quick\)"):
        pair(drafting, asked)
    assert pair(drafting, replace(asked, may_fetch=True)).report.steps == 2


def test_the_first_draft_is_expected_to_take_less_than_images(drafting: Engine, asked: GenerationRequest) -> None:
    pair(drafting, replace(asked, draft=False))
    other = replace(asked, seed=8)
    draft = drafting.estimate(other, comparison.before_after(asked))
    full = drafting.estimate(replace(other, draft=False), comparison.before_after(asked))
    # A third of the steps, a quarter of the pixels, and half of the runs.
    assert (full.measured, draft.measured, draft.seconds < full.seconds / 2) == (True, False, True)


def test_the_first_image_has_a_preview_by_the_small_decoder(drafting: Engine, asked: GenerationRequest) -> None:
    steps, in_full = list[Step](), replace(asked, draft=False)
    drafting.generate(in_full, comparison.single(in_full), Callbacks(on_progress=steps.append))
    first = next(step.preview for step in steps if step.preview is not None)
    red, green, blue = first.split()
    assert red.tobytes() != green.tobytes() or green.tobytes() != blue.tobytes()


def test_a_base_that_is_loaded_before_the_first_image_has_its_small_decoder(
    drafting: Engine, asked: GenerationRequest
) -> None:
    drafting.load(replace(asked, draft=False))
    assert drafting._loaded is not None
    assert type(drafting._loaded.decoder) is AutoencoderTiny


def test_a_draft_without_a_lora_skips_what_the_first_block_says_is_the_same(
    studio: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of three are served by diffusers' cache, which a high threshold lets it be."""
    count, forward = list[int](), FluxSingleTransformerBlock.forward

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        count.append(1)
        return forward(self, *args, **kwargs)

    def blocks_of(request: GenerationRequest) -> int:
        count.clear()
        studio.generate(request, comparison.single(request))
        return len(count)

    monkeypatch.setattr(FluxSingleTransformerBlock, "forward", counted)
    give_row(monkeypatch, Draft(scale=1, cache=1000.0))
    in_full = job(base=str(TINY["flux1 dev"].save(tmp_path / "flux")), steps=3, width=32, height=32)
    whole = blocks_of(in_full)
    assert blocks_of(replace(in_full, draft=True)) * 3 == whole
    assert blocks_of(replace(in_full, seed=8)) == whole


@pytest.mark.exact
@pytest.mark.parametrize("level", ["model_offload", "group_offload"])
def test_a_draft_between_images_in_full_leaves_their_offloading_as_it_was(
    drafting: Engine, asked: GenerationRequest, monkeypatch: pytest.MonkeyPatch, level: OffloadLevel
) -> None:
    requests = [asked, replace(asked, draft=False), replace(asked, seed=8), replace(asked, draft=False, seed=8)]
    expected = [pair(drafting, request).images for request in requests]
    drafting.close()
    with second_gpu(monkeypatch, level) as cuda:
        made = [pair(drafting, request) for request in requests]
        drafting.close()
    assert {each.report.level for each in made} == {level}
    for each, whole in zip(made, expected, strict=True):
        assert all(map(alike, each.images, whole))
    assert [card.used for card in cuda.cards] == [0, 0]
