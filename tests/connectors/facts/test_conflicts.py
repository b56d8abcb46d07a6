from __future__ import annotations

import pytest

from connectors.facts.base_models import base_claims
from connectors.facts.conflicts import conflicts, contradicting, sentences
from connectors.record import Claim, Source, Value


def _claim(field: str, value: Value, source: Source = "hub", where: str = "there") -> Claim:
    return Claim(field=field, value=value, source=source, where=where)


def test_a_hub_that_contradicts_the_file_is_a_conflict_in_one_sentence() -> None:
    claims = [_claim("architecture", "flux1", "header"), *base_claims("SDXL 1.0", "hub", "baseModel")]
    assert conflicts(claims) == ("architecture",)
    assert sentences(claims, "civitai") == ("CivitAI says SDXL 1.0, the file is FLUX.1.",)


@pytest.mark.parametrize("source", ["tag", "size", "example"])
def test_a_hint_that_contradicts_the_file_is_none(source: Source) -> None:
    assert conflicts([_claim("architecture", "flux1", "header"), _claim("architecture", "sdxl", source)]) == ()


def test_one_source_contradicts_nobody() -> None:
    assert conflicts([_claim("architecture", "sd1", "card"), _claim("architecture", "sdxl", "card")]) == ()


def test_a_card_that_lists_the_files_base_among_others_contradicts_nobody() -> None:
    card = [_claim("architecture", "sdxl", "card"), _claim("architecture", "flux1", "card")]
    assert conflicts([_claim("architecture", "flux1", "header"), *card]) == ()


def test_two_lists_of_trigger_words_are_no_conflict() -> None:
    assert conflicts([_claim("trigger_words", ("a",), "hub"), _claim("trigger_words", ("b",), "card")]) == ()


@pytest.mark.parametrize(
    ("file", "hub_says", "told"),
    [
        ("pony", "SDXL Turbo", ("CivitAI says SDXL Turbo, the file says Pony.",)),
        ("illustrious", "Pony", ("CivitAI says Pony, the file says Illustrious.",)),
        ("flux.2-klein-9b", "Flux.2 D", ("CivitAI says Flux.2 D, the file says FLUX.2 Klein 9B.",)),
        # What training scripts and authors write for every SDXL file, a variant of the same, a name nobody listed.
        ("pony", "SDXL 1.0", ()),
        ("sdxl-1.0", "Illustrious", ()),
        ("flux.2-klein-9b-base", "Flux.2 Klein 9B", ()),
        ("pony", "Brand New XL", ()),
        ("noobai", "Illustrious", ()),
        ("illustrious", "NoobAI", ()),
    ],
)
def test_two_lineages_that_exclude_each_other_are_a_conflict(file: str, hub_says: str, told: tuple[str, ...]) -> None:
    claims = [_claim("base_model", file, "header"), *base_claims(hub_says, "hub", "baseModel")]
    assert sentences(claims, "civitai") == told


def test_several_who_disagree_stand_in_one_sentence() -> None:
    claims = [_claim("rank", 4, "header"), _claim("rank", 16, "hub"), _claim("rank", 32, "card")]
    assert sentences(claims, "huggingface") == (
        "Hugging Face says rank 16 and the model card says rank 32, the file has rank 4.",
    )


def test_without_the_file_the_card_is_held_against_the_hub() -> None:
    claims = [_claim("algorithm", "lokr", "hub"), _claim("algorithm", "lora", "card")]
    assert sentences(claims, "civitai") == ("The description says lora, CivitAI says lokr.",)
    assert [claim.source for claim in contradicting(claims, "algorithm")] == ["card"]
