import pytest
from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.huggingface_info import matches, sort_key, tree_entries
from hub_ui.demo.hubs.huggingface_store import Commit, Repo, RepoFile

PATHS = ("a/b/c.txt", "a/d.txt", "e.txt")
COMMIT = Commit(
    sha="1" * 40,
    date="2026-01-01T00:00:00.000Z",
    title="x",
    files={path: RepoFile(path=path, content=InMemory(data=b"")) for path in PATHS},
)


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
