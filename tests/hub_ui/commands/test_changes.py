"""hub-ui undo, move and collection on the local hubs."""

from pathlib import Path

from connectors.ref import Ref
from hub_ui.library import lockfile
from tests.hub_ui.library.shared_hubs import CIVITAI, HUGGINGFACE, REPLICATE, Line


def test_what_was_removed_comes_back(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    before = (folder / "loras.lock").read_text()
    _, removed = line("remove", CIVITAI, REPLICATE)
    code, listed = line("undo", "--list")
    assert (code, [change["id"] for change in listed["changes"]]) == (0, [removed[0]["change"]])
    code, document = line("undo")
    assert (code, [one["ref"] for one in document["done"]]) == (0, [CIVITAI, removed[1]["ref"]])
    assert ((folder / "loras.lock").read_text(), pulled["civitai"].exists()) == (before, True)
    line.words("remove", CIVITAI)
    assert "1 LoRA removed" in line.words("undo", "--list")[1]
    assert line.words("undo") == (0, f"Put back: Red Style  {pulled['civitai'].relative_to(folder)}\n")


def test_an_undo_finds_the_lock_file_by_itself(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    team = (folder / "loras.lock").rename(folder.with_name("team.lock"))
    before = team.read_text()
    line("remove", CIVITAI, "--lock", str(team))
    line("move", REPLICATE, "--names", "{title}", "--lock", str(team))
    assert [line("move", "--undo")[0], line("undo")[0], line("undo")[0]] == [0, 0, 4]
    assert (team.read_text(), (folder / "loras.lock").exists()) == (before, False)


def test_an_empty_trash_brings_nothing_back(pulled: dict[str, Path], line: Line) -> None:
    size = pulled["civitai"].stat().st_size
    line("remove", CIVITAI)
    assert line("undo", "--empty") == (0, {"freed": size})
    assert line("undo")[0] == 4
    assert line("undo", "--empty", "--list")[0] == 2


def test_files_are_named_by_a_template_and_moved_back(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    before = (folder / "loras.lock").read_text()
    code, document = line("move", CIVITAI, "--names", "{hub}/{title}", "--dry-run")
    [move] = document["moves"]
    assert (code, move["place"], move["state"]) == (0, "civitai/Red Style.safetensors", "moves")
    assert pulled["civitai"].exists()
    assert line("move", "--names", "../{id}")[0] == 2
    # What is not there costs the others nothing.
    code, document = line("move", "civitai:404", CIVITAI, HUGGINGFACE, REPLICATE, "--names", "{hub}/{title}")
    assert (code, len(document["done"]), (folder / move["place"]).exists()) == (4, 3, True)
    assert line("verify")[0] == 0
    assert line("move", "--undo")[0] == 0
    assert ((folder / "loras.lock").read_text(), pulled["civitai"].exists()) == (before, True)
    assert line("move", "--undo")[0] == 4


def test_what_to_type_next_names_the_library_that_was_named(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    line("remove", CIVITAI, "--library", f"{folder}/")
    assert line.err == f"hub-ui: bring it back with hub-ui undo --library {folder}\n"
    line.words("move", "--undo", "--library", str(folder))
    assert f"hub-ui undo --list --library {folder} shows" in line.err
    pulled["replicate"].unlink()
    line.words("verify", "--library", str(folder))
    assert line.err == f"hub-ui: fetch what is wrong or missing anew with hub-ui sync --library {folder}\n"


def test_a_collection_is_made_exported_and_rebuilt(pulled: dict[str, Path], line: Line, tmp_path: Path) -> None:
    code, document = line("collection", "My styles", "--add", "civitai:1001", "--add", REPLICATE)
    assert (code, document["name"], len(document["loras"])) == (0, "My styles", 2)
    assert line("collection", "My styles", "--take-out", REPLICATE)[1]["loras"][0]["ref"] == CIVITAI
    lock = tmp_path / "styles.lock"
    assert line("collection", "My styles", "--export", str(lock))[0] == 0
    assert [entry.ref for entry in lockfile.loads(lock.read_text())] == [Ref.parse(CIVITAI)]
    assert line("sync", "--lock", str(lock), "--library", str(tmp_path / "other"))[1]["ok"] is True
    assert line("collection", "copy", "--read", str(lock))[0] == 0
    assert [one["name"] for one in line("collection")[1]["collections"]] == ["copy", "My styles"]
    wrong = (("--export", "/"), 2), (("--read", str(tmp_path / "no.lock")), 4), (("--take-out", "a/b"), 4)
    for words, expected in wrong:
        assert line("collection", "copy", *words)[0] == expected
    assert line("collection", "copy", "--delete")[0] == 0
    assert line("collection", "copy")[0] == 4
