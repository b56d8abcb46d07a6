from typing import Any

import pytest

from connectors.claims.availability import huggingface_availability, lora_availability, version_availability
from tests.connectors.building import NOW
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("version", "access"), READ["access has had many forms"])
def test_access_has_had_many_forms(version: dict[str, Any], access: str) -> None:
    assert version_availability(version, NOW).access == access


@pytest.mark.parametrize(("until", "note"), READ["a note gives the time left"])
def test_a_note_gives_the_time_left(until: str, note: str) -> None:
    availability = version_availability({"paidAccess": {"permanent": False, "endsAt": until}}, NOW)
    assert (availability.access, availability.note) == ("paid", note)


@pytest.mark.parametrize(
    ("gated", "disabled", "front", "access"),
    [
        (False, None, {}, "open"),
        (None, None, {}, "open"),
        ("auto", None, {}, "gated"),
        ("manual", None, {}, "gated"),
        (None, None, {"extra_gated_prompt": "Do you agree?"}, "gated"),
        (False, None, {"extra_gated_prompt": "Do you agree?"}, "open"),
        (None, None, {7: "x"}, "open"),
        (False, True, {}, "removed"),
    ],
)
def test_a_repo_has_a_gate_or_is_gone(gated: object, disabled: object, front: dict[Any, Any], access: str) -> None:
    assert huggingface_availability(gated, disabled, front).access == access


@pytest.mark.parametrize(("version", "where"), READ["a claim names the field that says it"])
def test_a_claim_names_the_field_that_says_it(version: dict[str, Any], where: str) -> None:
    availability = version_availability(version, NOW)
    assert [(c.value, c.where) for c in availability.claims("v.")] == [(availability.access, where)]


def test_what_nothing_says_is_no_claim() -> None:
    assert version_availability({}, NOW).claims() == huggingface_availability(None, None, {}).claims() == ()
    assert lora_availability({}).claims() == ()
    assert lora_availability({"mode": "Quarantined"}).access == "archived"
    assert (
        lora_availability({"mode": "Quarantined"}).note
        == "CivitAI gives its state as “Quarantined”, so it can't be downloaded."
    )
    assert [(c.value, c.where) for c in lora_availability({"mode": "Archived"}).claims()] == [("archived", "mode")]
