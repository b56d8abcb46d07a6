from typing import Any

import pytest

from connectors.claims.availability import huggingface_availability, lora_availability, version_availability
from tests.connectors.building import NOW

SOON, PAST = "2026-08-23T12:00:00.000Z", "2026-08-19T12:00:00.000Z"


@pytest.mark.parametrize(
    ("version", "access"),
    [
        ({}, "open"),
        ({"usageControl": "Download"}, "open"),
        ({"usageControl": "Generation"}, "generation-only"),
        ({"usageControl": "InternalGeneration"}, "generation-only"),
        ({"paidAccess": None}, "open"),
        ({"paidAccess": {"permanent": False, "endsAt": None}}, "open"),
        ({"paidAccess": {"permanent": True, "endsAt": None}}, "paid"),
        ({"paidAccess": {"permanent": False, "endsAt": SOON}}, "paid"),
        ({"paidAccess": {"permanent": False, "endsAt": PAST}}, "open"),
        ({"availability": "EarlyAccess", "earlyAccessEndsAt": SOON}, "paid"),
        ({"availability": "EarlyAccess", "earlyAccessDeadline": SOON}, "paid"),
        ({"availability": "EarlyAccess", "earlyAccessEndsAt": PAST}, "open"),
        ({"earlyAccessTimeFrame": 7, "publishedAt": PAST}, "paid"),
        ({"earlyAccessTimeFrame": 1, "publishedAt": "2026-08-01T00:00:00Z"}, "open"),
        ({"earlyAccessTimeFrame": 0, "publishedAt": PAST}, "open"),
        ({"availability": "EarlyAccess"}, "paid"),
        ({"requireAuth": True}, "login"),
        ({"requireAuth": True, "paidAccess": {"permanent": True}}, "paid"),
        ({"status": "Published"}, "open"),
        ({"status": "UnpublishedViolation"}, "removed"),
        ({"status": "Scheduled", "usageControl": "Download"}, "archived"),
        ({"status": "A state of next year"}, "archived"),
        ({"availability": "Public"}, "open"),
        ({"availability": "Private"}, "archived"),
        ({"paidAccess": "yes", "earlyAccessTimeFrame": "x", "publishedAt": 7}, "open"),
    ],
)
def test_access_has_had_many_forms(version: dict[str, Any], access: str) -> None:
    assert version_availability(version, NOW).access == access


@pytest.mark.parametrize(
    ("until", "note"),
    [
        (SOON, "Early access for 3 more days, until 2026-08-23 12:00 UTC."),
        ("2026-08-21T10:00:00Z", "Early access for 22 more hours, until 2026-08-21 10:00 UTC."),
        ("2026-08-20T13:00:00Z", "Early access for less than two hours, until 2026-08-20 13:00 UTC."),
    ],
)
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


@pytest.mark.parametrize(
    ("version", "where"),
    [
        ({"usageControl": "Download"}, "v.usageControl"),
        ({"paidAccess": {"permanent": True}}, "v.paidAccess"),
        ({"paidAccess": {"permanent": False, "endsAt": PAST}}, "v.paidAccess"),
        ({"earlyAccessEndsAt": SOON}, "v.earlyAccessEndsAt"),
        ({"earlyAccessTimeFrame": 7, "publishedAt": PAST}, "v.earlyAccessTimeFrame"),
        ({"availability": "EarlyAccess"}, "v.availability"),
        ({"requireAuth": True}, "v.requireAuth"),
    ],
)
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
