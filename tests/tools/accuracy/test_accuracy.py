"""Every recorded header is read as what it is, and loaded, within the figures that this project promises."""

from typing import Any

import pytest

from connectors.weights.lora_facts import LoraFacts
from tests.corpus import absence
from tests.tools.accuracy import loading
from tests.tools.accuracy.scoring import Score, cases, judge, score, share, shortfalls

TRUTH = {
    "is_lora": True,
    "kind": "lora",
    "arch": "flux1",
    "acceptable_bases": ["flux1"],
    "rank": 16,
    "format": "diffusers-peft",
    "algorithm": "lora",
}
FOUND: dict[str, Any] = {"architecture": "flux1", "rank": 16, "format": "diffusers", "algorithm": "lora"}


def scored(truth: dict[str, Any], **found: Any) -> Score:
    return score("a", {**TRUTH, **truth}, LoraFacts(what="lora", **{**FOUND, **found}))


def missed(truth: dict[str, Any], **found: Any) -> list[str]:
    return list(scored(truth, **found).misses)


def test_the_recorded_headers_are_read_as_what_they_are() -> None:
    if absent := absence():
        pytest.skip(absent)
    scores = [judge(path) for path in cases()]
    assert shortfalls(scores) == [], [each.misses for each in scores if each.misses]


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        ({}, {}),
        ({"format": "kohya+diffusers-peft"}, {"format": "diffusers+kohya"}),
        ({"format": "comfy"}, {"format": "ai-toolkit"}),
        ({"format": "diffusers-bare-kohya-suffix"}, {"format": None}),
        ({"rank": None}, {"rank": 8}),
        ({"algorithm": None}, {"algorithm": "lokr"}),
        ({"acceptable_bases": ["flux1", "chroma"]}, {"architecture": "chroma"}),
        ({"acceptable_bases": ["flux1", "chroma"]}, {"architecture": None}),
    ],
)
def test_anything_that_the_corpus_leaves_open_is_right(truth: dict[str, Any], found: dict[str, Any]) -> None:
    assert missed(truth, **found) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"architecture": None}, "a: architecture should be flux1, was read as None"),
        ({"architecture": "sd1"}, "a: architecture should be flux1, was read as sd1"),
        ({"rank": 4}, "a: rank should be 16, was read as 4"),
        ({"format": "peft"}, "a: format should be diffusers, was read as peft"),
    ],
)
def test_a_miss_tells_both_sides(found: dict[str, Any], said: str) -> None:
    assert missed({}, **found) == [said]


def test_silence_is_no_error_but_a_wrong_architecture_is_never_let_by() -> None:
    many = [scored({})] * 199
    assert shortfalls([*many, scored({}, architecture=None)]) == []
    assert shortfalls([*many, scored({}, architecture="sd1")]) == ["architecture: 1 confidently wrong, none wanted"]
    assert shortfalls([*many[:49], scored({}, architecture=None)]) == [
        "architecture: 98.0% of positives right, 99% wanted"
    ]


def test_a_negative_must_be_refused_as_what_it_is() -> None:
    truth = {"is_lora": False, "kind": "textual_inversion", "arch": "sd1"}
    right = score("a", truth, LoraFacts(what="embedding"))
    wrong = score("b", truth, LoraFacts(what="other"))
    assert (share([right], "what"), share([right, wrong], "what")) == (1.0, 0.5)
    assert shortfalls([right, wrong]) == ["negatives: 50.0% refused as what they are, all wanted"]


@pytest.mark.skipif(absence() is not None, reason=str(absence()))
def test_whole_loras_take_full_effect_and_none_changes_nothing_in_silence() -> None:
    networks = loading.Networks()
    loads = [each for path in cases() if (each := loading.load_case(path, networks, quickly=True))]
    assert loading.shortfalls(loads) == []
    assert loading.share_in_full(loads) >= 0.85


def lora(**fields: object) -> loading.Loaded:
    given = {"case": "a", "whole": True, "before": "silent", "after": "in full", **fields}
    return loading.Loaded(**given)  # type: ignore[arg-type]


def test_of_whole_loras_the_share_is_told_and_one_below_the_promise_or_a_silent_load_falls_short() -> None:
    others = [lora(whole=False, after="in part"), lora(based=False, after="refused")]
    assert loading.share_in_full([lora(), *others]) == 1.0
    assert loading.share_in_full([lora(), lora(after="in part")]) == 0.5
    assert loading.shortfalls([lora(after="silent", whole=False)]) == ["loading: a changes nothing in silence"]
    assert loading.shortfalls([lora(after="refused")]) == ["loading: 0.0% of whole LoRAs in full, 95% wanted"]
