"""The Hugging Face wire format, asked with plain HTTP."""

from typing import Any

import pytest
import requests

from tests.connectors.cases import read_cases
from tests.faulty_hubs import HubEndpoints

READ = read_cases(__file__)


def ask(hubs: HubEndpoints, path: str, headers: dict[str, str] | None = None, **params: Any) -> requests.Response:
    return requests.get(hubs.huggingface + path, params=params, headers=headers, allow_redirects=False, timeout=30)


def test_a_full_list_item_has_file_names_and_no_card(hubs: HubEndpoints) -> None:
    (item,) = ask(hubs, "/api/models", search="red", full="true").json()
    assert {"rfilename": "lora.safetensors"} in item["siblings"]
    assert "cardData" not in item


def test_an_expanded_item_has_what_was_asked_for_and_the_id(hubs: HubEndpoints) -> None:
    (item,) = ask(hubs, "/api/models", search="red", expand=["baseModels", "gated"]).json()
    assert sorted(item) == ["_id", "baseModels", "gated", "id"]
    assert item["baseModels"]["relation"] == "adapter"


@pytest.mark.parametrize("params", [{"cursor": "nonsense"}, {"limit": "many"}, {"sort": "size"}])
def test_a_cursor_or_limit_that_is_none_is_refused(hubs: HubEndpoints, params: dict[str, Any]) -> None:
    assert ask(hubs, "/api/models", **params).status_code == 400


@pytest.mark.parametrize("path", ["/api/models", "/api/models/maker/red", "/api/models/maker/red/tree/main"])
def test_api_sends_nothing_again_to_a_client_with_its_etag(hubs: HubEndpoints, path: str) -> None:
    etag = ask(hubs, path).headers["ETag"]
    again = ask(hubs, path, {"If-None-Match": etag})
    assert (etag[:3], again.status_code, again.content) == ('W/"', 304, b"")


def test_weights_redirect_to_the_delivery_with_the_linked_headers(hubs: HubEndpoints) -> None:
    answer = requests.head(f"{hubs.huggingface}/maker/red/resolve/main/lora.safetensors", timeout=30)
    sha256 = answer.headers["x-linked-etag"].strip('"')
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(hubs.delivery)
    assert (len(sha256), answer.headers["x-linked-size"]) == (64, "1604")
    assert len(answer.headers["x-repo-commit"]) == 40
    assert requests.head(answer.headers["location"], timeout=30).headers["etag"] != f'"{sha256}"'


def test_a_small_file_is_sent_directly_under_its_git_name(hubs: HubEndpoints) -> None:
    answer = ask(hubs, "/maker/red/resolve/main/config/notes.txt")
    assert (answer.status_code, answer.text) == (200, "trained on red things\n")
    assert answer.headers["etag"] == '"0ed6b7546aec22af58f7b1995fe6aaa5af1d87f1"'
    assert "maker/red" in ask(hubs, "/maker/red").text


@pytest.mark.parametrize(("path", "headers", "status", "code"), READ["a refusal has its status and code"])
def test_a_refusal_has_its_status_and_code(
    hubs: HubEndpoints, path: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    answer = ask(hubs, path, headers)
    assert (answer.status_code, answer.headers.get("x-error-code")) == (status, code)


def test_paths_are_looked_up_in_a_form(hubs: HubEndpoints) -> None:
    url = f"{hubs.huggingface}/api/models/maker/red/paths-info/main"
    found = requests.post(url, data={"paths": ["config", "lora.safetensors"], "expand": "true"}, timeout=30).json()
    assert [entry["type"] for entry in found] == ["directory", "file"]


def test_a_tree_is_paged(hubs: HubEndpoints) -> None:
    answer = ask(hubs, "/api/models/maker/red/tree/main", limit=2)
    assert len(answer.json()) == 2
    assert len(requests.get(answer.links["next"]["url"], timeout=30).json()) == 1
