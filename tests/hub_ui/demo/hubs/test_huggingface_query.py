from typing import Any, get_args

import pytest
from huggingface_hub.hf_api import ExpandModelProperty_T, ModelSort_T
from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.huggingface_query import EXPANDED, SORTS, matches, problem, sort_key
from hub_ui.demo.hubs.huggingface_store import Commit, Repo

COMMIT = Commit(sha="1" * 40, date="2026-01-01T00:00:00.000Z", title="x", files={})
SERVED = {"inferenceProviderMapping": {"fal-ai": {"status": "live"}, "replicate": {"status": "error"}}}
LISTED = {"inferenceProviderMapping": [{"provider": "fal-ai", "status": "live"}]}
LORA = {"library_name": "diffusers", "pipeline_tag": "text-to-image"}


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


def test_a_removed_repository_is_in_no_list() -> None:
    assert not matches(repo("o/n", "removed"), QueryParams(""))


@pytest.mark.parametrize(("sort", "expected"), [("likes", ["o/b", "o/a"]), ("lastModified", ["o/a", "o/b"])])
def test_lists_run_from_the_highest(sort: str, expected: list[str]) -> None:
    a = repo("o/a", likes=1, lastModified="2026-02-01T00:00:00.000Z")
    b = repo("o/b", likes=2, lastModified="2026-01-01T00:00:00.000Z")
    assert [each.id for each in sorted((a, b), key=sort_key(QueryParams({"sort": sort})))] == expected


@pytest.mark.parametrize(
    ("info", "query", "expected"),
    [
        ({"gated": "auto"}, "gated=true", True),
        ({"gated": "auto"}, "gated=auto", True),
        ({"gated": "auto"}, "gated=manual", False),
        (LORA, "filter=text-to-image&filter=diffusers&pipeline_tag=text-to-image", True),
        (LORA, "apps=drawthings", True),
        (LORA, "apps=ollama&apps=diffusionbee", True),
        (LORA, "apps=ollama", False),
        ({}, "apps=drawthings", False),
        (SERVED, "inference=warm", True),
        (SERVED, "inference_provider=all", True),
        (SERVED, "inference_provider=replicate", False),
        (LISTED, "inference_provider=replicate&inference_provider=fal-ai", True),
        ({}, "inference=warm", False),
        ({}, "inference_provider=all", False),
        ({"safetensors": {"total": 7_000_000_000}}, "num_parameters=min:6B,max:128B", True),
        ({"safetensors": {"total": 7_000_000_000}}, "num_parameters=max:6.5B", False),
        ({}, "num_parameters=min:1K", False),
    ],
)
def test_a_filter_reads_what_is_known_of_a_repository(info: dict[str, Any], query: str, expected: bool) -> None:
    assert matches(repo("o/n", **info), QueryParams(query)) is expected


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("sort=size", "Invalid sort parameter: size"),
        ("sort=", "Invalid sort parameter: "),
        ("expand=sha&expand=everything", "Invalid expand parameter: everything"),
        ("gated=perhaps", "Invalid gated parameter: perhaps"),
        ("num_parameters=large", "Invalid num_parameters parameter: large"),
        ("sort=likes&expand=sha&gated=false&num_parameters=min:1M", None),
    ],
)
def test_what_means_nothing_is_a_problem(query: str, text: str | None) -> None:
    assert problem(QueryParams(query)) == text


def test_sorts_and_fields_are_those_that_the_client_names() -> None:
    from_client = {"created_at": "createdAt", "last_modified": "lastModified", "trending_score": "trendingScore"}
    assert {from_client.get(name, name) for name in get_args(ModelSort_T)} == set(SORTS)
    assert set(get_args(ExpandModelProperty_T)) == EXPANDED
