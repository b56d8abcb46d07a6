from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import INK, entry, sha256, weights
from tests.hub_ui.stand_ins import Hub, lora, services_on

BYTES = weights()


@pytest.fixture
def built(home: Path) -> Iterator[Services]:
    """One file in the library, of which its hub says a base model and a trigger word."""
    with services_on(home, Hub(name="civitai", loras=[lora()])) as made:
        own = entry(size=len(BYTES), sha256=sha256(BYTES), base_model="sdxl", trigger_words=("inkstyle",))
        path = made.library.path(own)
        path.parent.mkdir(parents=True)
        path.write_bytes(BYTES)
        made.library.adopt([own])
        made.lookup.fetch(INK)
        yield made


def the_entry(built: Services) -> Entry:
    [found] = built.library.entries()
    return found


def test_own_values_stand_in_the_lock_file_until_they_are_taken_back(built: Services) -> None:
    built.annotations.change(INK, trigger_words=("my ink",), weight=0.6, base_model="flux.1-dev")
    found = the_entry(built)
    assert (found.trigger_words, found.weight) == (("my ink",), 0.6)
    assert (found.base_model, found.architecture) == ("flux.1-dev", "flux1")
    assert 'trigger_words = ["my ink"]' in built.library.lock_text()
    built.annotations.change(INK, trigger_words=None, weight=None, base_model=None)
    found = the_entry(built)
    assert (found.trigger_words, found.weight) == (("inkstyle",), None)
    assert (found.base_model, found.architecture) == ("sdxl", "sdxl")


def test_what_was_written_into_the_lock_file_by_hand_stays_until_it_is_changed_here(built: Services) -> None:
    text = built.library.lock_text().replace('["inkstyle"]', '["by hand"]')
    built.library.lock.write_text(text)
    built.annotations.change(INK, weight=0.6)
    assert the_entry(built).trigger_words == ("by hand",)


def test_a_note_leaves_the_lock_file_alone(built: Services) -> None:
    before = built.library.lock.stat().st_mtime_ns
    built.annotations.change(INK, note="For covers", favorite=True, tags=("comic",))
    assert built.library.lock.stat().st_mtime_ns == before


def test_a_lora_that_is_tried_has_its_owners_weight_and_words(built: Services) -> None:
    built.annotations.change(INK, trigger_words=("my ink",), weight=0.6)
    assert built.generation.default_weight(INK) == 0.6
    [found] = built.generation.inputs([INK])
    assert (found.weight, found.trigger_words) == (0.6, ("my ink",))


def test_the_owner_contradicts_the_hub_and_decides(built: Services) -> None:
    built.annotations.change(INK, base_model="flux.1-dev")
    record = built.lookup.record(INK)
    assert (record.base_model, record.architecture) == ("flux.1-dev", "flux1")
    assert record.conflict_sentences == ("CivitAI says SDXL, you say FLUX.1.",)
    assert built.lookup.find_record(INK) == record


def test_no_trigger_words_at_all_are_none(built: Services) -> None:
    built.annotations.change(INK, trigger_words=())
    assert built.lookup.record(INK).trigger_words == ()
    assert the_entry(built).trigger_words == ()


def test_a_version_that_comes_later_has_the_same_values(built: Services) -> None:
    built.annotations.change(INK, weight=0.6, trigger_words=("my ink",))
    record = built.lookup.record(Ref.parse("civitai:1001"))
    assert (record.weight, record.trigger_words) == (0.6, ("my ink",))
