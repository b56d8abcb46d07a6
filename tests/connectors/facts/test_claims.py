from __future__ import annotations

import pytest

from connectors.facts.claims import best, conflicts, flatten
from connectors.record import Claim, Lora, Source, Value, Version, WeightFile
from connectors.ref import Ref

REF = Ref.parse("civitai:1")


def _claim(field: str, value: Value, source: Source = "hub") -> Claim:
    return Claim(field=field, value=value, source=source, where="there")


def test_the_most_trusted_claim_is_believed() -> None:
    claims = [_claim("rank", 8, "size"), _claim("rank", 16, "header"), _claim("rank", 4, "card")]
    assert best(claims, "rank") == 16


def test_among_equals_the_earlier_one_is_believed() -> None:
    assert best([_claim("kind", "style"), _claim("kind", "tool")], "kind") == "style"


@pytest.mark.parametrize("empty", [None, "", ()])
def test_an_empty_claim_says_nothing(empty: Value) -> None:
    assert best(
        [_claim("trigger_words", empty, "header"), _claim("trigger_words", ("a",), "tag")], "trigger_words"
    ) == ("a",)


def test_nothing_said_is_none() -> None:
    assert best([], "rank") is None


def test_a_hub_that_contradicts_the_file_is_a_conflict() -> None:
    claims = [_claim("architecture", "flux1", "header"), _claim("architecture", "sdxl", "hub")]
    assert conflicts(claims) == ("architecture",)


@pytest.mark.parametrize("source", ["tag", "size", "example"])
def test_a_hint_that_contradicts_the_file_is_none(source: Source) -> None:
    assert conflicts([_claim("architecture", "flux1", "header"), _claim("architecture", "sdxl", source)]) == ()


def test_one_source_contradicts_nobody() -> None:
    assert conflicts([_claim("architecture", "sd1", "card"), _claim("architecture", "sdxl", "card")]) == ()


def test_two_lists_of_trigger_words_are_no_conflict() -> None:
    assert conflicts([_claim("trigger_words", ("a",), "hub"), _claim("trigger_words", ("b",), "card")]) == ()


def test_a_record_reads_the_claims_of_file_version_and_lora() -> None:
    file = WeightFile(ref=REF.at("2", "3"), name="x", claims=(_claim("rank", 16, "header"),))
    version = Version(ref=REF.at("2"), name="v", files=(file,), claims=(_claim("base_model", "pony"),))
    lora = Lora(ref=REF, title="x", url="https://example.org", versions=(version,), claims=(_claim("kind", "style"),))
    record = flatten(lora)
    assert (record.rank, record.base_model, record.kind) == (16, "pony", "style")
    assert len(record.claims) == 3


def test_a_versions_access_counts_while_the_lora_itself_is_open() -> None:
    paid = Version(ref=REF.at("2"), name="v", access="paid")
    lora = Lora(ref=REF, title="x", url="https://example.org", versions=(paid,))
    assert flatten(lora).access == "paid"
