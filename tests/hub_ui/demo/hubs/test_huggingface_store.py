import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from huggingface_hub.hf_api import ModelSort_T
from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.folder import DataFolder, Origins
from hub_ui.demo.hubs.huggingface_store import (
    SORTS,
    Commit,
    HuggingFaceStore,
    Repo,
    base_models,
    hub_tags,
    load_huggingface,
    matches,
    sort_key,
)

ORIGINS = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")
LFS = {"sha256": "ab" * 32, "size": 10, "pointerSize": 100}
INFO = {
    "id": "o/n",
    "sha": "c" * 40,
    "likes": 3,
    "siblings": [{"rfilename": "x.safetensors", "blobId": "d" * 40, "lfs": LFS}],
}


def load(path: Path) -> HuggingFaceStore:
    return load_huggingface(DataFolder(path=path, origins=ORIGINS))


def test_a_card_alone_is_a_model_with_that_card_and_no_files(tmp_path: Path) -> None:
    (tmp_path / "hf_readme_o__a__b.md").write_text("---\ntags: [lora]\n---\nhello")
    repo = load(tmp_path).repos["o/a__b"]
    assert list(repo.commits[0].files) == ["README.md"]
    assert repo.info["tags"] == ["lora", "region:us"]


def test_the_commit_of_a_card_is_the_same_whatever_the_ports_are(tmp_path: Path) -> None:
    (tmp_path / "hf_readme_o__n.md").write_text("![]({HF_ENDPOINT}/x.png)")
    elsewhere = DataFolder(path=tmp_path, origins=replace(ORIGINS, huggingface="http://other"))
    stores = load(tmp_path), load_huggingface(elsewhere)
    assert {store.repos["o/n"].commits[0].sha for store in stores} == {"d080ee719367ed6ef27df933bfa5c522fecb7438"}


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


def test_access_is_the_repository_s_or_that_of_a_file(tmp_path: Path) -> None:
    repos = {"a/a": {"x": {"text": ""}, "access": "gated"}, "b/b": {"x": {"text": "", "access": "disabled"}}}
    (tmp_path / "files.json").write_text(json.dumps({"huggingface": repos}))
    assert [repo.access for repo in load(tmp_path).repos.values()] == ["gated", "disabled"]


LORA = {"tags": ["lora"], "base_model": ["a/one", "b/two"], "license": "mit", "library_name": "diffusers"}


def test_a_lora_card_gets_adapter_tags_for_each_base_model() -> None:
    assert hub_tags(LORA, ["x.safetensors"]) == [
        "diffusers", "safetensors", "lora", "base_model:a/one", "base_model:b/two", "base_model:adapter:a/one",
        "base_model:adapter:b/two", "license:mit", "region:us",
    ]  # fmt: skip


def test_a_written_relation_wins() -> None:
    assert base_models({"base_model": "a/one"}) == {"relation": "finetune", "models": [{"id": "a/one"}]}
    assert base_models({**LORA, "base_model_relation": "merge"})["relation"] == "merge"  # type: ignore[index]
    assert base_models({}) is None


COMMIT = Commit(sha="1" * 40, date="2026-01-01T00:00:00.000Z", title="x", files={})
DIFFUSERS_LORA = {"library_name": "diffusers", "pipeline_tag": "text-to-image"}


def repo(name: str, access: str | None = None, **info: object) -> Repo:
    return Repo(id=name, info={"tags": ["lora", "License:MIT"], **info}, commits=(COMMIT,), access=access)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter=lora&filter=license:mit", True),
        ("filter=lora,license:mit", True),
        ("filter=lora&filter=flux", False),
        ("search=NAME own", True),
        ("search=lora", False),
        ("author=Owner", True),
        ("author=Own", False),
        ("pipeline_tag=text-to-image", False),
        ("gated=true", False),
        ("gated=false", True),
    ],
)
def test_a_query_means_a_repository_or_not(query: str, expected: bool) -> None:
    assert matches(repo("Owner/name"), QueryParams(query)) is expected


@pytest.mark.parametrize(("sort", "expected"), [("likes", ["o/b", "o/a"]), ("lastModified", ["o/a", "o/b"])])
def test_lists_run_from_the_highest(sort: str, expected: list[str]) -> None:
    a = repo("o/a", likes=1, lastModified="2026-02-01T00:00:00.000Z")
    b = repo("o/b", likes=2, lastModified="2026-01-01T00:00:00.000Z")
    assert [each.id for each in sorted((a, b), key=sort_key(QueryParams({"sort": sort})))] == expected


@pytest.mark.parametrize(
    ("info", "query", "expected"),
    [
        ({"gated": "auto"}, "gated=true", True),
        (DIFFUSERS_LORA, "filter=text-to-image&filter=diffusers&pipeline_tag=text-to-image", True),
    ],
)
def test_a_filter_reads_what_is_known_of_a_repository(info: dict[str, Any], query: str, expected: bool) -> None:
    assert matches(repo("o/n", **info), QueryParams(query)) is expected


def test_sorts_are_those_that_the_client_names() -> None:
    from_client = {"created_at": "createdAt", "last_modified": "lastModified", "trending_score": "trendingScore"}
    assert {from_client.get(name, name) for name in get_args(ModelSort_T)} == set(SORTS)
