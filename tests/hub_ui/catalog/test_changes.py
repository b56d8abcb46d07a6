import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.changes import Change, Stored, change, decode, encode, merge, pieces
from tests.hub_ui.catalog.builders import claim, file, lora, version

OTHER = "civitai:1@10#101"


def stored(document: str, found: str = "") -> Stored:
    return Stored(id=1, document=document, found=found, seen="2026-01-02T00:00:00+00:00")


def changed(*args: object, **fields: object) -> Change:
    made = change(*args, **fields)  # type: ignore[arg-type]
    assert made is not None
    return made


def test_the_same_again_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora()))) is None


def test_another_order_of_parameters_changes_nothing() -> None:
    one, two = (
        lora(versions=(version(examples=(Example(url="https://a.invalid/1", params=params),)),))
        for params in ({"seed": 1, "steps": 25}, {"steps": 25, "seed": 1})
    )
    assert (encode(one) == encode(two), change(two, stored(encode(one)))) == (False, None)


def test_what_was_listed_earlier_adds_to_what_is_known_and_takes_nothing_back() -> None:
    made = changed(lora(likes=3, description="long"), stored(encode(lora(likes=7))), is_older=True)
    assert (made.lora.likes, made.lora.description) == (7, "long")


def test_what_says_less_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora(description="long", claims=(claim("rank", 8),))))) is None


def test_what_says_more_is_merged() -> None:
    made = changed(lora(likes=3), stored(encode(lora(description="long"))))
    assert (made.lora.likes, made.lora.description) == (3, "long")
    assert made.document == encode(lora(likes=3, description="long"))


def test_an_entry_that_can_not_be_read_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = changed(lora(), stored("{"))
    assert (made.lora, made.known) == (lora(), None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ink", ""),
        ("portrait ink", " portrait "),
        ("Watercolour-Portrait", " watercolour portrait "),
        ("zebra apple", " apple | zebra "),
        ("", ""),
    ],
)
def test_words_that_a_lora_does_not_say_are_remembered(text: str, found: str) -> None:
    assert changed(lora(), None, pieces(text)).row.found == found


def test_remembered_words_stay_and_new_ones_come() -> None:
    made = changed(lora(), stored(encode(lora()), " zebra "), pieces("apple"))
    assert made.row.found == " apple | zebra "


def test_remembered_words_go_once_the_lora_says_them() -> None:
    made = changed(lora(description="a zebra"), stored(encode(lora()), " apple | zebra "))
    assert made.row.found == " apple "


def test_only_so_many_words_are_remembered_whichever_came_first() -> None:
    words = [f"w{number:03}" for number in range(80)]
    kept = f" {' | '.join(words[:50])} "
    late = f" {' | '.join(words[30:])} "
    assert changed(lora(), stored(encode(lora()), late), pieces(" ".join(words[:30]))).row.found == kept
    assert change(lora(), stored(encode(lora()), kept), pieces(" ".join(words[50:]))) is None


def test_a_value_that_is_not_said_leaves_the_old_one() -> None:
    known = lora(creator="ada", downloads=5, description="long", description_format="html", tags=("ink",))
    merged = merge(known, lora(downloads=7))
    assert (merged.creator, merged.downloads, merged.description, merged.tags) == ("ada", 7, "long", ("ink",))
    assert merged.description_format == "html"


ONE = version(files=(file(size=5, sha256="ab", primary=True),))
PICTURE = Example(url="a", prompt="ink", params={"seed": 1}, width=64, height=48)
PICTURES = version(examples=(PICTURE, Example(url="b")))
EARLY = version(access="paid", access_note="Early access until Friday.", claims=(claim("rank", 8),))
# The versions that are known, those that come, and those that there are then.
VERSIONS: dict[str, tuple[Version, Version, tuple[Version, ...]]] = {
    "a listing does not erase the files a get knew": (ONE, version(), (ONE,)),
    "a file listed again without its hash keeps it": (ONE, version(files=(file(),)), (ONE,)),
    "only one file stays primary": (
        version(files=(file(primary=True), file(OTHER))),
        version(files=(file(OTHER, primary=True),)),
        (version(files=(file(OTHER, primary=True), file())),),
    ),
    "new versions come first and known ones stay": (
        version(), version("civitai:1@11"), (version("civitai:1@11"), version()),
    ),
    "a picture listed without its prompt keeps it": (
        PICTURES, version(examples=(Example(url="a"),)), (PICTURES,),
    ),
    "a full answer replaces the pictures": (
        version(examples=(Example(url="a"),)),
        version(examples=(Example(url="b"),)),
        (version(examples=(Example(url="b"),)),),
    ),
    "a note stays with a listing": (EARLY, version(), (EARLY,)),
    "a note goes with what it was about": (
        EARLY, version(claims=(claim("rank", 8),)), (version(claims=(claim("rank", 8),)),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", VERSIONS)
def test_versions_are_merged(sentence: str) -> None:
    known, come, there = VERSIONS[sentence]
    assert merge(lora(versions=(known,)), lora(versions=(come,))).versions == there


def test_a_source_replaces_only_what_it_said_itself() -> None:
    header = claim("rank", 16, source="header")
    merged = merge(lora(claims=(claim("rank", 8), header)), lora(claims=(claim("rank", 32, where="elsewhere"),)))
    assert merged.claims == (claim("rank", 32, where="elsewhere"), header)


def test_a_listing_and_a_get_in_turns_write_nothing() -> None:
    metadata = claim("trigger_words", ("fox",), source="card", where="card: instance_prompt")
    text = claim("trigger_words", ("with fox",), source="card", where="card: Use `with fox`")
    whole = lora(description="long", claims=(metadata, text))
    listed = changed(lora(claims=(claim("downloads", 7), metadata)), stored(encode(whole))).lora
    assert listed.claims == (claim("downloads", 7), metadata, text)
    assert change(whole, stored(encode(listed))) is None
    assert change(lora(claims=(metadata,)), stored(encode(listed))) is None


GATED = {"access": "gated", "nsfw": "mature"}
PAID = version(access="paid", files=(file(),))


@pytest.mark.parametrize(
    ("known", "come", "level"),
    [
        ({**GATED, "versions": (PAID,)}, {"versions": (version(),)}, ("gated", "mature")),
        (GATED, {}, ("open", "mature")),
        (GATED, {"nsfw": "safe"}, ("open", "safe")),
        ({}, {"nsfw": "safe"}, ("open", "safe")),
        ({}, {"access": "gated", "versions": ()}, ("gated", None)),
        ({"access": "removed"}, {"versions": ()}, ("open", None)),
    ],
    ids=[
        "a thin listing does not open", "a get that knows as much opens", "another level counts",
        "a level that was not known counts", "a listing can close", "what was removed is back once it is listed",
    ],
)  # fmt: skip
def test_access_and_level_are_merged(known: dict[str, Any], come: dict[str, Any], level: tuple[str, str]) -> None:
    merged = merge(lora(**known), lora(**come))
    assert (merged.access, merged.nsfw) == level
    assert [each.access for each in merged.versions] == [each.access for each in lora(**known).versions]


# `...` is anything of the type that the field has.
REFS = st.builds(Ref, version=..., file=...)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
CLAIM = st.builds(Claim, value=VALUES | st.lists(st.text()).map(tuple))
CLAIMS = st.lists(CLAIM, max_size=3).map(tuple)
FILES = st.builds(WeightFile, ref=REFS, size=..., claims=CLAIMS)
EXAMPLES = st.builds(Example, prompt=..., params=st.dictionaries(st.text(), st.text()))
RANDOM_VERSIONS = st.builds(
    Version,
    ref=REFS,
    files=st.lists(FILES, max_size=2).map(tuple),
    examples=st.lists(EXAMPLES, max_size=2).map(tuple),
    claims=CLAIMS,
)
LORAS = st.builds(
    Lora,
    ref=REFS,
    creator=...,
    description=...,
    downloads=...,
    tags=...,
    versions=st.lists(RANDOM_VERSIONS, max_size=2).map(tuple),
    claims=CLAIMS,
)


@settings(max_examples=60, deadline=None)
@given(LORAS)
def test_any_lora_comes_back_as_it_went_in(one: Lora) -> None:
    assert repr(decode(encode(one))) == repr(one)


def test_generation_parameters_keep_their_nesting() -> None:
    params = {"seed": 7, "resources": [{"name": "ink", "weight": 0.8}], "hires": None}
    one = lora(versions=(version(examples=(Example(url="https://a/1.png", params=params),)),))
    assert decode(encode(one)).versions[0].examples[0].params == params


def test_what_is_at_its_default_takes_no_room() -> None:
    assert json.loads(encode(lora(versions=(), updated_at=None))) == {
        "v": 1,
        "ref": ["civitai", "1", None, None],
        "title": "Ink 1",
        "url": "https://civitai.com/models/1",
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"v":1}', '{"v":2}', '{"v":1,"ref":["civitai"]}', '{"v":1,"x":0}']
)
def test_text_that_is_not_ours_raises_our_error(text: str) -> None:
    with pytest.raises(HubUiError):
        decode(text)
