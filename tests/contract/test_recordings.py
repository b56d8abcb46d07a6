"""Every recorded model is listed, found and opened under its own id, with the values it was recorded with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faulty_hubs import HubEndpoints, running_hubs

TOKEN = {"Authorization": "Bearer r8_local"}


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> Iterator[HubEndpoints]:
    with running_hubs(recordings) as endpoints:
        yield endpoints


def get(url: str, **params: Any) -> Any:
    answer = requests.get(url, params=params, headers=TOKEN, timeout=30)
    assert answer.status_code == 200, f"{url}: {answer.text[:200]}"
    return answer.json()


def objects(recordings: Path, pattern: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(recordings.glob(pattern))]
    assert found
    return found


def test_every_civitai_model_is_listed_and_opens_as_recorded(recorded: HubEndpoints, recordings: Path) -> None:
    listed = {model["id"] for model in get(f"{recorded.civitai}/api/v1/models", nsfw="true")["items"]}
    for model in objects(recordings, "civitai_model_*.json"):
        assert model["id"] in listed
        assert get(f"{recorded.civitai}/api/v1/models/{model['id']}") == model


def test_every_huggingface_model_has_its_recorded_files(recorded: HubEndpoints, recordings: Path) -> None:
    for model in objects(recordings, "hf_model_*.json"):
        shown = get(f"{recorded.huggingface}/api/models/{model['id']}", blobs="true")
        assert {key: shown[key] for key in model} == model


@pytest.mark.parametrize("kind", ["prediction", "training"])
def test_every_run_is_read_by_its_id(recorded: HubEndpoints, recordings: Path, kind: str) -> None:
    for run in objects(recordings, f"replicate_{kind}*.json"):
        if "id" in run:
            shown = get(f"{recorded.replicate}/v1/{kind}s/{run['id']}")
            assert shown["created_at"][:19] == run["created_at"][:19]
