from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ref import Ref
from hub_ui.library.entry import Entry
from hub_ui.library.lockfile import LockError, dumps, loads
from tests.hub_ui.library.building import entry

INK = """\
# Written by hub-ui: the LoRAs of this library, pinned. Comments are not kept.
version = 1

[[lora]]
ref = "civitai:1001@2001#3001"
title = "Ink lines"
file = "sd1/ada/Ink lines-2001.safetensors"
size = 3
sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
source = "https://civitai.com/api/download/models/2001"
base_model = "sd1"
trigger_words = ["sks style", "ink"]
weight = 0.8
"""
OTHER = entry(ref=Ref.parse("huggingface:a/b@" + "0" * 40), file="sd1/a/b.safetensors")

texts = st.text(st.characters(codec="utf-8"), max_size=20)
entries = st.builds(
    entry,
    title=texts,
    source=texts,
    trigger_words=st.lists(texts, max_size=3).map(tuple),
    weight=st.none() | st.floats(allow_nan=False),
    license=st.none() | texts,
)


def test_an_entry_is_written_as_documented() -> None:
    assert dumps([entry(base_model="sd1", trigger_words=("sks style", "ink"), weight=0.8)]) == INK


def test_an_empty_library_has_a_lock_file_too() -> None:
    assert loads(dumps([])) == ()


@given(entries)
def test_what_was_written_is_read_back(written: Entry) -> None:
    assert loads(dumps([written])) == (written,)


@given(entries)
def test_reading_and_writing_again_changes_nothing(written: Entry) -> None:
    text = dumps([written])
    assert dumps(loads(text)) == text


def test_the_order_of_entries_does_not_matter() -> None:
    assert dumps([entry(), OTHER]) == dumps([OTHER, entry()])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size = 3", 'size = "3"', "line 8: “size” is not a whole number"),
        ("size = 3\n", "", "line 4: “size” is missing"),
        ("size = 3", "size =", "line 8"),
        ("weight = 0.8", "mood = 1", "line 13: “mood” is not known"),
        ("@2001#3001", "", "line 5: the ref names no fixed version"),
        ("civitai:1001@2001#3001", "??", "line 5"),
        ("sd1/ada/Ink", "../../Ink", "line 7: this is no safetensors file inside the library folder"),
        ('"aaaa', '"AAAA', "line 9: this is not 64 lower-case"),
        ('"ink"]', "1]", "line 12: “trigger_words” holds"),
        ("version = 1", "version = 2", "reads version 1"),
        ("version = 1", "", "version None"),
        ("version = 1", "version = 1\nx = 1", "holds “x”"),
        ("[[lora]]", "[lora]", "write each LoRA under"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(LockError, match=said):
        loads(INK.replace(old, new))


def test_a_mistake_in_the_second_entry_has_its_own_line() -> None:
    first, second = dumps([entry(), OTHER]).split("\n\n[[lora]]\n")[1:]
    text = "\n".join(["version = 1", "[[lora]]", first, "[[lora]]", second.replace("size = 3", "size = 3.5")])
    with pytest.raises(LockError, match="line 13: “size”"):
        loads(text)


@pytest.mark.parametrize(("field", "line"), [("ref", 13), ("file", 15)])
def test_two_entries_must_not_share_a_ref_or_a_file(field: str, line: int) -> None:
    twin = {"file": "sd1/other.safetensors", "ref": OTHER.ref} | {field: getattr(entry(), field)}
    with pytest.raises(LockError, match=f"line {line}: another entry has this {field} too"):
        loads(dumps([entry(), entry(**twin)]))
