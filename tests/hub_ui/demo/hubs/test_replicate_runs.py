import io
import json
import struct
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from connectors.replicate.runs import TRAINER_VERSION
from hub_ui.demo.hubs.folder import Json
from hub_ui.demo.hubs.replicate_store import TRAINER, Runs, Work, bars
from tests.connectors.cases import read_cases
from tests.faulty_hubs import HubEndpoints, running_hubs

READ = read_cases(__file__)

RECORDED: Json = {"id": "old", "status": "processing", "created_at": "2024-01-01T00:00:00Z"}


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def runs(clock: list[float]) -> Runs:
    return Runs(kind="predictions", origin="http://r", over={"old": RECORDED}, now=lambda: clock[0])


def create(runs: Runs, *, finished: bool = False, **fields: Any) -> Json:
    work = Work(**{"output": lambda run: [run], **fields})
    return runs.create(model="o/n", version="v", inputs={"prompt": "x"}, work=work, finished=finished)


def test_a_run_starts_and_succeeds_a_moment_later(runs: Runs, clock: list[float]) -> None:
    made = create(runs)
    assert (made["status"], made["output"]) == ("starting", None)
    clock[0] += 1
    assert runs.get(made["id"]) == {**made, "status": "succeeded", "output": [made["id"]], **times(runs, made)}


def times(runs: Runs, made: Json) -> Json:
    shown = runs.get(made["id"]) or {}
    return {key: shown[key] for key in ("started_at", "completed_at", "metrics")}


def test_a_run_is_canceled_unless_it_has_ended(runs: Runs) -> None:
    assert (runs.cancel(create(runs, finished=True)["id"]) or {})["status"] == "succeeded"
    made = create(runs)["id"]
    assert (runs.cancel(made), (runs.get(made) or {})["status"]) == (runs.get(made), "canceled")
    assert (runs.cancel("old") or {})["status"] == "canceled"
    assert runs.cancel("nothing") is None


def test_a_run_works_for_a_while_and_its_logs_grow(runs: Runs, clock: list[float]) -> None:
    made = create(runs, logs=["one", "two", "three", "four"])
    shown = []
    for _ in range(5):
        clock[0] += 0.051
        run = runs.get(made["id"]) or {}
        shown.append((run["status"], run["logs"].split()))
    assert shown[0] == ("processing", ["one"])
    assert shown[1] == ("processing", ["one", "two"])
    assert shown[-1] == ("succeeded", ["one", "two", "three", "four"])


def test_a_run_that_fails_says_why_and_made_nothing(runs: Runs, clock: list[float]) -> None:
    made = create(runs, error="out of memory", output=lambda _: pytest.fail("asked for an output"))
    clock[0] += 1
    run = runs.get(made["id"]) or {}
    assert (run["status"], run["error"], run["output"]) == ("failed", "out of memory", None)


def test_an_output_is_made_once_and_without_being_asked_about(runs: Runs, clock: list[float]) -> None:
    asked: list[str] = []
    made = create(runs, output=asked.append)
    runs.settle()
    assert asked == []
    clock[0] += 1
    runs.settle()
    runs.get(made["id"])
    assert asked == [made["id"]]


def test_a_bar_is_drawn_as_tqdm_does() -> None:
    assert bars(4) == [
        "  0%|          | 0/4 [00:01<00:01]",
        " 25%|██        | 1/4 [00:01<00:01]",
        " 50%|█████     | 2/4 [00:01<00:01]",
        " 75%|███████   | 3/4 [00:01<00:01]",
        "100%|██████████| 4/4 [00:01<00:01]",
    ]
    assert len(bars(1_000, name="train: ")) == 51


TOKEN = {"Authorization": "Bearer r8_local"}


def call(hubs: HubEndpoints, method: str, path: str, **arguments: Any) -> requests.Response:
    headers = {**TOKEN, **arguments.pop("headers", {})}
    return requests.request(method, f"{hubs.replicate}/v1/{path}", headers=headers, timeout=30, **arguments)


def test_an_upload_without_a_form_and_a_file_is_refused(hubs: HubEndpoints) -> None:
    assert call(hubs, "POST", "files", json={"content": "x"}).status_code == 400
    assert call(hubs, "POST", "files", data={"content": "x"}).status_code == 400


RUNNER = "models/black-forest-labs/flux-dev-lora/predictions"
LORA = "https://civitai.com/api/download/models/2001"


@pytest.fixture
def own(data: Path) -> Iterator[HubEndpoints]:
    """Hubs of this test's own: a training changes what others find."""
    with running_hubs(data, run_seconds=0.02) as hubs:
        yield hubs


def drawn(hubs: HubEndpoints, path: str = RUNNER, **inputs: Any) -> dict[str, Any]:
    pinned = {"version": inputs.pop("version")} if "version" in inputs else {}
    body = {**pinned, "input": {"prompt": "a pier", "lora_weights": LORA, **inputs}}
    answer = call(hubs, "POST", path, json=body, headers={"Prefer": "wait"})
    assert answer.status_code == 201
    data: dict[str, Any] = answer.json()
    return data


def pixels(run: dict[str, Any]) -> bytes:
    return Image.open(io.BytesIO(requests.get(run["output"][0], timeout=30).content)).convert("RGB").tobytes()


def test_a_picture_shows_how_strong_the_lora_was(hubs: HubEndpoints) -> None:
    common: dict[str, Any] = {"seed": 7, "output_format": "png"}
    none, some, more = (pixels(drawn(hubs, lora_scale=scale, **common)) for scale in (0, 0.5, 1.0))
    assert none == pixels(drawn(hubs, lora_scale=0, lora_weights="maker/other", **common))
    assert len({none, some, more}) == 3


def test_pictures_come_in_the_model_s_own_format_unless_asked(hubs: HubEndpoints) -> None:
    assert drawn(hubs)["output"][0].endswith("/out-0.webp")
    assert drawn(hubs, output_format="jpg", num_outputs=2)["output"][1].endswith("/out-1.jpg")


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"lora_weights": "https://civitai.red/models/1"}, "Failed to parse URL"),
        ({"prompt": "something nsfw"}, "NSFW content detected"),
    ],
)
def test_a_run_may_fail_though_its_input_was_right(hubs: HubEndpoints, inputs: dict[str, Any], error: str) -> None:
    run = drawn(hubs, **inputs)
    assert (run["status"], run["output"]) == ("failed", None)
    assert run["error"].startswith(error)


def test_an_input_that_breaks_the_schema_is_refused(hubs: HubEndpoints) -> None:
    answer = call(hubs, "POST", RUNNER, json={"input": {"lora_scale": 9}})
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "- input: prompt is required\n- input.lora_scale: Must be less than or equal to 3\n"
    )


@pytest.mark.parametrize(
    "name", ["num_outputs", "seed", "num_inference_steps", "prompt", "lora_scale", "output_format"]
)
@pytest.mark.parametrize(
    "value", ["many", -1, 2.5, 10**12, None, True, ["a"], {"a": 1}, "", "\ud800", float("nan"), 1e999]
)
def test_no_input_of_a_run_breaks_what_comes_after_it(hubs: HubEndpoints, name: str, value: Any) -> None:
    """Not on a fine-tune that knows the input, nor on one that doesn't."""
    for path, pinned in ((RUNNER, {}), ("predictions", {"version": "a" * 64})):
        body = json.dumps({**pinned, "input": {"prompt": "a pier", name: value}})
        headers = {"Prefer": "wait", "Content-Type": "application/json"}
        assert call(hubs, "POST", path, data=body, headers=headers).status_code in (201, 400, 422)
    listed = call(hubs, "GET", "predictions")
    assert listed.status_code == 200
    assert {run["status"] for run in listed.json()["results"]} <= {"starting", "processing", "succeeded", "failed"}


def trained(hubs: HubEndpoints, destination: str, **inputs: Any) -> dict[str, Any]:
    body = {"destination": destination, "input": {"input_images": "https://x.invalid/a.zip", **inputs}}
    started = call(hubs, "POST", f"models/{TRAINER}/versions/{TRAINER_VERSION}/trainings", json=body)
    assert started.status_code == 201
    time.sleep(0.05)
    data: dict[str, Any] = call(hubs, "GET", f"trainings/{started.json()['id']}").json()
    return data


def test_a_training_makes_a_version_that_runs_and_can_be_downloaded(own: HubEndpoints) -> None:
    output = trained(own, "maker/tuned", lora_rank=4, steps=30)["output"]
    name, _, version = output["version"].partition(":")
    assert call(own, "GET", f"models/{name}").json()["latest_version"]["id"] == version
    assert call(own, "GET", f"models/{name}/versions").json()["results"][0]["id"] == version
    assert drawn(own, "predictions", version=version)["version"] == version
    tar = requests.get(f"{own.replicate}/{name}/versions/{version}/_weights", timeout=30).content
    assert tar == requests.get(output["weights"], timeout=30).content
    assert rank_in(tar) == 4


def rank_in(tar: bytes) -> int:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        member = opened.extractfile("output/flux_train_replicate/lora.safetensors")
        assert member is not None
        raw = member.read()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    return int(next(entry["shape"][0] for name, entry in header.items() if name.endswith("lora_A.weight")))


@pytest.mark.parametrize("inputs", [{"lora_rank": 129}, {"steps": 2}, {"autocaption": "yes"}])
def test_a_training_s_input_is_checked_too(own: HubEndpoints, inputs: dict[str, Any]) -> None:
    body = {"destination": "maker/tuned", "input": {"input_images": "https://x.invalid/a.zip", **inputs}}
    answer = call(own, "POST", f"models/{TRAINER}/versions/{TRAINER_VERSION}/trainings", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "Input validation failed")


@pytest.mark.parametrize(("model", "status"), READ["a model is made for oneself and once"])
def test_a_model_is_made_for_oneself_and_once(own: HubEndpoints, model: dict[str, str], status: int) -> None:
    answer = call(own, "POST", "models", json={"visibility": "private", "hardware": "gpu-t4", **model})
    assert answer.status_code == status
    if status == 201:
        assert call(own, "GET", "models/local/new").json() == answer.json()
        assert call(own, "GET", "models").status_code == 200
