"""Generating on the local Replicate, over HTTP."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.errors import DoesNotFit, Gated, KeyRequired, NotFound, PreviewError, UsageError
from connectors.http.retry import RetryPolicy
from connectors.http.session import Endpoint
from connectors.ref import Ref
from connectors.replicate.inputs import Input, Inputs, Runnable
from hub_ui.demo.hubs.replicate_store import fine_tune_version, official
from hub_ui.generate.backends.replicate import Price, ReplicateBackend, format_dollars, image_price, training_price
from hub_ui.generate.compare import comparison
from hub_ui.generate.request import NO_CALLBACKS, Callbacks, GenerationCancelled, GenerationRequest, LoraInput, Step
from hub_ui.generate.result import GenerationResult
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.recording import Recorder

TUNED, OLDER, SDXL, FILM, BARE, EDGES, RUNNER = (letter * 64 for letter in "abcdef9")
KEY = "r8_PlaceKey0123456789abcdef"
COMMIT = "1ecd" * 10
RED = Path(__file__).parents[3] / "contract" / "data" / "pictures" / "red.png"


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Iterator[HubEndpoints]:
    folder = tmp_path_factory.mktemp("hubs")
    for name, model in _models().items():
        (folder / f"replicate_model_{name}.json").write_text(json.dumps(model))
    older = {**_flux_version(OLDER), "model": "ada/tuned"}
    (folder / "replicate_version_older.json").write_text(json.dumps(older))
    with running_hubs(folder, around=recorder.around, run_seconds=0.05) as hubs:
        yield hubs


@pytest.fixture
def hubs(running: HubEndpoints, recorder: Recorder) -> Iterator[HubEndpoints]:
    recorder.forget()
    yield running
    running.faults.clear()


@pytest.fixture
def place(hubs: HubEndpoints) -> Iterator[ReplicateBackend]:
    built = _place(hubs)
    yield built
    built.close()


def _place(hubs: HubEndpoints, token: str | None = KEY, **fields: Any) -> ReplicateBackend:
    endpoint = Endpoint(hub="replicate", url=hubs.replicate, keys={"replicate": token} if token else {})
    retry = RetryPolicy(tries=3, pause=lambda seconds: time.sleep(min(seconds, 0.02)))
    return ReplicateBackend(endpoint, most_seconds=0.02, retry=retry, **fields)


def _flux_version(version: str) -> dict[str, Any]:
    trainer = official()["ostris/flux-dev-lora-trainer"]["latest_version"]
    return fine_tune_version(version, "2026-08-01T10:00:00.000Z", trainer)


def _models() -> dict[str, dict[str, Any]]:
    sdxl = _schema(
        prompt={"type": "string"}, negative_prompt={"type": "string"}, width={"type": "integer"},
        height={"type": "integer"}, refine={"type": "string"}, scheduler={"enum": ["K_EULER", "DDIM"]},
        num_inference_steps={"type": "integer", "default": 50}, guidance_scale={"type": "number", "default": 7.5},
        seed={"type": "integer"}, lora_scale={"type": "number", "minimum": 0, "maximum": 1},
        replicate_weights={"type": "string"},
    )  # fmt: skip
    edges = _schema(prompt={}, control_image={}, replicate_weights={}, lora_scale={"type": "number"})
    runner = _schema(prompt={}, hf_lora={"type": "string"}, lora_scale={"type": "number", "maximum": 1})
    film = _schema(prompt={"type": "string"}, lora_url={}, lora_strength={"type": "number"}, replicate_weights={})
    return {
        "tuned": _model("tuned", _flux_version(TUNED)),
        "sdxl": _model("sdxl", {"id": SDXL, "openapi_schema": sdxl}),
        "film": _model("film", {"id": FILM, "openapi_schema": film}),
        "edges": _model("edges", {"id": EDGES, "openapi_schema": edges}),
        "runner": _model("runner", {"id": RUNNER, "openapi_schema": runner}),
        "bare": _model("bare", {"id": BARE, "openapi_schema": None}),
    }


def _schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"components": {"schemas": {"Input": {"required": ["prompt"], "properties": properties}}}}


def _model(name: str, version: dict[str, Any]) -> dict[str, Any]:
    example = {"input": {"prompt": "a pier"}, "metrics": {"predict_time": 8.0}, "output": None}
    return {
        "owner": "ada", "name": name, "is_official": False, "visibility": "public", "default_example": example,
        "latest_version": {"created_at": "2026-08-01T10:00:00.000Z", **version},
    }  # fmt: skip


def _adapter(ref: str = f"replicate:ada/tuned@{TUNED}", **fields: Any) -> LoraInput:
    return LoraInput(ref=Ref.parse(ref), path=Path(), title="Fog", trigger_words=("FGHRBR",), **fields)


def _flux(ref: str, **fields: Any) -> LoraInput:
    return _adapter(ref, architecture="flux1", base_model="flux.1-dev", **fields)


def _job(*adapters: LoraInput, **fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=adapters or (_adapter(),), prompt="a pier", seed=7, **fields)


def generate(
    sheet: Callable[[GenerationRequest], comparison.Comparison], place: ReplicateBackend, *adapters: LoraInput,
    callbacks: Callbacks = NO_CALLBACKS, **fields: Any,
) -> GenerationResult:  # fmt: skip
    job = _job(*adapters, **fields)
    return place.generate(job, sheet(job), callbacks)


single, pair = partial(generate, comparison.single), partial(generate, comparison.before_after)


def _sent(recorder: Recorder) -> list[dict[str, Any]]:
    """The inputs of the predictions that were asked for."""
    posts = (request for request in recorder.requests if request.method == "POST")
    return [json.loads(post.body)["input"] for post in posts if post.path.endswith("/predictions")]


def test_a_pair_runs_at_weight_0_and_at_the_lora_s_own(place: ReplicateBackend, recorder: Recorder) -> None:
    made = pair(place, _adapter(weight=0.8))
    assert [asked["lora_scale"] for asked in _sent(recorder)] == [0.0, 0.8]
    assert {(asked["prompt"], asked["seed"]) for asked in _sent(recorder)} == {("FGHRBR, a pier", 7)}
    first, second = (picture.image for picture in made.images)
    assert first.tobytes() != second.tobytes()


def test_the_pinned_version_runs_whatever_is_the_latest(place: ReplicateBackend, recorder: Recorder) -> None:
    made = single(place, _adapter(f"replicate:ada/tuned@{OLDER}"))
    bodies = [json.loads(request.body) for request in recorder.requests if request.method == "POST"]
    assert [body["version"] for body in bodies] == [OLDER]
    assert made.report.base_revision == OLDER


def test_the_report_says_where_and_with_what(place: ReplicateBackend) -> None:
    report = single(place, width=512, height=512).report
    assert (report.place, report.device, report.base) == ("replicate", "Replicate", "ada/tuned aaaaaaaa")
    assert (report.base_id, report.seed, report.steps, report.guidance) == (f"replicate:ada/tuned@{TUNED}", 7, 28, 3.0)
    assert report.coverage == ()
    assert report.notes == ("Replicate doesn't say how much of the LoRA takes effect.",)


def test_what_the_report_calls_its_base_runs_the_same_again(place: ReplicateBackend) -> None:
    first = single(place)
    again = single(place, base=first.report.base_id)
    assert again.images[0].image.tobytes() == first.images[0].image.tobytes()


def test_a_strip_is_drawn_in_order(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job()
    made = place.generate(job, comparison.weight_sweep(job, (1.2, 0.0, 0.6)))
    assert [asked["lora_scale"] for asked in _sent(recorder)] == [1.2, 0.0, 0.6]
    different = [_difference(made.images[1].image, picture.image) for picture in made.images]
    assert different[0] > different[2] > different[1] == 0


def _difference(one: Image.Image, other: Image.Image) -> int:
    return sum(a != b for a, b in zip(one.tobytes(), other.tobytes(), strict=True))


def test_what_would_be_the_same_picture_is_paid_for_once(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job()
    made = place.generate(job, comparison.weight_sweep(job, (4.0, 3.0, 3.0)))
    assert len(_sent(recorder)) == 1
    assert [picture.seconds > 0 for picture in made.images] == [True, False, False]
    assert "This model takes -1 to 3 for lora_scale: 4 became 3." in made.report.notes


def test_a_second_flux_lora_goes_along(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job(_adapter(), _flux("civitai:1001@2001", weight=0.5))
    place.generate(job, comparison.lora_combinations(job))
    sent = _sent(recorder)
    assert [(asked["lora_scale"], asked["extra_lora_scale"]) for asked in sent] == [(0, 0), (1, 0), (0, 0.5), (1, 0.5)]
    assert sent[0]["extra_lora"] == "https://civitai.com/api/download/models/2001?type=Model&format=SafeTensor"


def test_a_flux_lora_of_another_hub_runs_on_the_official_runner(place: ReplicateBackend, recorder: Recorder) -> None:
    report = single(place, _flux(f"hf:ada/ink@{COMMIT}#ink.safetensors")).report
    (asked,) = _sent(recorder)
    assert asked["lora_weights"] == f"https://huggingface.co/ada/ink/resolve/{COMMIT}/ink.safetensors"
    assert asked["go_fast"] is False
    assert "/v1/models/black-forest-labs/flux-dev-lora/predictions" in [request.path for request in recorder.requests]
    assert (report.base_id, report.base_revision) == ("replicate:black-forest-labs/flux-dev-lora", None)


def test_any_runner_can_be_named_as_the_base(place: ReplicateBackend, recorder: Recorder) -> None:
    report = single(place, _flux(f"hf:ada/ink@{COMMIT}#ink.safetensors"), base="replicate:ada/runner").report
    assert _sent(recorder)[0]["hf_lora"] == f"https://huggingface.co/ada/ink/resolve/{COMMIT}/ink.safetensors"
    assert report.base_id == f"replicate:ada/runner@{RUNNER}"


def test_a_runner_of_another_base_than_the_lora_s_is_said(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job(_adapter("civitai:1001@2001", architecture="flux1", base_model="flux.1-krea"))
    note = "“Fog” was made for FLUX.1 Krea, and runs on FLUX.1 dev. Images can differ from its examples."
    assert place.estimate(job, comparison.single(job)).sentence.endswith(f" an image. {note}")
    assert note in place.generate(job, comparison.single(job)).report.notes
    recorder.forget()
    with pytest.raises(DoesNotFit, match=r"does not run on FLUX\.1 dev"):
        single(place, _adapter("civitai:1001@2001", architecture="flux1", base_model="flex.1"))
    assert _sent(recorder) == []


def test_an_sdxl_fine_tune_is_asked_in_its_own_words(place: ReplicateBackend, recorder: Recorder) -> None:
    lora = _adapter(f"replicate:ada/sdxl@{SDXL}")
    report = pair(place, lora, negative="fog", sampler="DDIM", width=768, height=512).report
    asked = _sent(recorder)[0]
    assert (asked["negative_prompt"], asked["scheduler"], asked["width"], asked["height"]) == ("fog", "DDIM", 768, 512)
    assert (report.sampler, report.steps, report.guidance) == ("DDIM", 50, 7.5)
    assert "The base alone is not quite the base: this model's trained words act at weight 0, too." in report.notes


def test_a_control_picture_is_uploaded_for_a_model_that_takes_one(
    place: ReplicateBackend, recorder: Recorder, hubs: HubEndpoints
) -> None:
    single(place, _adapter(f"replicate:ada/edges@{EDGES}"), control=RED)
    assert _sent(recorder)[0]["control_image"].startswith(f"{hubs.replicate}/v1/files/")


def test_a_control_picture_stays_here_if_the_model_takes_none(place: ReplicateBackend, recorder: Recorder) -> None:
    notes = single(place, control=RED).report.notes
    assert "This model takes no control image; it was left out." in notes
    assert "/v1/files" not in [request.path for request in recorder.requests]


def test_pictures_come_as_they_are_whatever_the_file(place: ReplicateBackend, recorder: Recorder) -> None:
    """The runners would answer WebP; they are asked for PNG. A model that can't choose answers as it does."""
    made = single(place)
    assert _sent(recorder)[0]["output_format"] == "png"
    assert (made.images[0].image.mode, made.images[0].image.format) == ("RGB", None)


def test_how_far_it_is_is_told(place: ReplicateBackend) -> None:
    steps: list[Step] = []
    pair(place, callbacks=Callbacks(on_progress=steps.append))
    stages = [step.stage for step in steps]
    assert stages[0] == "Asking Replicate"
    assert "Waiting for a machine on Replicate, image 1 of 2" in stages
    assert any(0 < step.done < step.total == 100 for step in steps if step.stage.startswith("Generating on Replicate"))
    assert stages[-1] == "Fetching the images"


def test_a_price_is_known_before_anything_runs(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job()
    assert place.estimate(job, comparison.weight_sweep(job)).sentence == (
        "about 8 s and $0.011 to $0.012 an image, 5 images: $0.06"
    )
    assert _sent(recorder) == []


def test_who_cancels_leaves_nothing_running_there(place: ReplicateBackend, recorder: Recorder) -> None:
    job, steps = _job(), list[Step]()

    def cancelled() -> bool:
        return any("image 2 of 5" in step.stage for step in steps)

    with pytest.raises(GenerationCancelled, match="was cancelled there"):
        place.generate(job, comparison.weight_sweep(job), Callbacks(on_progress=steps.append, is_cancelled=cancelled))
    ended = [request.path for request in recorder.requests if request.path.endswith("/cancel")]
    assert len(_sent(recorder)) == 5
    assert len(set(ended)) == 4


def test_who_cancels_before_it_began_pays_nothing(place: ReplicateBackend, recorder: Recorder) -> None:
    with pytest.raises(GenerationCancelled):
        single(place, callbacks=Callbacks(is_cancelled=lambda: True))
    assert _sent(recorder) == []


def test_a_failure_ends_what_else_was_begun(place: ReplicateBackend, hubs: HubEndpoints, recorder: Recorder) -> None:
    hubs.faults.add(Fault(kind="status", status=404, match=r"/v1/predictions/\w+$", hub="replicate", skip=8))
    job = _job()
    with pytest.raises(NotFound):
        place.generate(job, comparison.weight_sweep(job, tuple(i / 10 for i in range(12))))
    assert any(request.path.endswith("/cancel") for request in recorder.requests)


def test_the_first_picture_s_failure_costs_no_others(place: ReplicateBackend, recorder: Recorder) -> None:
    job = _job(use_trigger_words=False)
    sheet = comparison.weight_sweep(job, (0.0, 1.0), prompts=["nsfw", "a pier"])
    with pytest.raises(PreviewError, match=r"its safety checker refused the image\. Change the prompt or the seed"):
        place.generate(job, sheet)
    assert len(_sent(recorder)) == 1


def test_what_the_model_says_of_a_failure_is_told(place: ReplicateBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.generate.backends.replicate.slot", lambda *_: "https://civitai.red/models/1")
    with pytest.raises(PreviewError, match=r"could not generate it: Failed to parse URL.*replicate\.com/p/"):
        single(place, _flux("civitai:1001@2001"))


def test_without_a_key_nothing_is_asked(hubs: HubEndpoints, recorder: Recorder) -> None:
    job = _job()
    for call in (_place(hubs, None).generate, _place(hubs, None).estimate):
        with pytest.raises(KeyRequired, match="Generating on Replicate needs a key, and costs money there"):
            call(job, comparison.single(job))
    assert recorder.requests == ()


def test_a_picture_whose_bytes_break_off_is_fetched_again(place: ReplicateBackend, hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="cut", match="/xezq/", hub="delivery", after_bytes=50, times=2))
    assert len(single(place).images) == 1


@pytest.mark.parametrize(
    ("adapter", "error", "words"),
    [
        (_adapter("replicate:ada/tuned"), UsageError, "names no version"),
        (_adapter("replicate:ada/gone@" + "0" * 64), NotFound, "does not have this"),
        (_adapter(f"replicate:ada/film@{FILM}"), PreviewError, "makes videos"),
        (_adapter(f"replicate:ada/bare@{BARE}"), PreviewError, "doesn't say what ada/bare takes"),
        (_adapter(f"replicate:ada/runner@{RUNNER}"), DoesNotFit, "runs other people's LoRAs"),
        (_adapter("replicate:black-forest-labs/flux-dev-lora@" + "a" * 63 + "1"), DoesNotFit, "is none itself"),
        (_adapter("civitai:1001@2001", architecture="sdxl", base_model="pony"), DoesNotFit, "one is for pony"),
        (_flux("civitai:1001"), UsageError, "names no version"),
    ],
)
def test_what_can_t_run_there_is_told_before_it_costs(
    place: ReplicateBackend, recorder: Recorder, adapter: LoraInput, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        single(place, adapter)
    assert _sent(recorder) == []


def test_a_file_behind_a_key_is_not_fetched_from_there(hubs: HubEndpoints) -> None:
    with pytest.raises(Gated, match="try it here instead"):
        single(_place(hubs, access=lambda _: "gated"), _flux("civitai:1001@2001"))


def test_a_base_of_this_machine_means_nothing_there(place: ReplicateBackend) -> None:
    assert "On Replicate the base is ada/tuned's own, not sd-1.5." in single(place, base="sd-1.5").report.notes


def test_a_lora_without_effect_is_told(place: ReplicateBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_ui.demo.hubs.replicate_store.draw_picture", lambda *_, **__: RED.read_bytes())
    notes = pair(place).report.notes
    assert "With and without the LoRA the images are the same: it has no effect there." in notes


@pytest.mark.parametrize(("answer", "said"), [(b"<html>", "no image that can be shown"), (b"", "no image")])
def test_no_picture_is_told(place: ReplicateBackend, monkeypatch: pytest.MonkeyPatch, answer: bytes, said: str) -> None:
    monkeypatch.setattr("hub_ui.demo.hubs.replicate_store.draw_picture", lambda *_, **__: answer)
    with pytest.raises(PreviewError, match=said):
        single(place)


def _inputs(*names: str) -> Inputs:
    return {name: Input() for name in names}


def _runnable(inputs: Inputs, **fields: Any) -> Runnable:
    return Runnable(**{"inputs": inputs, "seconds": 8.0, **fields})


FLUX_INPUTS = _inputs("replicate_weights", "extra_lora")
SDXL_INPUTS = _inputs("replicate_weights", "scheduler")
OFFICIAL = "black-forest-labs/flux-dev-lora"
UNKNOWN = "Replicate doesn't say how long this takes. A second costs $0.0002 to $0.0015"


@pytest.mark.parametrize(
    ("name", "model", "steps", "images", "sentence"),
    [
        ("a/b", _runnable(FLUX_INPUTS), None, 1, "about 8 s and $0.011 to $0.012 an image"),
        ("a/b", _runnable(SDXL_INPUTS), None, 1, "about 8 s and $0.006 to $0.011 an image"),
        ("a/b", _runnable(_inputs()), None, 1, "about 8 s and $0.002 to $0.012 an image"),
        ("a/b", _runnable(FLUX_INPUTS, steps=25.0), 50, 5, "about 16 s and $0.02 an image, 5 images: $0.11 to $0.12"),
        # Official models are paid by the image.
        (OFFICIAL, _runnable(_inputs()), None, 2, "about 8 s and $0.03 to $0.04 an image, 2 images: $0.05 to $0.08"),
        ("a/b", _runnable(FLUX_INPUTS, seconds=None), 20, 1, UNKNOWN),
        ("a/b", _runnable(FLUX_INPUTS, seconds=0.0), 20, 1, UNKNOWN),
    ],
)
def test_a_price_is_a_range_over_what_the_model_may_run_on(
    name: str, model: Runnable, steps: int | None, images: int, sentence: str
) -> None:
    assert image_price(name, model, steps=steps, images=images).sentence == sentence


def test_a_training_costs_about_two_dollars() -> None:
    price = training_price(1000)
    assert (round(price.seconds or 0), round(price.low or 0, 2), round(price.high or 0, 2)) == (1150, 1.23, 2.28)


@pytest.mark.parametrize(
    ("amount", "text"), [(0.0001, "$0.001"), (0.0049, "$0.005"), (0.025, "$0.03"), (1.5, "$1.50"), (12.0, "$12.00")]
)
def test_money_is_written_to_the_cent_or_a_tenth_of_it(amount: float, text: str) -> None:
    assert format_dollars(amount) == text


def test_less_than_a_second_is_not_told() -> None:
    assert Price(seconds=0.2, low=0.001, high=0.001).sentence == "about $0.001 an image"
