"""The official replicate package on the local hub, by its base_url argument and by REPLICATE_BASE_URL."""

import io
import os
import subprocess
import sys
import tarfile
import time
from typing import Any

import pytest
import requests
from replicate.client import Client
from replicate.exceptions import ReplicateError

from hub_ui.demo.hubs.server import HubEndpoints

VERSION = "a" * 64
TRAINER = "b" * 64


@pytest.fixture
def client(hubs: HubEndpoints) -> Client:
    return Client(api_token="r8_local", base_url=hubs.replicate)


def test_models_are_listed_and_searched(client: Client) -> None:
    assert {f"{model.owner}/{model.name}" for model in client.models.list()} == {"maker/tuned", "maker/trainer"}
    assert [model.name for model in client.models.search("red fine-tune")] == ["tuned"]


def test_a_model_has_its_versions(client: Client) -> None:
    model = client.models.get("maker/tuned")
    assert model.latest_version is not None
    assert model.latest_version.id == VERSION
    assert [version.id for version in model.versions.list()] == [VERSION]
    assert model.versions.get(VERSION).cog_version == "0.9.20"


def test_a_prediction_runs_and_gives_a_picture(client: Client) -> None:
    output: Any = client.run(f"maker/tuned:{VERSION}", input={"prompt": "redstyle, a house"})
    assert requests.get(output[0], timeout=5).content.startswith(b"\x89PNG")


def test_a_prediction_starts_and_then_succeeds(client: Client) -> None:
    prediction = client.predictions.create(version=VERSION, input={"prompt": "a house"})
    assert prediction.status == "starting"
    prediction.wait()
    assert client.predictions.get(prediction.id).status == "succeeded"
    assert prediction.id in {each.id for each in client.predictions.list()}


def test_a_prediction_is_canceled(client: Client) -> None:
    prediction = client.predictions.create(version=VERSION, input={})
    prediction.cancel()
    assert prediction.status == "canceled"
    time.sleep(0.3)
    assert client.predictions.get(prediction.id).status == "canceled"


def test_an_unknown_version_is_refused(client: Client) -> None:
    with pytest.raises(ReplicateError, match="version does not exist"):
        client.predictions.create(version="c" * 64, input={})


def test_a_training_ends_with_a_version_and_a_tar(client: Client) -> None:
    training = client.trainings.create(
        version=f"maker/trainer:{TRAINER}", input={"trigger_word": "redstyle"}, destination="maker/tuned"
    )
    time.sleep(0.3)
    output: Any = client.trainings.get(training.id).output
    assert output["version"].startswith("maker/tuned:")
    tar = requests.get(output["weights"], timeout=5).content
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert "output/flux_train_replicate/lora.safetensors" in opened.getnames()


def test_a_training_to_nowhere_is_refused(client: Client) -> None:
    with pytest.raises(ReplicateError, match="The specified training destination does not exist"):
        client.trainings.create(version=f"maker/trainer:{TRAINER}", input={}, destination="maker/nothing")


def test_a_recorded_training_is_listed_and_read(client: Client) -> None:
    assert client.trainings.get("train123").status == "succeeded"
    assert "train123" in {training.id for training in client.trainings.list()}


def test_account_and_hardware_are_there(client: Client) -> None:
    assert client.accounts.current().username == "local"
    assert client.hardware.list()[0].sku == "cpu"


def test_a_missing_model_and_a_missing_token_are_refused(client: Client, hubs: HubEndpoints) -> None:
    with pytest.raises(ReplicateError, match="could not be found"):
        client.models.get("maker/nothing")
    anonymous = requests.get(f"{hubs.replicate}/v1/models", timeout=5)
    assert anonymous.status_code == 401
    assert anonymous.json()["detail"] == "You did not pass a valid authentication token"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_environment_variable_alone_points_the_client_here(hubs: HubEndpoints, slash: str) -> None:
    code = "import replicate; print(replicate.models.get('maker/tuned').description)"
    environment = {**os.environ, "REPLICATE_BASE_URL": hubs.replicate + slash, "REPLICATE_API_TOKEN": "r8_local"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "A red fine-tune\n"
