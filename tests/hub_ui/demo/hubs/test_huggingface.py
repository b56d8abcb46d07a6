"""The Hugging Face wire format, asked with plain HTTP."""

from typing import Any

import pytest
import requests

from hub_ui.demo.hubs.folder import in_memory
from hub_ui.demo.hubs.huggingface import tree_entries
from hub_ui.demo.hubs.huggingface_store import Commit, RepoFile
from tests.faulty_hubs import HubEndpoints

MEMBER, STRANGER = {"Authorization": "Bearer hf_member"}, {"Authorization": "Bearer hf_stranger"}


def ask(hubs: HubEndpoints, path: str, headers: dict[str, str] | None = None, **params: Any) -> requests.Response:
    return requests.get(hubs.huggingface + path, params=params, headers=headers, allow_redirects=False, timeout=30)


def test_a_plain_list_item_has_the_short_fields(hubs: HubEndpoints) -> None:
    (item,) = ask(hubs, "/api/models", search="maker/red").json()
    assert sorted(item) == [
        "_id", "createdAt", "downloads", "id", "library_name", "likes", "modelId", "pipeline_tag", "private", "tags",
        "trendingScore",
    ]  # fmt: skip


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


@pytest.mark.parametrize("path", ["/api/models/maker/red/tree/main", "/api/models/maker/red/tree/main/日本"])
def test_a_tree_takes_any_text(hubs: HubEndpoints, path: str) -> None:
    assert ask(hubs, path, limit="x").status_code in (400, 404)
    assert "next" not in ask(hubs, path, limit=0).links
    assert ask(hubs, f"/maker/red/resolve/main/{path}").status_code == 404


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


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/models/maker/nothing", {}, 401, "RepoNotFound"),
        ("/api/models/maker/nothing", MEMBER, 404, "RepoNotFound"),
        ("/api/models/maker/red/revision/nope", {}, 404, "RevisionNotFound"),
        ("/maker/red/resolve/main/nope.bin", {}, 404, "EntryNotFound"),
        ("/api/models/maker/red/tree/main/nope", {}, 404, "EntryNotFound"),
        ("/maker/closed/resolve/main/lora.safetensors", {}, 401, "GatedRepo"),
        ("/maker/closed/resolve/main/lora.safetensors", STRANGER, 403, "GatedRepo"),
        ("/maker/closed/resolve/main/lora.safetensors", MEMBER, 302, None),
        ("/maker/halted/resolve/main/lora.safetensors", MEMBER, 403, None),
        ("/api/whoami-v2", {}, 401, None),
        ("/api/models", {"Authorization": "Bearer hf_wrong"}, 401, None),
    ],
)
def test_a_refusal_has_its_status_and_code(
    hubs: HubEndpoints, path: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    answer = ask(hubs, path, headers)
    assert (answer.status_code, answer.headers.get("x-error-code")) == (status, code)


def test_an_anonymous_caller_is_told_nothing_of_a_missing_repository(hubs: HubEndpoints) -> None:
    assert ask(hubs, "/api/models/maker/nothing").json() == {"error": "Invalid username or password."}


def test_paths_are_looked_up_in_a_form(hubs: HubEndpoints) -> None:
    url = f"{hubs.huggingface}/api/models/maker/red/paths-info/main"
    found = requests.post(url, data={"paths": ["config", "lora.safetensors"], "expand": "true"}, timeout=30).json()
    assert [entry["type"] for entry in found] == ["directory", "file"]


def test_a_tree_is_paged(hubs: HubEndpoints) -> None:
    answer = ask(hubs, "/api/models/maker/red/tree/main", limit=2)
    assert len(answer.json()) == 2
    assert len(requests.get(answer.links["next"]["url"], timeout=30).json()) == 1


def test_placeholders_in_a_card_are_the_running_origins(hubs: HubEndpoints) -> None:
    info = ask(hubs, "/api/models/maker/red").json()
    assert info["cardData"]["widget"][0]["output"]["url"] == f"{hubs.huggingface}/pictures/red.png"


def test_no_answer_speaks_of_xet(hubs: HubEndpoints) -> None:
    answer = requests.head(f"{hubs.huggingface}/maker/red/resolve/main/lora.safetensors", timeout=30)
    assert not [name for name in answer.headers if "xet" in name.lower()]


PATHS = ("a/b/c.txt", "a/d.txt", "e.txt")
COMMIT = Commit(
    sha="1" * 40,
    date="2026-01-01T00:00:00.000Z",
    title="x",
    files={path: RepoFile(path=path, content=in_memory(b"")) for path in PATHS},
)


@pytest.mark.parametrize(
    ("under", "recursive", "expected"),
    [
        ("", False, ["a", "e.txt"]),
        ("", True, ["a", "a/b", "a/b/c.txt", "a/d.txt", "e.txt"]),
        ("a", False, ["a/b", "a/d.txt"]),
        ("a/b", True, ["a/b/c.txt"]),
        ("x", True, []),
    ],
)
def test_a_folder_holds_its_files_and_folders(under: str, recursive: bool, expected: list[str]) -> None:
    entries = tree_entries(COMMIT, under, recursive=recursive)
    assert [entry if isinstance(entry, str) else entry.path for entry in entries] == expected
