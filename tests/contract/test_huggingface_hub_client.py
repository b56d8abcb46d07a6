"""The unmodified huggingface_hub on the local hub, by the endpoint that HF_ENDPOINT sets."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
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


def test_a_list_filters_on_several_tags_at_once(api: HfApi) -> None:
    found = api.list_models(filter=["lora", "base_model:adapter:black-forest-labs/FLUX.1-dev"])
    assert [model.id for model in found] == ["maker/history"]


def test_each_filter_narrows_a_list(api: HfApi) -> None:
    def names(**asked: Any) -> list[str]:
        return [model.id for model in api.list_models(**asked)]

    assert names(gated=True) == ["maker/closed"]
    assert "maker/closed" not in names(gated=False)
    assert names(pipeline_tag="text-to-image") == ["maker/red"]
    assert names(filter=["diffusers", "license:apache-2.0"], search="RED", author="maker") == ["maker/red"]
    assert names(trained_dataset="none") == []


def test_an_unknown_sort_is_refused(api: HfApi) -> None:
    assert [model.id for model in api.list_models(sort="last_modified", limit=1)] == ["maker/history"]
    unknown: Any = "size"
    with pytest.raises(BadRequestError, match="Invalid sort parameter: size"):
        list(api.list_models(sort=unknown))


def test_a_list_is_followed_over_its_pages(api: HfApi, hubs: HubEndpoints) -> None:
    first = HfApi(endpoint=hubs.huggingface, token=False).list_models(author="maker", limit=3)
    assert [model.id for model in first] == ["maker/big", "maker/closed", "maker/halted"]


def test_a_list_with_expand_has_the_card_and_the_files(api: HfApi) -> None:
    (red,) = api.list_models(search="red", expand=["cardData", "siblings", "sha", "baseModels"])
    assert red.card_data is not None
    assert red.card_data["instance_prompt"] == "redstyle"
    assert [each.rfilename for each in red.siblings or []] == ["README.md", "config/notes.txt", "lora.safetensors"]


def test_a_model_has_the_hash_of_its_weights(api: HfApi) -> None:
    info = api.model_info(RED, files_metadata=True)
    lfs = next(each.lfs for each in info.siblings or [] if each.rfilename == "lora.safetensors")
    assert lfs is not None
    assert (lfs.size, lfs.sha256[:12]) == (1604, "ead9cf9293dc")


def test_tags_are_computed_as_the_hub_does(api: HfApi) -> None:
    tags = api.model_info(RED).tags or []
    assert "base_model:adapter:stabilityai/stable-diffusion-xl-base-1.0" in tags
    assert "license:apache-2.0" in tags


def test_files_and_folders_are_listed(api: HfApi) -> None:
    assert api.list_repo_files(RED) == ["README.md", "config/notes.txt", "lora.safetensors"]
    assert sorted(entry.path for entry in api.list_repo_tree(RED)) == ["README.md", "config", "lora.safetensors"]
    paths = api.get_paths_info(RED, ["config/notes.txt", "missing.txt"], expand=True)
    assert [entry.path for entry in paths] == ["config/notes.txt"]


def test_commits_and_refs_are_listed(api: HfApi) -> None:
    assert [commit.title for commit in api.list_repo_commits("maker/history")] == ["Train longer", "First upload"]
    assert [tag.name for tag in api.list_repo_refs("maker/history").tags] == ["v1.0"]


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


def test_a_snapshot_holds_every_file(hubs: HubEndpoints, tmp_path: Path) -> None:
    folder = snapshot_download(RED, endpoint=hubs.huggingface, token=False, cache_dir=tmp_path)
    assert (Path(folder) / "config" / "notes.txt").read_text() == "trained on red things\n"


def test_a_header_is_read_without_the_file(api: HfApi) -> None:
    metadata = api.parse_safetensors_file_metadata("maker/big", "big.safetensors")
    assert metadata.tensors["transformer.big.lora_A.weight"].shape == [1024, 65536]


def test_files_that_exist_and_those_that_do_not(api: HfApi) -> None:
    assert api.file_exists(RED, "lora.safetensors")
    assert not api.file_exists(RED, "other.safetensors")
    assert not api.repo_exists("maker/nothing")


def test_missing_things_raise_their_own_errors(api: HfApi, hubs: HubEndpoints, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("maker/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(RED, revision="f" * 40)
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(RED, "no.bin", endpoint=hubs.huggingface, token=False, cache_dir=tmp_path)


def test_a_gated_repository_opens_only_with_a_grant(api: HfApi, hubs: HubEndpoints, tmp_path: Path) -> None:
    for token in (False, "hf_stranger"):
        with pytest.raises(GatedRepoError):
            api.auth_check("maker/closed", token=token)
    api.auth_check("maker/closed", token="hf_member")
    assert download(hubs, tmp_path, "maker/closed", token="hf_member").is_file()
    assert api.model_info("maker/closed").gated == "manual"


def test_a_disabled_repository_says_so(api: HfApi) -> None:
    with pytest.raises(DisabledRepoError):
        api.auth_check("maker/halted")


def test_a_token_is_who_it_says_or_refused(api: HfApi) -> None:
    assert api.whoami(token="hf_member")["name"] == "local"
    with pytest.raises(HfHubHTTPError, match="Invalid"):
        api.whoami(token="hf_wrong")


def test_a_card_is_loaded_by_the_environment_variable_alone(hubs: HubEndpoints, tmp_path: Path) -> None:
    code = "from huggingface_hub import ModelCard; print(ModelCard.load('maker/red').data.instance_prompt)"
    environment = {**os.environ, **hubs.as_env(), "HF_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "redstyle\n"


def test_a_repository_is_read_as_a_file_system(hubs: HubEndpoints) -> None:
    files = HfFileSystem(endpoint=hubs.huggingface, token=False, skip_instance_cache=True)
    assert files.glob(f"{RED}/**/*.txt") == [f"{RED}/config/notes.txt"]
    assert files.cat(f"{RED}/config/notes.txt") == b"trained on red things\n"
    with files.open(f"{RED}/lora.safetensors", "rb", block_size=100) as opened:
        opened.seek(8)
        assert opened.read(1) == b"{"


def run_hf(hubs: HubEndpoints, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hubs.as_env(), "HF_HOME": str(folder), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("HF_TOKEN", None)
    program = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    return subprocess.run([*program, *arguments], env=environment, capture_output=True, text=True, timeout=120)


def test_the_hf_program_downloads_and_lists(hubs: HubEndpoints, tmp_path: Path) -> None:
    downloaded = run_hf(hubs, tmp_path, "download", RED, "lora.safetensors", "--local-dir", str(tmp_path / "red"))
    assert downloaded.returncode == 0, downloaded.stderr
    assert (tmp_path / "red" / "lora.safetensors").stat().st_size == 1604
    listed = run_hf(hubs, tmp_path, "models", "ls", "--author", "maker", "--gated", "--format", "json")
    assert '"maker/closed"' in listed.stdout, listed.stderr


def test_the_hf_program_says_what_is_missing(hubs: HubEndpoints, tmp_path: Path) -> None:
    missing = run_hf(hubs, tmp_path, "download", "maker/nothing")
    assert missing.returncode != 0
    assert "maker/nothing" in missing.stderr
