"""Other people's CivitAI clients, unmodified. Each has its own way to be told another address than civitai.com."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import civitai_hub
import civitai_hub.client
import civitai_hub.errors
import httpx
import pycivitai  # type: ignore[import-untyped]
import pycivitai.client.resource  # type: ignore[import-untyped]
import pytest
import requests
from civitai_api.v1 import CiviClient
from civitdl.batch.batch_download import BatchOptions, batch_download  # type: ignore[import-untyped]
from pycivitai.manager import DispatchManager  # type: ignore[import-untyped]
from pydantic import ValidationError
from requests.adapters import HTTPAdapter

from tests.faulty_hubs import HubEndpoints

SITE = "https://civitai.com"
download: Any = civitai_hub.download


class LocalAdapter(HTTPAdapter):
    """Sends what is meant for civitai.com to the local hub; mounted on a client's own session."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace(SITE, self.origin, 1)
        return super().send(request, *args, **kwargs)


class LocalTransport(httpx.HTTPTransport):
    """The same for httpx."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = httpx.URL(str(request.url).replace(SITE, self.origin, 1))
        return super().handle_request(request)


def downloaded_with_civitdl(hubs: HubEndpoints, folder: Path, key: str = "civ_other") -> dict[str, Path]:
    options = BatchOptions(
        retry_count=0,
        pause_time=0.0,
        max_images=1,
        nsfw_mode="0",
        with_prompt=True,
        without_model=False,
        api_key=key,
        verbose=False,
        sorter="basic",
        limit_rate=0,
        cache_mode="0",
        strict_mode="1",
        model_overwrite=False,
        with_color=False,
    )
    options.session.mount(SITE, LocalAdapter(hubs.civitai))
    batch_download(source_strings=["1001"], rootdir=str(folder), batchOptions=options)
    return {path.name: path for path in folder.rglob("*") if path.is_file()}


def test_civitdl_names_a_file_as_it_was_uploaded(hubs: HubEndpoints, tmp_path: Path) -> None:
    files = downloaded_with_civitdl(hubs, tmp_path)
    assert files["red-mid_1001-vid_2001.safetensors"].stat().st_size == 1604
    assert "model_dict-mid_1001-vid_2001.json" in files


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
def hub_client(hubs: HubEndpoints, monkeypatch: pytest.MonkeyPatch) -> HubEndpoints:
    """civitai-hub takes only the two hosts of CivitAI."""

    class Local(civitai_hub.client.CivitaiClient):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.base_url = f"{hubs.civitai}/api/v1"

    monkeypatch.setattr(civitai_hub, "CivitaiClient", Local)
    # Its function `download` hides the module of that name.
    monkeypatch.setattr(sys.modules["civitai_hub.download"], "TRUSTED_HOSTS", ("127.0.0.1",))
    return hubs


@pytest.mark.usefixtures("hub_client")
def test_civitai_hub_downloads_and_verifies_a_file(tmp_path: Path) -> None:
    path = download("https://civitai.com/models/1001", cache_dir=tmp_path, version_id=2001)
    (name,) = (file.name for file in civitai_hub.model_info(1001, version_id=2001).files if file.primary)
    assert (Path(path).name, Path(path).stat().st_size) == (name, 1604)


@pytest.mark.usefixtures("hub_client")
def test_civitai_hub_searches_and_identifies() -> None:
    assert civitai_hub.search("red style", type="LORA")[0].id == 1001
    (file,) = (file for file in civitai_hub.model_info(1001, version_id=2001).files if file.primary)
    for value in file.hashes.values():
        assert civitai_hub.find_by_hash(value.lower()).version.id == 2001


@pytest.mark.usefixtures("hub_client")
def test_civitai_hub_is_told_what_is_missing_and_what_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(civitai_hub.errors.NotFoundError):
        civitai_hub.model_info(9999)
    with pytest.raises(civitai_hub.errors.AuthRequiredError):
        download(1001, version_id=2002, all=True, cache_dir=tmp_path)


@pytest.fixture
def typed(sample_hubs: HubEndpoints) -> Iterator[CiviClient]:
    with httpx.Client(transport=LocalTransport(sample_hubs.civitai)) as client:
        yield CiviClient(api_key="civ", httpx_client=client)


def test_civitai_api_reads_a_model_and_lists_models_pictures_and_creators(typed: CiviClient) -> None:
    model = typed.get_model_by_id(412806)
    (file,) = model.modelVersions[0].files
    assert (model.name, file.name) == ("Saltmarsh Gouache", "saltmarsh_gouache_v2.safetensors")
    assert [len(value) for value in file.hashes.model_dump().values()] == [64, 8, 64, 12, 10, 8]
    assert {len(image.hash) for image in model.modelVersions[0].images} == {36}
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
