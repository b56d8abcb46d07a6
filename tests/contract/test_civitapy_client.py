"""civitapy, a third-party CivitAI client, on the local hub by its base_url argument."""

import hashlib
from pathlib import Path

import pytest
from civitapy import (  # type: ignore[import-untyped]
    CivitAIAuthError,
    CivitAIClient,
    CivitAIError,
    CivitAIForbiddenError,
    CivitAINotFoundError,
)
from civitapy.models import Image  # type: ignore[import-untyped]

from tests.faulty_hubs import HubEndpoints


def connected(hubs: HubEndpoints, token: str | None = None, folder: Path = Path()) -> CivitAIClient:
    return CivitAIClient(base_url=f"{hubs.civitai}/api/v1", token=token, download_dir=str(folder), retry_count=1)


@pytest.fixture
def client(hubs: HubEndpoints) -> CivitAIClient:
    return connected(hubs)


def test_the_default_list_is_safe(client: CivitAIClient) -> None:
    assert [model["id"] for model in client.models_list(sort="Most Downloaded")["items"]] == [1004, 1003, 1001]
    assert 1002 in [model["id"] for model in client.models_list(nsfw=True)["items"]]


def test_one_type_is_a_filter_and_two_are_a_trap(client: CivitAIClient) -> None:
    assert [model["id"] for model in client.models_list(types="LoCon", nsfw=True)["items"]] == [1002]
    with pytest.raises(CivitAIError, match="HTTP 400"):
        client.models_list(types=["LORA", "LoCon"])


def test_a_model_and_its_versions_are_read(client: CivitAIClient) -> None:
    assert client.models_get(1001)["name"] == "Red Style"
    version = client.model_versions_get(2001)
    assert (version["modelId"], version["air"]) == (1001, "urn:air:sdxl:lora:civitai:1001@2001")
    assert client.model_versions_mini(2001)["fileName"] == "red.safetensors"


def test_a_hash_finds_its_version(client: CivitAIClient) -> None:
    sha256 = client.model_versions_get(2001)["files"][0]["hashes"]["SHA256"]
    found = client.model_versions_by_hash(sha256)
    assert found is not None
    assert found["id"] == 2001
    assert [each["id"] for each in client.model_versions_by_hash_bulk([sha256, "0" * 64])] == [2001]
    assert client.model_versions_by_hash("0" * 64) is None


def test_images_tags_creators_and_enums_are_listed(client: CivitAIClient) -> None:
    assert [Image(**image).id for image in client.images_list(model_id=1001)["items"]] == [4001]
    assert [tag["name"] for tag in client.tags_list()["items"]] == ["red", "style"]
    assert client.creators_list()["items"][0]["username"] == "maker"
    assert "LORA" in client.enums()["ModelType"]


def test_a_download_has_the_bytes_that_the_hash_names(hubs: HubEndpoints, tmp_path: Path) -> None:
    client = connected(hubs, "civ_other", tmp_path)
    client.download_model_version(2001, verify_hash=True)
    (path,) = tmp_path.rglob("red.safetensors")
    expected = client.model_versions_get(2001)["files"][0]["hashes"]["SHA256"]
    assert hashlib.sha256(path.read_bytes()).hexdigest().upper() == expected


def test_a_paid_file_needs_a_login_and_then_a_purchase(hubs: HubEndpoints, tmp_path: Path) -> None:
    with pytest.raises(CivitAIAuthError):
        connected(hubs, folder=tmp_path).download_model_version(2002)
    with pytest.raises(CivitAIForbiddenError, match="early-access"):
        connected(hubs, "civ_other", tmp_path).download_model_version(2002)
    connected(hubs, "civ_buyer", tmp_path).download_model_version(2002)
    assert list(tmp_path.rglob("*.safetensors"))


def test_what_is_gone_is_not_found(client: CivitAIClient) -> None:
    for model_id in (1004, 1005, 9999):
        with pytest.raises(CivitAINotFoundError):
            client.models_get(model_id)
