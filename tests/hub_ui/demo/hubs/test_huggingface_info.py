import pytest

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.huggingface_info import tree_entries
from hub_ui.demo.hubs.huggingface_store import Commit, RepoFile

PATHS = ("a/b/c.txt", "a/d.txt", "e.txt")
COMMIT = Commit(
    sha="1" * 40,
    date="2026-01-01T00:00:00.000Z",
    title="x",
    files={path: RepoFile(path=path, content=InMemory(data=b"")) for path in PATHS},
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
