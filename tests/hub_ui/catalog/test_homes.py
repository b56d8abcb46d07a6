"""One LoRA on several hubs is one card."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.query import Query
from connectors.record import Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.homes import Sharer, card, card_row
from hub_ui.catalog.row import row_of
from hub_ui.catalog.store import Store
from tests.hub_ui.catalog.builders import both, catalog, lora

pytestmark = pytest.mark.usefixtures("either_database")

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def home(name: str, *hashes: str, **fields: Any) -> Lora:
    """A LoRA on the hub that the ref names, with a file for each hash: a whole SHA-256, or an AutoV3."""
    ref = Ref.parse(name)
    number = {"civitai": "10", "huggingface": "1" * 40, "replicate": "2" * 64}[ref.hub]
    files = tuple(
        WeightFile(
            ref=ref.at(number, f"{place}"),
            name=f"{place}.safetensors",
            sha256=text if len(text) == 64 else None,
            autov3=text if len(text) == 12 else None,
        )
        for place, text in enumerate(hashes)
    )
    here = Version(ref=ref.at(number), name="v1", files=files)
    values = {"ref": ref, "title": ref.id, "url": "https://hub.example", "versions": (here,), **fields}
    return lora(**values)


def cards(of: Catalog, **fields: Any) -> list[list[str]]:
    """Each card's refs, in order, the one that is shown first."""
    found = of.search(Query(limit=100, **fields)).records
    return sorted([str(record.ref.lora), *map(str, record.homes)] for record in found)


def test_the_same_bytes_on_two_hubs_are_one_card(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("hf:ada/ink", A)) as opened:
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink"]]
        assert opened.homes(Ref.parse("civitai:1")) == (Ref.parse("hf:ada/ink"),)


def test_the_same_tensors_are_one_card(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", "c0ffeec0ffee"), home("hf:ada/ink", "c0ffeec0ffee")) as opened:
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink"]]


def test_a_card_may_have_a_home_on_each_hub(tmp_path: Path) -> None:
    with catalog(tmp_path, home("replicate:ada/ink", B), home("civitai:1", A), home("hf:ada/ink", A, B)) as opened:
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink", "replicate:ada/ink"]]


def test_two_of_one_hub_are_two_cards(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("civitai:2", A)) as opened:
        assert cards(opened) == [["civitai:1"], ["civitai:2"]]


def test_the_parts_of_a_collection_stay_apart(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("hf:ada/all", A)) as opened:
        opened.add([home("civitai:2", B), home("hf:ada/all", A, B)])
        assert cards(opened) == [["civitai:1"], ["civitai:2"], ["huggingface:ada/all"]]


def test_what_comes_together_only_through_others_stays_apart() -> None:
    sharers = {
        1: Sharer(hub="huggingface", others={"civitai": {2}}),
        2: Sharer(hub="civitai", others={"huggingface": {1}, "replicate": {3}}),
        3: Sharer(hub="replicate", others={"civitai": {2}, "huggingface": {4}}),
        4: Sharer(hub="huggingface", others={"replicate": {3}}),
    }
    assert [card(number, sharers) for number in sharers] == [{1}, {2}, {3}, {4}]


def test_an_open_home_is_shown_first(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("hf:ada/ink", A)) as opened:
        opened.add([home("civitai:1", A, access="gated")])
        assert cards(opened) == [["huggingface:ada/ink", "civitai:1"]]
        opened.mark_removed(Ref.parse("hf:ada/ink"))
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink"]]


def test_a_filter_by_hub_shows_the_home_there(tmp_path: Path) -> None:
    with catalog(tmp_path, home("hf:ada/ink", A), home("civitai:1", A)) as opened:
        assert cards(opened, hubs=("huggingface",)) == [["huggingface:ada/ink", "civitai:1"]]


def test_a_card_is_found_by_what_any_home_says(tmp_path: Path) -> None:
    one, two = home("hf:ada/ink", A, tags=("pen",)), home("civitai:1", A, title="Penwork", creator="Grace")
    with both(tmp_path, one, two) as catalogs:
        for opened in catalogs:
            found = [cards(opened, text=text) for text in ("pen", "penwork", "grace", "ink")]
            assert found == [[["civitai:1", "huggingface:ada/ink"]]] * 4


def test_a_card_is_found_by_what_any_home_was_found_by(tmp_path: Path) -> None:
    store = Store(tmp_path / "catalog.sqlite")
    opened = Catalog(store, None)
    for number in range(3):
        opened.add([home("hf:ada/ink", A, likes=number)], found_by="zebra")
        opened.add([home("civitai:1", A, likes=number)], found_by="apple zebra")
    assert [row.found for _, _, row in store.rows() if row] == [" apple | zebra "]
    store.close()


def test_a_card_is_as_mature_as_its_strictest_home(tmp_path: Path) -> None:
    with catalog(tmp_path, home("hf:ada/ink", A), home("civitai:1", A, nsfw="explicit")) as opened:
        assert cards(opened) == []
        assert cards(opened, nsfw="explicit") == [["civitai:1", "huggingface:ada/ink"]]


def test_a_card_has_the_greatest_numbers() -> None:
    row = card_row([row_of(lora(1, downloads=5, likes=9)), row_of(lora(2, downloads=7, tags=("pen",)))])
    assert (row.refs, row.downloads, row.likes, row.tags) == (("civitai:1", "civitai:2"), 8, 10, ("pen",))


def test_what_loses_its_file_leaves_the_card(tmp_path: Path) -> None:
    with catalog(tmp_path, home("hf:ada/ink", A), home("civitai:1", A, tags=("pen",))) as opened:
        changed = home("civitai:1", B, tags=("pen",))
        opened.add([changed])
        # The file has the same name, so its new hash replaces the old one.
        assert cards(opened) == [["civitai:1"], ["huggingface:ada/ink"]]
        assert cards(opened, text="pen") == [["civitai:1"]]


def test_the_same_title_by_the_same_creator_with_other_bytes_is_also_there(tmp_path: Path) -> None:
    here = home("hf:ada/ink", A, title="Ink Style", creator="Ada")
    there, other = home("civitai:1", B, title="ink style", creator="ada"), home("civitai:2", title="Ink Style")
    with catalog(tmp_path, here, there, other) as opened:
        assert [str(record.ref.lora) for record in opened.also_on(here.ref)] == ["civitai:1"]
        opened.add([home("civitai:1", A, title="ink style", creator="ada")])
        assert opened.also_on(here.ref) == ()


NAMES = ("civitai:1", "civitai:2", "civitai:3", "hf:ada/a", "hf:ada/b", "replicate:ada/a", "replicate:ada/b")
HASHES = (A, B, C, "c0ffeec0ffee", "decafdecafde")
SETS = st.lists(st.sets(st.sampled_from(HASHES), max_size=3), min_size=len(NAMES), max_size=len(NAMES))


def together(loras: Iterable[Lora]) -> list[tuple[str, ...]]:
    """The cards by the rule alone, with nothing stored."""
    hashes = {
        str(one.ref): {text for file in one.versions[0].files for text in (file.sha256, file.autov3) if text}
        for one in loras
    }
    hubs = {name: name.partition(":")[0] for name in hashes}
    numbers = {name: number for number, name in enumerate(hashes)}
    sharers = {
        numbers[name]: Sharer(
            hub=hubs[name],
            others={
                hub: found
                for hub in set(hubs.values()) - {hubs[name]}
                if (found := {numbers[other] for other in hashes if hubs[other] == hub and own & hashes[other]})
            },
        )
        for name, own in hashes.items()
    }
    names = {number: name for name, number in numbers.items()}
    return sorted({tuple(sorted(names[each] for each in card(number, sharers))) for number in sharers})


@settings(max_examples=25, deadline=None)
@given(SETS, st.permutations(range(len(NAMES))), st.permutations(range(len(NAMES))), st.integers(1, 4), st.data())
def test_the_order_of_arrival_does_not_matter(
    sets: list[set[str]], order: list[int], again: list[int], size: int, data: st.DataObject
) -> None:
    loras = [home(name, *sorted(hashes)) for name, hashes in zip(NAMES, sets, strict=True)]
    thin = [home(name, *data.draw(st.lists(st.sampled_from(HASHES), max_size=2))) for name in NAMES[:3]]
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder) / "catalog.sqlite")) as store:
        opened = Catalog(store, None)
        # Some have had other files before: what is known last counts.
        opened.add(thin)
        opened.add(loras[place] for place in order[:3])
        for start in range(0, len(again), size):
            opened.add([loras[place] for place in again[start : start + size]])
        known = {str(one.ref): opened.lora(one.ref) for one in loras}
        expected = together(known.values())
        assert sorted(tuple(sorted(each)) for each in cards(opened)) == expected
        # All are open, and the names of hubs stand in the order of HUBS.
        rows = {row.refs: row for _, _, row in store.rows() if row}
        assert rows == {names: card_row([row_of(known[name]) for name in names]) for names in expected}


@pytest.mark.parametrize("step", [1, 2, 3])
def test_pages_of_any_size_give_the_same_rows(tmp_path: Path, step: int) -> None:
    loras = [home("hf:ada/ink", A), home("civitai:1", A, tags=("pen",)), home("replicate:ada/ink", A, title="Pen")]
    with catalog(tmp_path) as opened:
        for start in range(0, 3, step):
            opened.add(loras[start : start + step])
        [record] = opened.search(Query(text="pen")).records
    assert [str(record.ref.lora), *map(str, record.homes)] == ["civitai:1", "huggingface:ada/ink", "replicate:ada/ink"]
