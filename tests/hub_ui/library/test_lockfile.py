import random
from dataclasses import replace
from datetime import date, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ref import Ref, local_ref
from hub_ui.library.lockfile import KEYS, Entry, Lock, LockError, difference, dumps, loads, merge, read, write
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
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
scalars = (
    texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.datetimes(timezones=st.none() | zones)
    | st.dates()
    | st.times()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
unknown = st.dictionaries(texts.filter(lambda key: key not in (*KEYS, "version", "lora")), values, max_size=4)
entries = st.builds(
    entry,
    title=texts,
    size=st.integers(0, 2**63 - 1),
    sha256=hashes,
    source=texts,
    base_model=st.none() | texts,
    architecture=st.none() | texts,
    trigger_words=st.lists(texts, max_size=3).map(tuple),
    weight=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    license=st.none() | texts,
    extra=unknown,
)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Any entries with refs and files of their own, in the order they are written in."""
    numbers = draw(st.lists(st.integers(1, 10**6), max_size=4, unique=True).map(sorted))
    made = [replace(draw(entries), ref=Ref.parse(f"civitai:{n}@{n}"), file=f"sd1/{n}.safetensors") for n in numbers]
    made.sort(key=lambda one: str(one.ref))
    return Lock(entries=tuple(made), version=draw(st.just(1) | st.sampled_from(["1.1", "1.20.3"])), extra=draw(unknown))


def test_an_entry_is_written_as_documented() -> None:
    assert dumps([entry(base_model="sd1", trigger_words=("sks style", "ink"), weight=0.8)]) == INK


@given(locks(), st.randoms(use_true_random=False))
def test_a_lock_is_read_back_and_written_the_same_whatever_the_order(lock: Lock, chance: random.Random) -> None:
    text = write(lock)
    assert read(text) == lock
    shuffled = list(lock.entries)
    chance.shuffle(shuffled)
    assert write(replace(lock, entries=tuple(shuffled))) == text


UNKNOWN = """\
mood = "calm"
score = 0x1F
ratio = 1e3
never = -inf
good = true
seen = 2026-08-20T12:00:00+02:00
local = 2026-08-20T12:00:00.5
day = 2026-08-20
hour = 12:30:00
words = ["a", ["b"], { c = 1 }]

[lora.notes]
by = "ada"
"two words" = \'\'\'
one
two\'\'\'
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size = 3", 'size = "3"', r"line 8: lora\[0\]\.size is not a whole number"),
        ("size = 3", "size = -3", r"line 8: lora\[0\]\.size is below zero"),
        ("size = 3\n", "", r"line 4: lora\[0\]\.size is missing"),
        ("size = 3", "size =", r"line 8.*, in lora\[0\]\.size\."),
        ("size = 3", "ref = 3", r"line 8.*, in lora\[0\]\.ref\."),
        ("@2001#3001", "", r"line 5: lora\[0\]\.ref names no fixed version"),
        ("civitai:1001@2001#3001", "??", r"line 5: lora\[0\]\.ref can't be read"),
        ("sd1/ada/Ink", "../../Ink", r"line 7: lora\[0\]\.file is no safetensors file inside the library folder"),
        ('"aaaa', '"AAAA', r"line 9: lora\[0\]\.sha256 is not 64 lower-case"),
        ('"ink"]', "1]", r"line 12: lora\[0\]\.trigger_words holds"),
        ("weight = 0.8", "weight = 1979-05-27", r"line 13: lora\[0\]\.weight is not a number"),
        ("weight = 0.8", "weight = nan", r"line 13: lora\[0\]\.weight is not a number"),
        ("weight = 0.8", "weight = -inf", r"line 13: lora\[0\]\.weight is not a number"),
        ("weight = 0.8", "weight = 0x1" + "0" * 400, r"line 13: lora\[0\]\.weight is not a number"),
        ("version = 1", "version = 2", "has version 2; .* reads version 1"),
        ("version = 1", 'version = "2.1"', "has version '2.1'"),
        ("version = 1", "version = 1.0", "has version 1.0"),
        ("version = 1", "version = true", "has version True"),
        ("version = 1", "", "has no version"),
        (INK, "", r"^loras\.lock is empty\. Put a copy of it back, or move it away .*: hub-ui import DIR$"),
        (INK, "version = 1\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n", r"loras\.lock, line 2: git left both sides"),
        ("[[lora]]", "[lora]", "write each LoRA under"),
        ("version = 1", f"version = 1\nx = {'[' * 5000}", "is not readable"),
    ],
)
def test_a_mistake_is_reported_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(LockError, match=said):
        loads(INK.replace(old, new))


def test_a_mistake_in_the_second_entry_has_its_own_line() -> None:
    first, second = dumps([entry(), OTHER]).split("\n\n[[lora]]\n")[1:]
    text = "\n".join(["version = 1", "[[lora]]", first, "[[lora]]", second.replace("size = 3", "size = 3.5")])
    with pytest.raises(LockError, match=r"line 13: lora\[1\]\.size is not a whole number"):
        loads(text)


@pytest.mark.parametrize(("field", "line"), [("ref", 13), ("file", 15)])
def test_two_entries_must_not_share_a_ref_or_a_file(field: str, line: int) -> None:
    second = {"file": "sd1/other.safetensors", "ref": OTHER.ref} | {field: getattr(entry(), field)}
    with pytest.raises(LockError, match=rf"line {line}: lora\[1\]\.{field} is that of lora\[0\] too"):
        loads(dumps([entry(), entry(**second)]))


@given(st.text() | st.lists(st.sampled_from([*INK.splitlines(), *UNKNOWN.splitlines(), "x", "]"])).map("\n".join))
def test_any_text_is_a_lock_or_raises_lock_error(text: str) -> None:
    try:
        lock = read(text)
    except LockError:
        return
    assert write(read(write(lock))) == write(lock)


LOCAL = dumps(
    [entry(ref=local_ref("My Robot", "a" * 64), file="mine/My Robot.safetensors", title="My Robot", source="")]
)


def test_a_file_that_no_hub_has_is_written_without_a_source_and_read_back() -> None:
    assert f'ref = "local:My Robot@{"a" * 64}"' in LOCAL
    assert "source" not in LOCAL
    assert write(read(LOCAL)) == LOCAL


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sha256 = "aaa', 'sha256 = "baa', r"lora\[0\]\.sha256 is not the one in the entry's ref"),
        (f"local:My Robot@{'a' * 64}", "local:My Robot", r"lora\[0\]\.ref names no fixed version"),
        (f"local:My Robot@{'a' * 64}", "civitai:1@2", r"lora\[0\]\.source is missing"),
    ],
)
def test_such_an_entry_is_held_to_its_own_hash(old: str, new: str, said: str) -> None:
    with pytest.raises(LockError, match=said):
        loads(LOCAL.replace(old, new))


def test_the_mark_that_windows_editors_put_in_front_is_passed_over() -> None:
    assert read("\ufeff" + INK.replace("\n", "\r\n")) == read(INK)


def written(key: str, value: Any) -> str:
    """The line of an unknown key."""
    return write(Lock(extra={key: value})).split("version = 1\n")[1].removesuffix("\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (0.5, "0.5"),
        (2**63, "0x8000000000000000"),
        ("a\x7f\n", '"a\\u007f\\n"'),
        (["a", 1], '["a", 1]'),
        ({}, "{}"),
        ({"b": 1, "a": {"c": 2}}, "{ a = { c = 2 }, b = 1 }"),
    ],
)
def test_a_value_has_one_form(value: Any, text: str) -> None:
    assert written("x", value) == f"x = {text}"


@pytest.mark.parametrize(("key", "text"), [("a-b_1", "a-b_1"), ("", '""'), ("a b", '"a b"'), ("ü", '"ü"')])
def test_a_key_is_quoted_where_it_must_be(key: str, text: str) -> None:
    assert written(key, 1) == f"{text} = 1"


def test_a_value_that_toml_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        written("x", [None])


ONE, TWO = Ref.parse("civitai:1001@2001#3001"), Ref.parse("civitai:1001@2002#3002")
SECOND = entry(ref=Ref.parse("civitai:7@8"), file="other.safetensors")


def test_what_is_only_in_one_is_added_or_removed() -> None:
    found = difference([entry()], [SECOND])
    assert (found.removed, found.added, found.same) == ((entry(),), (SECOND,), False)


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


def test_another_version_of_a_lora_is_a_change_of_its_ref_unless_there_were_two() -> None:
    found = difference([entry(ref=ONE)], [entry(ref=TWO)])
    assert (found.added, found.removed) == ((), ())
    assert found.changed[0].keys == {"ref": (str(ONE), str(TWO))}
    found = difference([entry(ref=ONE), entry(ref=TWO)], [entry(ref=ONE.at("2003", "3003"))])
    assert (len(found.added), len(found.removed), found.changed) == (1, 2, ())


def test_files_of_one_repo_go_together_by_their_path() -> None:
    def at(commit: str, path: str) -> Entry:
        return entry(ref=Ref.parse(f"huggingface:ada/ink@{commit * 40}#{path}.safetensors"))

    found = difference([at("1", "a"), at("1", "b")], [at("2", "b"), at("2", "a")])
    assert [(change.old.ref.file, change.new.ref.file) for change in found.changed] == [
        ("a.safetensors", "a.safetensors"),
        ("b.safetensors", "b.safetensors"),
    ]


OTHER_LOCK = Ref.parse("civitai:7@8#9")


def test_of_two_locks_ours_is_kept_and_what_is_new_gets_a_file_name_that_is_free() -> None:
    other = entry(ref=OTHER_LOCK, file="SD1/ada/Ink lines-2001.safetensors")
    here, new = merge([entry()], [entry(), other])
    assert (here.entry.ref, here.state, new.entry.ref, new.state) == (ONE, "here", OTHER_LOCK, "new")
    assert new.entry.file == "SD1/ada/Ink lines-2001-b01dde3c.safetensors"
    [differs] = merge([entry()], [entry(sha256="b" * 64)])
    assert (differs.state, differs.entry.sha256) == ("differs", "a" * 64)
