"""Every recorded model is listed, found and opened under its own id, with the values it was recorded with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub import HfApi, ModelCard

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


def test_every_card_is_listed_and_loads_as_recorded(recorded: HubEndpoints, recordings: Path, tmp_path: Path) -> None:
    api = HfApi(endpoint=recorded.huggingface, token=False)
    listed = {model.id for model in api.list_models()}
    for path in sorted(recordings.glob("hf_readme_*.md")):
        name = path.stem.removeprefix("hf_readme_").replace("__", "/", 1)
        assert name in listed
        downloaded = api.hf_hub_download(name, "README.md", cache_dir=tmp_path)
        assert Path(downloaded).read_bytes() == path.read_bytes()
        assert ModelCard(path.read_text(), ignore_metadata_errors=True).data.get("license") == _license(api, name)


def _license(api: HfApi, name: str) -> Any:
    data = api.model_info(name).card_data
    return data.get("license") if data else None


def test_every_huggingface_model_has_its_recorded_files(recorded: HubEndpoints, recordings: Path) -> None:
    for model in objects(recordings, "hf_model_*.json"):
        shown = get(f"{recorded.huggingface}/api/models/{model['id']}", blobs="true")
        assert {key: shown[key] for key in model} == model


def test_every_replicate_model_is_listed_found_and_opened(recorded: HubEndpoints, recordings: Path) -> None:
    listed: dict[str, Any] = {}
    url = f"{recorded.replicate}/v1/models"
    while url:
        page = get(url)
        listed |= {f"{model['owner']}/{model['name']}": model for model in page["results"]}
        url = page["next"]
    for path in sorted(recordings.glob("replicate_model_*.json")):
        model = json.loads(path.read_text())
        name = f"{model['owner']}/{model['name']}"
        assert get(f"{recorded.replicate}/v1/models/{name}") == listed[name]
        found = requests.request("QUERY", f"{recorded.replicate}/v1/models", data=name, headers=TOKEN, timeout=30)
        assert name in {f"{each['owner']}/{each['name']}" for each in found.json()["results"]}


@pytest.mark.parametrize("kind", ["prediction", "training"])
def test_every_run_is_read_by_its_id(recorded: HubEndpoints, recordings: Path, kind: str) -> None:
    for run in objects(recordings, f"replicate_{kind}*.json"):
        if "id" in run:
            shown = get(f"{recorded.replicate}/v1/{kind}s/{run['id']}")
            assert shown["created_at"][:19] == run["created_at"][:19]
