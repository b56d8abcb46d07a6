import json
from pathlib import Path
from typing import get_args

import pytest
from huggingface_hub.hf_api import ModelSort_T
from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.huggingface_store import (
    SORTS,
    Commit,
    HuggingFaceStore,
    Repo,
    hub_tags,
    load_huggingface,
    matches,
    sort_key,
)
from tests.connectors.cases import read_cases
from tests.hub_ui.demo.hubs.conftest import folder

READ = read_cases(__file__)

LFS = {"sha256": "ab" * 32, "size": 10, "pointerSize": 100}
INFO = {
    "id": "o/n",
    "sha": "c" * 40,
    "likes": 3,
    "siblings": [{"rfilename": "x.safetensors", "blobId": "d" * 40, "lfs": LFS}],
}


def load(path: Path) -> HuggingFaceStore:
    return load_huggingface(folder(path))


def test_a_recorded_model_keeps_its_commit_and_its_files_without_bytes(tmp_path: Path) -> None:
    (tmp_path / "hf_model_o.json").write_text(json.dumps(INFO))
    repo = load(tmp_path).repos["o/n"]
    file = repo.commits[0].files["x.safetensors"]
    assert (repo.commits[0].sha, repo.info["likes"]) == ("c" * 40, 3)
    assert (file.oid, file.sha256, file.content) == ("d" * 40, "ab" * 32, None)


def test_revisions_are_found_by_hash_by_its_beginning_and_by_name(tmp_path: Path) -> None:
    commits = [{"sha": sha * 40, "date": "2026-01-01T00:00:00.000Z", "files": {}} for sha in "21"]
    history = {"commits": commits, "refs": {"v1": "1" * 40}}
    (tmp_path / "hf_commits_o__n.json").write_text(json.dumps(history))
    repo = load(tmp_path).repos["o/n"]
    found = [repo.commit(name) for name in ("main", "HEAD", "v1", "1" * 40, "1111111", "111", "v2")]
    assert [commit and commit.sha[0] for commit in found] == ["2", "2", "1", "1", "1", None, None]


LORA = {"tags": ["lora"], "base_model": ["a/one", "b/two"], "license": "mit", "library_name": "diffusers"}


def test_a_lora_card_gets_adapter_tags_for_each_base_model() -> None:
    assert hub_tags(LORA, ["x.safetensors"]) == [
        "diffusers", "safetensors", "lora", "base_model:a/one", "base_model:b/two", "base_model:adapter:a/one",
        "base_model:adapter:b/two", "license:mit", "region:us",
    ]  # fmt: skip


COMMIT = Commit(sha="1" * 40, date="2026-01-01T00:00:00.000Z", title="x", files={})


def repo(name: str, **info: object) -> Repo:
    return Repo(id=name, info={"tags": ["lora", "License:MIT"], **info}, commits=(COMMIT,))


@pytest.mark.parametrize(("query", "expected"), READ["a query means a repository or not"])
def test_a_query_means_a_repository_or_not(query: str, expected: bool) -> None:
    assert matches(repo("Owner/name"), QueryParams(query)) is expected


@pytest.mark.parametrize(("sort", "expected"), [("likes", ["o/b", "o/a"]), ("lastModified", ["o/a", "o/b"])])
def test_lists_run_from_the_highest(sort: str, expected: list[str]) -> None:
    a = repo("o/a", likes=1, lastModified="2026-02-01T00:00:00.000Z")
    b = repo("o/b", likes=2, lastModified="2026-01-01T00:00:00.000Z")
    assert [each.id for each in sorted((a, b), key=sort_key(QueryParams({"sort": sort})))] == expected


def test_sorts_are_those_that_the_client_names() -> None:
    from_client = {"created_at": "createdAt", "last_modified": "lastModified", "trending_score": "trendingScore"}
    assert {from_client.get(name, name) for name in get_args(ModelSort_T)} == set(SORTS)
