"""The official replicate package on the local hub, by its base_url argument."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from replicate.client import Client
from replicate.exceptions import ReplicateError

from tests.faulty_hubs import HubEndpoints, running_hubs

VERSION = "a" * 64
FLUX_TRAINER = "ostris/flux-dev-lora-trainer"
FLUX_TRAINER_VERSION = "e440909d3512c31646ee2e0c7d6f6f4923224863a6a10c494606e79fb5844497"


@pytest.fixture
def client(hubs: HubEndpoints) -> Client:
    return Client(api_token="r8_local", base_url=hubs.replicate)


def test_models_are_listed_and_searched_and_each_has_its_versions(client: Client) -> None:
    assert {f"{model.owner}/{model.name}" for model in client.models.list()} == {"maker/tuned", "maker/trainer"}
    assert [model.name for model in client.models.search("red fine-tune")] == ["tuned"]
    model = client.models.get("maker/tuned")
    assert model.latest_version is not None
    assert model.latest_version.id == VERSION
    assert [version.id for version in model.versions.list()] == [VERSION]
    assert model.versions.get(VERSION).cog_version == "0.9.20"


def test_a_prediction_runs_tells_how_far_it_is_and_gives_a_picture(client: Client) -> None:
    output: Any = client.run(f"maker/tuned:{VERSION}", input={"prompt": "redstyle, a house"})
    assert requests.get(output[0], timeout=30).content.startswith(b"\x89PNG")
    prediction = client.predictions.create(version=VERSION, input={"prompt": "a house", "num_inference_steps": 20})
    prediction.wait()
    assert prediction.progress is not None
    assert (prediction.progress.current, prediction.progress.total) == (20, 20)


def test_pictures_become_a_model_that_runs(tmp_path: Path) -> None:
    """The way of Replicate's own guide: make a model, upload a zip, train, run what came of it."""
    # Hubs of its own: what is trained stays on them.
    with running_hubs(Path(__file__).parent / "data") as own:
        client = Client(api_token="r8_local", base_url=own.replicate)
        model = client.models.create("local", "redstyle", visibility="private", hardware="gpu-t4")
        with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as zipped:
            zipped.writestr("0.png", b"a picture")
        uploaded = client.files.create(tmp_path / "pictures.zip")
        assert [file.id for file in client.files.list()] == [uploaded.id]
        training = client.trainings.create(
            version=f"{FLUX_TRAINER}:{FLUX_TRAINER_VERSION}",
            input={"input_images": uploaded.urls["get"], "trigger_word": "RDSTL", "steps": 20, "lora_rank": 4},
            destination=f"{model.owner}/{model.name}",
        )
        time.sleep(0.3)
        done = client.trainings.get(training.id)
        made: Any = done.output
        assert "100%|██████████| 20/20" in (done.logs or "")
        assert client.models.get("local/redstyle").latest_version is not None
        output: Any = client.run(made["version"], input={"prompt": "RDSTL, a house", "output_format": "png"})
        assert requests.get(output[0], timeout=30).content.startswith(b"\x89PNG")


def test_files_are_listed_read_and_deleted(client: Client) -> None:
    first, second = (client.files.create(io.BytesIO(text), filename=f"{text[:1]!r}.txt") for text in (b"a", b"bc"))
    assert [(file.id, file.size) for file in client.files.list()] == [(second.id, 2), (first.id, 1)]
    assert client.files.get(first.id).checksums == first.checksums
    assert [client.files.delete(file.id) for file in (first, second)] == [True, True]
    assert client.files.list() == []
    with pytest.raises(ReplicateError, match="could not be found"):
        client.files.get(first.id)


def test_collections_are_listed_and_hold_their_models(client: Client) -> None:
    assert [(each.slug, each.models) for each in client.collections.list()] == [("red-fine-tunes", None)]
    collection = client.collections.get("red-fine-tunes")
    assert [(model.name, model.latest_version.id) for model in collection if model.latest_version] == [
        ("tuned", VERSION)
    ]
