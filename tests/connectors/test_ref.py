import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadRef
from connectors.ref import Ref, is_bare, is_id, is_path, local_ref
from tests.addresses import COMMIT, HASH, NAMELESS, OTHER_PAGES, WRITTEN
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("text", "printed"), [*WRITTEN, *READ["everything people paste is read"]])
def test_everything_people_paste_is_read(text: str, printed: str) -> None:
    ref = Ref.parse(text)
    assert str(ref) == printed
    assert Ref.parse(printed) == ref


@pytest.mark.parametrize(
    "text",
    [
        *json.loads(Path(__file__).with_name("no_refs.json").read_text(encoding="utf-8")),
        *NAMELESS,
        f"local:a@{HASH}#x",
        "civitai:" + "9" * 40,
        "a/b:" + "b2" * 31,
        "https://civitai.com/models/4128?" + "x" * 4000,
    ],
)
def test_what_names_nothing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRef, match="huggingface:OWNER/NAME"):
        Ref.parse(text)


@pytest.mark.parametrize(("text", "hub"), [*zip(NAMELESS, ("CivitAI", "Hugging Face"), strict=True)])
def test_an_address_of_a_hub_without_a_name_says_why_and_what_to_do(text: str, hub: str) -> None:
    with pytest.raises(BadRef, match=f"{hub} for an image, a list or a signed download .* LoRA's own page"):
        Ref.parse(text)


@pytest.mark.parametrize(("text", "page"), OTHER_PAGES)
def test_an_address_of_another_page_says_what_it_shows(text: str, page: str) -> None:
    with pytest.raises(BadRef, match=f"It is the address of {page}: paste the address of the LoRA's own page"):
        Ref.parse(text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["https:", "hf download '", "load_lora_weights(", "models--", "[url=", "a/b ", '="', "urn:air:"]
)
def test_hostile_repetition_is_refused_in_linear_time(piece: str) -> None:
    with pytest.raises(BadRef):
        Ref.parse(piece * (4_000 // len(piece)) + "!")


def test_an_address_in_the_middle_of_a_text_is_found_and_the_first_one_counts() -> None:
    text = "Mine (https://civitai.com/models/1), after https://civitai.com/models/2!"
    assert str(Ref.parse(text)) == "civitai:1"


def test_a_refusal_shows_no_control_characters_and_no_novel() -> None:
    with pytest.raises(BadRef) as caught:
        Ref.parse("\x1b[31m" + "x" * 1000)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(("text", "pinned"), READ["only what can t change is pinned"])
def test_only_what_can_t_change_is_pinned(text: str, pinned: bool) -> None:
    assert Ref.parse(text).is_pinned is pinned


def test_a_ref_can_be_moved_to_a_version_and_back() -> None:
    ref = Ref.parse("civitai:1").at("2", "3")
    assert (str(ref), str(ref.lora)) == ("civitai:1@2#3", "civitai:1")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        ref = Ref.parse(text)
    except BadRef:
        return
    assert Ref.parse(str(ref)) == ref


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(?<!\.)", fullmatch=True), st.text(min_size=1))
def test_every_file_of_a_repo_survives_printing(name: str, file: str) -> None:
    ref = Ref(hub="huggingface", id=f"a/{name}", version=COMMIT, file=file)
    if is_path(file) and file == file.strip():
        assert Ref.parse(str(ref)) == ref


@given(st.text())
def test_any_file_name_makes_a_ref_that_is_read_back(name: str) -> None:
    ref = local_ref(name, HASH)
    assert ref.is_pinned
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize(
    ("name", "ref"),
    [("My Robot v1.5", "local:My Robot v1.5"), ("../x@y#z", "local:x-y-z"), ("***", "local:unnamed"), ("é", "local:é")],
)
def test_a_file_keeps_its_name_in_its_ref_as_far_as_a_ref_may_hold_it(name: str, ref: str) -> None:
    assert str(local_ref(name, HASH).lora) == ref


@pytest.mark.parametrize(
    ("text", "valid"), [("a/b", True), ("a/b/c", False), ("", False), ("../b", False), ("a b", False)]
)
def test_an_id_is_checked_before_it_becomes_a_ref(text: str, valid: bool) -> None:
    assert is_id("huggingface", text) is valid


@pytest.mark.parametrize(("text", "bare"), READ["an owner and name without a hub can be told from a ref that names it"])
def test_an_owner_and_name_without_a_hub_can_be_told_from_a_ref_that_names_it(text: str, bare: bool) -> None:
    assert is_bare(text) is bare
