"""The fuzzing in short: a few hundred cases of `make fuzz`."""

import json
from random import Random

import pytest

from tests.tools.fuzz import answers, headers
from tests.tools.fuzz.__main__ import fuzz
from tests.tools.fuzz.cases import What, outcome_of, run
from tests.tools.fuzz.mutations import damaged


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


def test_a_run_is_the_same_every_time() -> None:
    first, second = ([repr(damaged(Random(n), {"a": [{}]}, [])) for n in range(3000)] for _ in range(2))
    assert first == second
    assert run("headers", 1, range(40)).outcomes == run("headers", 1, range(40)).outcomes


def test_healthy_headers_and_answers_are_read() -> None:
    outcomes = {outcome_of(headers.outcome, headers.file_of(each, b"\0")) for each in headers.seeds()}
    assert outcomes == {"record"}
    with answers.wired() as (wire, hubs):
        for name, made in answers.KINDS.items():
            data = made.made.encode() if isinstance(made.made, str) else json.dumps(made.made).encode()
            answers.outcome(wire, hubs, answers.Answer(kind=name, data=data, headers={}, asked=made.made))
