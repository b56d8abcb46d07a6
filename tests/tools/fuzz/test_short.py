"""The fuzzing in short: a few hundred cases of `make fuzz`, and whatever Hypothesis thinks of."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.weights.header import DTYPE_BITS
from tests.tools.fuzz import answers, headers
from tests.tools.fuzz.__main__ import fuzz
from tests.tools.fuzz.cases import Read, What, outcome_of, run
from tests.tools.fuzz.headers import Damaged
from tests.tools.fuzz.mutations import RAW, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(RAW)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.builds(
    "{}{}{}".format, st.sampled_from(headers.PREFIXES), st.text(max_size=9), st.sampled_from(headers.SUFFIXES)
)
SHAPES = st.lists(st.integers(min_value=0, max_value=20_000), max_size=5)
TENSORS = st.fixed_dictionaries({"dtype": st.sampled_from(sorted(DTYPE_BITS)), "shape": SHAPES})
METADATA = st.dictionaries(
    st.sampled_from(
        ["ss_network_dim", "ss_network_alpha", "ss_network_args", "ss_tag_frequency", "ss_dataset_dirs", "ss_v2",
         "ss_base_model_version", "ss_sd_model_name", "ss_network_module", "modelspec.architecture",
         "modelspec.trigger_phrase", "lora_adapter_metadata", "alpha", "software", "unet:0:rank"]
    ),
    st.text(max_size=30) | JSON.map(json.dumps),
    max_size=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def read_answer() -> Iterator[Read]:
    with answers.wired() as (wire, hubs):
        yield lambda case: answers.outcome(wire, hubs, case)


def ends_well(read: Read, case: Any) -> None:
    outcome = outcome_of(read, case)
    if isinstance(outcome, Exception):
        raise outcome


def test_damaged_headers_and_answers_end_in_facts_and_records_or_an_error_of_ours() -> None:
    tally = fuzz("headers", 1, 300)
    assert tally.faults == []
    assert tally.outcomes.keys() == {"record", "BadHeader", "NotWeights"}
    assert tally.outcomes["record"] > 60
    tally = fuzz("answers", 1, 120)
    assert tally.faults == []
    assert tally.outcomes["record"] > 30


@pytest.mark.fuzz
@pytest.mark.parametrize(
    ("what", "count"),
    [("headers", 1_500), ("answers", 600), ("bombs", len(headers.BOMBS)), ("answer bombs", answers.BOMBS)],
)
def test_nothing_fills_memory(what: What, count: int) -> None:
    tally = fuzz(what, 1, count)
    assert tally.faults == []
    assert tally.memory < 200 * 2**20


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(
    start=st.binary(min_size=8, max_size=8) | st.integers(0, 300).map(lambda n: n.to_bytes(8, "little")),
    rest=st.binary(),
)
def test_any_bytes(start: bytes, rest: bytes) -> None:
    ends_well(headers.outcome, Damaged(data=start + rest, size=None))
    ends_well(headers.outcome, Damaged(data=start + rest, size=8 + len(rest)))


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(document=JSON | st.dictionaries(NAMES, JSON, max_size=4), seed=st.integers(0, 2**32))
def test_any_json_as_a_header(document: Any, seed: int) -> None:
    ends_well(headers.outcome, headers.whole(written(Random(seed), document)))


@pytest.mark.fuzz
@settings(max_examples=500, deadline=None)
@given(tensors=st.dictionaries(NAMES, TENSORS, max_size=6), metadata=METADATA, fill=st.binary(min_size=1, max_size=4))
def test_any_tensors_and_metadata(tensors: dict[str, Any], metadata: dict[str, str], fill: bytes) -> None:
    ends_well(headers.outcome, headers.file_of({"__metadata__": metadata, **tensors}, fill))


@pytest.mark.fuzz
@pytest.mark.parametrize("name", answers.KINDS)
@settings(max_examples=25, deadline=None)
@given(document=JSON)
def test_any_json_as_an_answer(read_answer: Read, name: str, document: Any) -> None:
    answer = answers.Answer(kind=name, data=written(Random(0), document), headers={}, asked=document)
    ends_well(read_answer, answer)


def test_a_run_is_the_same_every_time() -> None:
    healthy = headers.seeds()
    first, second = (headers.damaged_file(Random("1 headers 7"), healthy) for _ in range(2))
    assert first == second
    assert run("headers", 1, range(40)).outcomes == run("headers", 1, range(40)).outcomes


def test_healthy_headers_and_answers_are_read(read_answer: Read) -> None:
    outcomes = {outcome_of(headers.outcome, headers.file_of(each, b"\0")) for each in headers.seeds()}
    assert outcomes == {"record"}
    for name, made in answers.KINDS.items():
        data = made.made.encode() if isinstance(made.made, str) else json.dumps(made.made).encode()
        assert outcome_of(read_answer, answers.Answer(kind=name, data=data, headers={}, asked=made.made)) == "record"
