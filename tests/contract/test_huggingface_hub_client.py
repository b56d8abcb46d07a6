"""The unmodified huggingface_hub on the local hub, by the endpoint that HF_ENDPOINT sets."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import GatedRepoError
from huggingface_hub.hf_api import RepoFile

from tests.faulty_hubs import HubEndpoints

RED = "maker/red"


@pytest.fixture
def api(hubs: HubEndpoints) -> HfApi:
    return HfApi(endpoint=hubs.huggingface, token=False)


def download(hubs: HubEndpoints, folder: Path, name: str, *, revision: str = "main", token: str | bool = False) -> Path:
    path = hf_hub_download(
        name, "lora.safetensors", revision=revision, endpoint=hubs.huggingface, token=token, cache_dir=folder
    )
    return Path(path)


def test_a_list_is_followed_over_its_pages_and_a_header_read_without_the_file(api: HfApi, hubs: HubEndpoints) -> None:
    first = HfApi(endpoint=hubs.huggingface, token=False).list_models(author="maker", limit=3)
    assert [model.id for model in first] == ["maker/big", "maker/closed", "maker/halted"]
    metadata = api.parse_safetensors_file_metadata("maker/big", "big.safetensors")
    assert metadata.tensors["transformer.big.lora_A.weight"].shape == [1024, 65536]


@pytest.mark.parametrize("revision", ["1" * 40, "v1.0"])
def test_an_older_revision_is_downloaded_by_hash_and_by_name(hubs: HubEndpoints, tmp_path: Path, revision: str) -> None:
    old = download(hubs, tmp_path, "maker/history", revision=revision)
    new = download(hubs, tmp_path, "maker/history")
    assert old.parent.name == "1" * 40
    assert old.read_bytes() != new.read_bytes()


def test_a_downloaded_file_has_the_sha256_that_the_hub_told(api: HfApi, hubs: HubEndpoints, tmp_path: Path) -> None:
    path = download(hubs, tmp_path, RED)
    (entry,) = api.get_paths_info(RED, ["lora.safetensors"])
    assert isinstance(entry, RepoFile)
    assert entry.lfs is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.lfs.sha256


def test_a_gated_repository_opens_only_with_a_grant(api: HfApi, hubs: HubEndpoints, tmp_path: Path) -> None:
    for token in (False, "hf_stranger"):
        with pytest.raises(GatedRepoError):
            api.auth_check("maker/closed", token=token)
    api.auth_check("maker/closed", token="hf_member")
    assert download(hubs, tmp_path, "maker/closed", token="hf_member").is_file()
    assert api.model_info("maker/closed").gated == "manual"


def test_a_repository_is_read_as_a_file_system(hubs: HubEndpoints) -> None:
    files = HfFileSystem(endpoint=hubs.huggingface, token=False, skip_instance_cache=True)
    assert files.glob(f"{RED}/**/*.txt") == [f"{RED}/config/notes.txt"]
    assert files.cat(f"{RED}/config/notes.txt") == b"trained on red things\n"
    with files.open(f"{RED}/lora.safetensors", "rb", block_size=100) as opened:
        opened.seek(8)
        assert opened.read(1) == b"{"
