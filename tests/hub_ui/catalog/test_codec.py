import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import HubUiError
from connectors.record import Claim, Example, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.codec import decode, encode
from tests.hub_ui.catalog.builders import lora, version

REFS = st.builds(
    Ref,
    hub=st.sampled_from(("civitai", "huggingface", "replicate")),
    id=st.text(),
    version=st.none() | st.text(),
    file=st.none() | st.text(),
)
CLAIMS = st.builds(
    Claim,
    field=st.text(),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.lists(st.text()).map(tuple),
    source=st.sampled_from(("header", "hub", "card", "tag", "size", "example")),
    where=st.text(),
)
CLAIM_TUPLES = st.lists(CLAIMS, max_size=3).map(tuple)
FILES = st.builds(WeightFile, ref=REFS, name=st.text(), size=st.none() | st.integers(), claims=CLAIM_TUPLES)
EXAMPLES = st.builds(Example, url=st.text(), prompt=st.none() | st.text(), params=st.dictionaries(st.text(), st.text()))
VERSIONS = st.builds(
    Version,
    ref=REFS,
    name=st.text(),
    files=st.lists(FILES, max_size=2).map(tuple),
    examples=st.lists(EXAMPLES, max_size=2).map(tuple),
    claims=CLAIM_TUPLES,
)
LORAS = st.builds(
    Lora,
    ref=REFS,
    title=st.text(),
    url=st.text(),
    creator=st.none() | st.text(),
    description=st.text(),
    downloads=st.none() | st.integers(),
    tags=st.lists(st.text()).map(tuple),
    versions=st.lists(VERSIONS, max_size=2).map(tuple),
    claims=CLAIM_TUPLES,
)


@settings(max_examples=60, deadline=None)
@given(LORAS)
def test_any_lora_comes_back_as_it_went_in(one: Lora) -> None:
    assert repr(decode(encode(one))) == repr(one)


def test_a_lone_surrogate_and_a_nul_come_back() -> None:
    odd = lora(title="a\ud800b\x00c")
    assert decode(encode(odd)).title == "a\ud800b\x00c"


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
