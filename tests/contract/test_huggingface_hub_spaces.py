"""Spaces: the unmodified huggingface_hub makes them, pushes to them and sets them up on the local hub."""

import io
from itertools import count
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, snapshot_download
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from tests.faulty_hubs import HubEndpoints

_NUMBERS = count()
CARD = b"---\ntitle: Demo\nsdk: gradio\nshort_description: A demo\n---\n"
# Larger than what the hub keeps in git.
WEIGHTS = b"\0weights" * 100_000


@pytest.fixture
def api(hubs: HubEndpoints) -> HfApi:
    return HfApi(endpoint=hubs.huggingface, token="hf_member")


@pytest.fixture
def space(api: HfApi) -> str:
    name = f"local/space-{next(_NUMBERS)}"
    api.create_repo(name, repo_type="space", space_sdk="gradio")
    return name


def push(api: HfApi, space: str, **files: bytes) -> str:
    # A file object is uploaded by LFS also where hf_xet is installed.
    names = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
    changes = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=io.BytesIO(data)) for name, data in names.items()]
    return str(api.create_commit(space, changes, commit_message="Push", repo_type="space").oid)


def test_a_new_space_has_the_hubs_own_files_and_no_app(api: HfApi, hubs: HubEndpoints) -> None:
    url = api.create_repo("first", repo_type="space", space_sdk="gradio", space_hardware="t4-small")  # type: ignore[arg-type]
    assert url == f"{hubs.huggingface}/spaces/local/first"
    assert api.list_repo_files("local/first", repo_type="space") == [".gitattributes", "README.md"]
    info = api.space_info("local/first")
    assert (info.sdk, info.private, info.subdomain) == ("gradio", False, "local-first")
    runtime = api.get_space_runtime("local/first")
    assert (runtime.stage, runtime.hardware, runtime.requested_hardware) == ("NO_APP_FILE", None, "t4-small")


def test_pushed_files_come_back_as_they_were(api: HfApi, hubs: HubEndpoints, space: str, tmp_path: Path) -> None:
    commit = push(api, space, README_md=CARD, app_py=b"print(1)\n", data__base_safetensors=WEIGHTS)
    folder = Path(snapshot_download(space, repo_type="space", endpoint=hubs.huggingface, cache_dir=tmp_path))
    assert folder.name == commit
    assert (folder / "app.py").read_bytes() == b"print(1)\n"
    assert (folder / "data" / "base.safetensors").read_bytes() == WEIGHTS
    assert api.get_space_runtime(space).stage == "RUNNING"


def test_an_upload_of_what_is_there_makes_no_commit_and_a_space_that_is_not_there_is_not_found(
    api: HfApi, space: str
) -> None:
    first = push(api, space, README_md=CARD, a_safetensors=WEIGHTS)
    assert push(api, space, README_md=CARD, a_safetensors=WEIGHTS) == first
    assert len(api.list_repo_commits(space, repo_type="space")) == 2
    with pytest.raises(RepositoryNotFoundError):
        api.get_space_runtime("local/nothing")
    with pytest.raises((RepositoryNotFoundError, BadRequestError)):
        push(api, "local/nothing", a_txt=b"")


def test_a_commit_on_an_older_one_is_refused(api: HfApi, space: str) -> None:
    old = api.space_info(space).sha
    push(api, space, a_txt=b"a")
    change = [CommitOperationAdd("a.txt", b"b")]
    with pytest.raises(HfHubHTTPError, match="A commit has happened since"):
        api.create_commit(space, change, commit_message="Late", repo_type="space", parent_commit=old)


def test_only_a_key_changes_what_is_its_accounts(api: HfApi, space: str) -> None:
    with pytest.raises(HfHubHTTPError, match="You don't have the rights to create a space under this namespace"):
        api.create_repo("other/space", repo_type="space", space_sdk="gradio")
    with pytest.raises(RepositoryNotFoundError):
        api.add_space_variable(space, "A", "1", token=False)
