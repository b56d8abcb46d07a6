"""Replicate's wire format, asked with plain HTTP."""

from typing import Any

import pytest
import requests

from tests.faulty_hubs import HubEndpoints

TOKEN = {"Authorization": "Bearer r8_local"}


def call(hubs: HubEndpoints, method: str, path: str, **arguments: Any) -> requests.Response:
    return requests.request(method, f"{hubs.replicate}/v1/{path}", headers=TOKEN, timeout=30, **arguments)


@pytest.mark.parametrize(
    "path", ["models", "models/maker/tuned", "account", "predictions", "trainings", "nothing/here"]
)
def test_every_call_needs_a_token(hubs: HubEndpoints, path: str) -> None:
    answer = requests.get(f"{hubs.replicate}/v1/{path}", timeout=30)
    assert answer.status_code == (404 if path == "nothing/here" else 401)
    if answer.status_code == 401:
        assert answer.json()["title"] == "Unauthenticated"
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_older_scheme_is_read_too(hubs: HubEndpoints) -> None:
    headers = {"Authorization": "Token r8_local"}
    assert requests.get(f"{hubs.replicate}/v1/account", headers=headers, timeout=30).status_code == 200


@pytest.mark.parametrize("text", ["red", '"red"'])
def test_a_search_by_query_reads_the_body(hubs: HubEndpoints, text: str) -> None:
    found = call(hubs, "QUERY", "models", data=text, allow_redirects=False).json()
    assert [model["name"] for model in found["results"]] == ["tuned"]
    assert found["next"] is None


def test_the_newer_search_wraps_each_model(hubs: HubEndpoints) -> None:
    found = call(hubs, "GET", "search", params={"query": "trains", "limit": 1}).json()
    assert found["models"][0]["model"]["name"] == "trainer"
    assert call(hubs, "GET", "search", params={"query": "x", "limit": 51}).status_code == 400


@pytest.mark.parametrize("version", ["b" * 64, "f" * 64])
def test_weights_that_are_not_public_are_not_found(hubs: HubEndpoints, version: str) -> None:
    assert requests.get(f"{hubs.replicate}/maker/tuned/versions/{version}/_weights", timeout=30).status_code == 404


def test_official_models_run_by_name_and_others_do_not(hubs: HubEndpoints) -> None:
    official = {"version": "black-forest-labs/flux-dev-lora", "input": {"prompt": "a house"}}
    assert call(hubs, "POST", "predictions", json=official).json()["version"] == "hidden"
    trainer = {"version": "ostris/flux-dev-lora-trainer", "input": {"prompt": "a house"}}
    assert call(hubs, "POST", "predictions", json=trainer).status_code == 404
