"""hub-ui verify, remove and diff on the local hubs."""

import shutil
from pathlib import Path

from hub_ui.library import lockfile
from tests.hub_ui.library.shared_hubs import CIVITAI, REPLICATE, Line


def test_verify_tells_missing_changed_and_foreign_apart(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    pulled["civitai"].unlink()
    place = pulled["civitai"].relative_to(folder).as_posix()
    table = f"STATE    FILE\nmissing  {place}\n2 files right, 1 wrong, 0 that no entry names.\n"
    assert line.words("verify")[1] == table
    whole = pulled["replicate"].read_bytes()
    pulled["replicate"].write_bytes(whole[:-1] + b"\xff")
    (folder / "stranger.safetensors").write_bytes(b"?")
    code, document = line("verify")
    assert code == 7
    assert document["missing"] == [place]
    assert document["changed"] == [pulled["replicate"].relative_to(folder).as_posix()]
    assert document["foreign"] == ["stranger.safetensors"]


def test_remove_forgets_the_lora_and_its_file_or_keeps_it(pulled: dict[str, Path], line: Line, folder: Path) -> None:
    code, document = line("remove", "civitai:1001")
    assert (code, document["ref"], document["removed"], pulled["civitai"].exists()) == (0, CIVITAI, True, False)
    assert line("remove", REPLICATE, "--keep-file")[0] == 0
    assert (pulled["replicate"].exists(), line("verify")[1]["foreign"] != []) == (True, True)
    assert len(lockfile.loads((folder / "loras.lock").read_text())) == 1


def test_removing_what_is_not_there_costs_nothing_else(pulled: dict[str, Path], line: Line) -> None:
    code, items = line("remove", "civitai:404", CIVITAI)
    assert (code, items[0]["error"], items[1]["ref"]) == (4, "NotFound", CIVITAI)
    assert items[0]["message"] == (
        "civitai:404 is not in the library, so there is nothing to remove. loras.lock lists what is."
    )


def test_diff_tells_two_locks_apart(pulled: dict[str, Path], line: Line, folder: Path, tmp_path: Path) -> None:
    old = Path(shutil.copy(folder / "loras.lock", tmp_path / "old.lock"))
    line("remove", CIVITAI)
    code, document = line("diff", str(old), str(folder))
    assert (code, document["same"], document["added"], document["changed"]) == (0, False, [], [])
    assert [entry["ref"] for entry in document["removed"]] == [CIVITAI]
    assert line("diff", str(old), str(old))[1]["same"] is True


def test_diff_of_a_missing_file_ends_with_4_and_of_one_that_is_damaged_with_2(line: Line, tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    assert line("diff", str(lock), str(tmp_path))[0] == 4
    lock.write_text("version = 1\n", encoding="utf-16")
    assert (line("diff", str(lock), str(lock))[0], "no text in UTF-8" in line.err) == (2, True)
