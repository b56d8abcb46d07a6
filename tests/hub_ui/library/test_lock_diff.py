from datetime import date
from typing import Any

import pytest

from connectors.ref import Ref
from hub_ui.library.lockfile import Entry, difference, merge
from tests.hub_ui.library.building import INK, entry

ONE, TWO = Ref.parse("civitai:1001@2001#3001"), Ref.parse("civitai:1001@2002#3002")
OTHER = entry(ref=Ref.parse("civitai:7@8"), file="other.safetensors")


def test_what_is_only_in_one_is_added_or_removed() -> None:
    found = difference([entry()], [OTHER])
    assert (found.removed, found.added, found.same) == ((entry(),), (OTHER,), False)


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"weight": 0.5}, {"weight": (None, 0.5)}),
        ({"trigger_words": ("ink",)}, {"trigger_words": ((), ("ink",))}),
        ({"extra": {"day": date(2026, 8, 20)}}, {"day": (None, date(2026, 8, 20))}),
    ],
)
def test_every_key_that_differs_is_named(fields: dict[str, Any], keys: dict[str, Any]) -> None:
    [change] = difference([entry()], [entry(**fields)]).changed
    assert change.keys == keys


def test_another_version_of_a_lora_is_a_change_of_its_ref() -> None:
    found = difference([entry(ref=ONE)], [entry(ref=TWO)])
    assert (found.added, found.removed) == ((), ())
    assert found.changed[0].keys == {"ref": (str(ONE), str(TWO))}


def test_files_of_one_repo_go_together_by_their_path() -> None:
    def at(commit: str, path: str) -> Entry:
        return entry(ref=Ref.parse(f"huggingface:ada/ink@{commit * 40}#{path}.safetensors"))

    found = difference([at("1", "a"), at("1", "b")], [at("2", "b"), at("2", "a")])
    assert [(change.old.ref.file, change.new.ref.file) for change in found.changed] == [
        ("a.safetensors", "a.safetensors"),
        ("b.safetensors", "b.safetensors"),
    ]


def test_two_versions_that_became_one_are_no_pair() -> None:
    found = difference([entry(ref=ONE), entry(ref=TWO)], [entry(ref=ONE.at("2003", "3003"))])
    assert (len(found.added), len(found.removed), found.changed) == (1, 2, ())


OTHER_LOCK = Ref.parse("civitai:7@8#9")


def test_of_two_locks_ours_is_kept_and_what_is_new_gets_a_file_name_that_is_free() -> None:
    other = entry(ref=OTHER_LOCK, file="SD1/ada/Ink lines-2001.safetensors")
    here, new = merge([entry()], [entry(), other])
    assert (here.entry.ref, here.state, new.entry.ref, new.state) == (INK, "here", OTHER_LOCK, "new")
    assert new.entry.file == "SD1/ada/Ink lines-2001-b01dde3c.safetensors"
    [differs] = merge([entry()], [entry(sha256="b" * 64)])
    assert (differs.state, differs.entry.sha256) == ("differs", "a" * 64)
