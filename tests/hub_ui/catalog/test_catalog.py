from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.errors import HubUiError, NotFound
from connectors.query import Query
from connectors.ref import Ref
from tests.hub_ui.catalog.builders import catalog, file, lora, version

pytestmark = pytest.mark.usefixtures("either_database")

INK = Ref.parse("civitai:1")


def test_a_lora_comes_back_as_it_was_added(tmp_path: Path) -> None:
    one = lora(base="Pony", description="<p>ink</p>", tags=("ink",))
    with catalog(tmp_path, one) as opened:
        assert opened.lora(INK) == one


@pytest.mark.parametrize("text", ["civitai:1@10#100", "civitai:1@10", "civitai:1@99", "civitai:@10"])
def test_a_lora_is_found_by_its_version_too(tmp_path: Path, text: str) -> None:
    with catalog(tmp_path, lora()) as opened:
        assert opened.lora(Ref.parse(text)).ref == INK


@pytest.mark.parametrize("text", ["civitai:2", "civitai:@99", "hf:ada/ink"])
def test_a_lora_never_seen_is_not_found(tmp_path: Path, text: str) -> None:
    with catalog(tmp_path, lora()) as opened, pytest.raises(NotFound, match="not in the catalog"):
        opened.lora(Ref.parse(text))


def test_adding_says_how_many_were_new_or_changed(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1), lora(2)) as opened:
        assert opened.add([lora(1), lora(2, likes=3), lora(3)]) == 2


def test_a_file_is_found_by_its_ref(tmp_path: Path) -> None:
    files = (file("civitai:1@10#100"), file("civitai:1@10#101", name="big.safetensors", primary=True))
    with catalog(tmp_path, lora(versions=(version(files=files),))) as opened:
        named = [opened.file(Ref.parse(text)).name for text in ("civitai:1@10#100", "civitai:1@10", "civitai:1")]
    assert named == ["ink.safetensors", "big.safetensors", "big.safetensors"]


@pytest.mark.parametrize("text", ["civitai:1@10#7", "civitai:1@9#100", "civitai:2"])
def test_a_file_nobody_listed_is_not_found(tmp_path: Path, text: str) -> None:
    with catalog(tmp_path, lora()) as opened, pytest.raises(NotFound):
        opened.file(Ref.parse(text))


def test_the_same_bytes_are_found_wherever_they_are(tmp_path: Path) -> None:
    here = lora(1, versions=(version(files=(file(sha256="ab" * 32),)),))
    path = file(f"hf:ada/ink@{'c' * 40}#ink.safetensors", sha256="AB" * 32)
    there = lora(2, ref=path.ref.lora, versions=(version(f"hf:ada/ink@{'c' * 40}", files=(path,)),))
    with catalog(tmp_path, here, there, lora(3)) as opened:
        assert opened.by_sha256("aB" * 32) == (Ref.parse("civitai:1@10#100"), path.ref)
        assert opened.by_sha256("00" * 32) == ()


def test_only_the_version_that_was_removed_is_marked(tmp_path: Path) -> None:
    one = lora(versions=(version("civitai:1@10"), version("civitai:1@11")))
    with catalog(tmp_path, one) as opened:
        opened.mark_removed(Ref.parse("civitai:1@11"))
        kept = opened.lora(INK)
    assert (kept.access, [each.access for each in kept.versions]) == ("open", ["open", "removed"])


def test_facts_of_a_file_are_remembered_by_its_hash(tmp_path: Path) -> None:
    with catalog(tmp_path) as opened:
        opened.remember_facts("AB", '{"rank":8}')
        opened.remember_facts("ab", '{"rank":16}')
        assert (opened.facts("aB"), opened.facts("cd")) == ('{"rank":16}', None)


def test_a_closed_catalog_says_so(tmp_path: Path) -> None:
    with catalog(tmp_path, lora()) as opened:
        pass
    with pytest.raises(HubUiError, match="closed"):
        opened.search(Query())
    with pytest.raises(HubUiError, match="closed"):
        opened.add([lora()])


def test_a_page_says_since_when_one_of_it_was_not_listed(tmp_path: Path) -> None:
    with catalog(tmp_path) as opened:
        for day in (1, 2, 3):
            opened.add([lora(day)], at=datetime(2026, 1, day, tzinfo=UTC))
        opened.add([lora(1)], at=datetime(2026, 1, 9, tzinfo=UTC))
        assert opened.last_listed(opened.search(Query(text="ink")).ids) == "2026-01-02T00:00:00+00:00"
        assert opened.last_listed([]) is None


def test_the_catalog_counts_what_is_in_it(tmp_path: Path) -> None:
    there = Ref.parse("hf:ada/ink")
    same = version(f"{there}@{'c' * 40}", files=(file(f"{there}@{'c' * 40}#a", sha256="a" * 64),))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with catalog(tmp_path) as opened:
        opened.add([lora(1, versions=(version(files=(file(sha256="a" * 64), file("civitai:1@10#101"))),))], at=at)
        opened.add([lora(2, ref=there, versions=(same,)), lora(3, access="removed", versions=())], at=at)
        before = opened.stats()
        opened.search(Query())
        after = opened.stats()
    assert (before.loras, before.versions, before.files) == ({"civitai": 2, "huggingface": 1}, 2, 3)
    assert (before.shared_cards, before.removed, before.oldest) == (1, 1, before.newest)
    assert (before.index, after.index) == ("none", "current")
    assert before.bytes > 0


def test_a_listing_has_the_numbers_of_the_cards_and_its_own_total(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1), lora(2), lora(3)) as opened:
        found = opened.listing(Query(text="ink", limit=2))
        assert (len(found.ids), found.total) == (2, 3)
        records = opened.cards(found.ids, Query())
        listed = opened.search(Query(text="ink", limit=2)).records
        assert tuple(records[number] for number in found.ids) == listed
        assert opened.cards((10**6,), Query()) == {}
