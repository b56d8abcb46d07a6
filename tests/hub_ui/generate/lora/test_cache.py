from __future__ import annotations

import os
from pathlib import Path

from hub_ui.generate.lora.cache import LoraCache, LoraPatches, identity
from tests.hub_ui.generate.building import adapter


def lora_patches(size: int) -> LoraPatches:
    return LoraPatches(patches={}, inputs={}, applied=1, total=1, missed=(), size=size)


def test_the_one_longest_unused_goes_when_the_bytes_are_spent() -> None:
    cache = LoraCache(100)
    for name in ("a", "b"):
        cache.put(name, lora_patches(50))
    cache.get("a")
    cache.put("c", lora_patches(50))
    assert [cache.get(name) is not None for name in ("a", "b", "c")] == [True, False, True]
    assert cache.size == 100


def test_a_file_larger_than_the_budget_is_kept_while_it_is_the_last() -> None:
    cache = LoraCache(10)
    cache.put("a", lora_patches(50))
    cache.put("b", lora_patches(60))
    assert (len(cache), cache.size) == (1, 60)


def test_putting_again_replaces() -> None:
    cache = LoraCache(100)
    cache.put("a", lora_patches(50))
    cache.put("a", lora_patches(70))
    assert (len(cache), cache.size) == (1, 70)


def test_a_hash_names_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    os.link(tmp_path / "a", tmp_path / "b")
    one, other = (identity(adapter(tmp_path / name, sha256=hashed)) for name, hashed in (("a", "AB"), ("b", "ab")))
    assert one == other


def test_a_file_changed_after_it_was_hashed_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"1")
    before = identity(adapter(path, sha256="ab" * 32))
    path.write_bytes(b"22")
    assert identity(adapter(path, sha256="ab" * 32)) != before


def test_without_a_hash_a_file_is_what_lies_there_since_then(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"1")
    before = identity(adapter(path))
    path.write_bytes(b"22")
    assert identity(adapter(path)) != before


def test_a_file_that_is_gone_is_told_by_whoever_reads_it(tmp_path: Path) -> None:
    assert identity(adapter(tmp_path / "gone.safetensors")) == str(tmp_path / "gone.safetensors")
