"""Other people's CivitAI clients, unmodified: one that types every field, and one that finds and downloads files."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pycivitai  # type: ignore[import-untyped]
import pycivitai.client.resource  # type: ignore[import-untyped]
import pytest
from civitai_api.v1 import CiviClient
from pycivitai.manager import DispatchManager  # type: ignore[import-untyped]
from pydantic import ValidationError

from hub_ui.demo.hubs.folder import SAMPLES
from tests.faulty_hubs import HubEndpoints, running_hubs

SITE = "https://civitai.com"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubEndpoints]:
    """What `hub-ui demo` serves."""
    data = tmp_path_factory.mktemp("samples")
    copytree(SAMPLES, data, dirs_exist_ok=True)
    with running_hubs(data) as endpoints:
        yield endpoints


class LocalTransport(httpx.HTTPTransport):
    """Sends what is meant for civitai.com to the local hub."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = httpx.URL(str(request.url).replace(SITE, self.origin, 1))
        return super().handle_request(request)


def test_pycivitai_finds_a_file_by_name_and_by_hash(hubs: HubEndpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pycivitai.client.resource, "ENDPOINT", hubs.civitai)
    by_name = pycivitai.civitai_find_online("Red Style")
    assert (by_name.model_id, by_name.version_id, by_name.filename) == (1001, 2001, "red.safetensors")
    assert (by_name.size, len(by_name.crc32)) == (1604, 8)
    for kind in ("AutoV2", "SHA256", "CRC32", "BLAKE3", "AutoV3"):
        assert pycivitai.civitai_find_online(by_name.hashes[kind]).filename == "red.safetensors"


def test_pycivitai_downloads_what_it_found(hubs: HubEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pycivitai.client.resource, "ENDPOINT", hubs.civitai)
    manager = DispatchManager(str(tmp_path))
    found = manager.get_file(1001)
    sha256 = pycivitai.civitai_find_online(1001).sha256
    assert hashlib.sha256(Path(found).read_bytes()).hexdigest().upper() == sha256


@pytest.fixture
def typed(demo: HubEndpoints) -> Iterator[CiviClient]:
    with httpx.Client(transport=LocalTransport(demo.civitai)) as client:
        yield CiviClient(api_key="civ", httpx_client=client)


def test_civitai_api_reads_a_model_with_all_that_it_demands(typed: CiviClient) -> None:
    model = typed.get_model_by_id(412806)
    (file,) = model.modelVersions[0].files
    assert (model.name, file.name) == ("Saltmarsh Gouache", "saltmarsh_gouache_v2.safetensors")
    assert [len(value) for value in file.hashes.model_dump().values()] == [64, 8, 64, 12, 10, 8]
    assert {len(image.hash) for image in model.modelVersions[0].images} == {36}


def test_civitai_api_lists_models_pictures_and_creators(typed: CiviClient) -> None:
    assert [model.id for model in typed.models(query="gouache", limit=5).items] == [412806]
    images = typed.images(modelId=412806).items
    assert images
    assert {len(image.hash) for image in images} == {36}
    assert "fennmarrow" in {creator.username for creator in typed.creators(limit=0).items}


def test_civitai_api_misses_in_a_list_only_what_civitai_leaves_out_too(typed: CiviClient) -> None:
    """The client demands all hashes of every file. CivitAI's scanner makes AutoV1 of files from 2 MiB on."""
    with pytest.raises(ValidationError) as refused:
        typed.models(limit=50)
    models = typed.httpx_client.get(f"{SITE}/api/v1/models", params={"limit": 50}).json()["items"]
    places: Any = [error["loc"] for error in refused.value.errors() if "hashes" in error["loc"]]
    files = [(at[-1], models[at[1]]["modelVersions"][at[3]]["files"][at[5]]) for at in places]
    weights = [(name, file["sizeKB"]) for name, file in files if file["name"].endswith(".safetensors")]
    assert {name for name, _ in weights} == {"AutoV1"}
    assert max(size for _, size in weights) < 2048
