import json
import os
from typing import Any

import pytest

from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.library import Library
from hub_ui.library.upkeep.duplicates import Duplicates, find_duplicates
from tests.hub_ui.library.building import entry, put, sha256, weights


def enter(library: Library, *refs: str, **fields: Any) -> None:
    """An entry for each ref, with a file of bytes of its own."""
    entries = []
    for number, ref in enumerate(refs, 1):
        data = weights(fill=bytes([number]))
        file = f"{number}.safetensors"
        put(library, file, data)
        entries.append(entry(ref=Ref.parse(ref), file=file, size=len(data), sha256=sha256(data), **fields))
    library.lock.write_text(lockfile.dumps(entries))


def groups(library: Library, halves: dict[str, str] | None = None) -> list[tuple[str, list[str], int]]:
    pairs = {Ref.parse(one): Ref.parse(other) for one, other in (halves or {}).items()}
    return [(one.kind, [file.file for file in one.files], one.gain) for one in find_duplicates(library, pairs.get)]


def test_equal_files_are_found_wherever_they_lie(library: Library) -> None:
    put(library, "a/ink.safetensors", weights())
    put(library, "b/other name.safetensors", weights())
    put(library, "c/mist.safetensors", weights(fill=b"\x02"))
    assert groups(library) == [("bytes", ["a/ink.safetensors", "b/other name.safetensors"], len(weights()))]


def test_the_one_with_an_entry_is_to_be_kept(library: Library) -> None:
    enter(library, "civitai:1@10#100")
    put(library, "0.safetensors", weights(fill=b"\x01"))
    assert groups(library)[0][1] == ["1.safetensors", "0.safetensors"]


def test_hard_links_gain_nothing(library: Library) -> None:
    first = put(library, "a.safetensors", weights())
    os.link(first, library.folder / "b.safetensors")
    assert groups(library) == [("bytes", ["a.safetensors", "b.safetensors"], 0)]


def test_equal_weights_with_other_metadata_are_found_but_are_no_equal_files(library: Library) -> None:
    put(library, "a.safetensors", weights(ss_tag="ink"))
    put(library, "b.safetensors", weights(ss_tag="a longer one"))
    put(library, "c.safetensors", weights(ss_tag="ink", fill=b"\x02"))
    assert [(kind, files) for kind, files, _ in groups(library)] == [("weights", ["a.safetensors", "b.safetensors"])]


def test_one_byte_in_a_part_that_no_sample_reads_makes_them_different(library: Library) -> None:
    data = bytearray(weights(1_000_000))
    put(library, "a.safetensors", bytes(data))
    data[len(data) - 7] = 9
    put(library, "b.safetensors", bytes(data))
    data[90_000] = 9
    put(library, "c.safetensors", bytes(data))
    assert groups(library) == []


def test_files_without_tensors_are_not_taken_for_equal_weights(library: Library) -> None:
    for number, text in enumerate(("one", "another"), 1):
        header = json.dumps({"__metadata__": {"name": text}}).encode()
        put(library, f"{number}.safetensors", len(header).to_bytes(8, "little") + header)
    assert groups(library) == []


@pytest.mark.parametrize("data", [b"", b"\x01", b"<html>" * 9, (2**63).to_bytes(8, "little") + b"{}"])
def test_damaged_files_stop_nothing(library: Library, data: bytes) -> None:
    put(library, "damaged.safetensors", data)
    put(library, "a.safetensors", weights(a="1"))
    put(library, "b.safetensors", weights(a="22"))
    assert [kind for kind, _, _ in groups(library)] == ["weights"]


def test_the_newest_version_is_to_be_kept(library: Library) -> None:
    enter(library, "civitai:1@10#100", "civitai:1@30#300", "civitai:1@20#200", "civitai:2@40#400", base_model="sdxl")
    assert groups(library) == [("versions", ["2.safetensors", "3.safetensors", "1.safetensors"], 2 * len(weights()))]


def test_versions_for_other_base_models_are_other_loras(library: Library) -> None:
    entries = [
        entry(ref=Ref.parse(f"civitai:1@{base}0#1"), file=f"{base}.safetensors", base_model=f"sd{base}")
        for base in ("1", "2")
    ]
    for one in entries:
        put(library, one.file, weights(fill=one.file[:1].encode()))
    library.lock.write_text(lockfile.dumps(entries))
    assert groups(library) == []


def test_two_files_of_one_repo_are_no_versions(library: Library) -> None:
    commits = ("a" * 40, "b" * 40)
    enter(library, *(f"huggingface:ada/many@{commit}#{commit[0]}.safetensors" for commit in commits))
    assert groups(library) == []


def test_the_halves_of_a_pair_are_no_versions(library: Library) -> None:
    enter(library, "civitai:1@10#100", "civitai:1@11#110")
    halves = {"civitai:1@10#100": "civitai:1@11#110", "civitai:1@11#110": "civitai:1@10#100"}
    assert groups(library, halves) == []


def test_a_search_that_is_stopped_ends(library: Library) -> None:
    put(library, "a.safetensors", weights(a="1"))
    put(library, "b.safetensors", weights(a="22"))
    found: tuple[Duplicates, ...] = find_duplicates(library, lambda ref: None, is_cancelled=lambda: True)
    assert found == ()
