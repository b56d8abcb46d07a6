from __future__ import annotations

import pytest

from connectors.claims.license import civitai_claims
from connectors.record import Claim
from connectors.ref import Ref
from hub_ui.library.collections import QUESTIONS, LicenseSummary, summarize_licenses
from hub_ui.library.lockfile import Entry
from tests.hub_ui.library.building import entry

HF = Ref.parse("huggingface:ada/ink@" + "1" * 40)


def summarize(*entries: Entry, claims: tuple[Claim, ...] = ()) -> LicenseSummary:
    return summarize_licenses(entries, lambda _: claims)


def answers(*entries: Entry, claims: tuple[Claim, ...] = ()) -> list[str]:
    """In the order of QUESTIONS: sell images, run as a service, sell, merge, no credit."""
    return [verdict.answer for verdict in summarize(*entries, claims=claims).together.values()]


def boxes(**fields: object) -> str:
    [claim] = civitai_claims(fields)
    return str(claim.value)


ALL = boxes(allowCommercialUse=["Image", "Rent", "Sell"], allowNoCredit=True, allowDerivatives=True)
NONE = boxes(allowCommercialUse=[], allowNoCredit=False, allowDerivatives=False)


@pytest.mark.parametrize(
    ("license", "expected"),
    [
        ("cc0-1.0", ["yes", "yes", "yes", "yes", "yes"]),
        ("apache-2.0", ["yes", "yes", "yes", "yes", "no"]),
        ("cc-by-nc-4.0", ["no", "no", "no", "yes", "no"]),
        ("flux-1-dev-non-commercial-license", ["yes", "no", "no", "yes", "no"]),
        ("openrail++", ["yes", "yes", "yes", "yes", "unknown"]),
        ("my own words", ["unknown", "unknown", "unknown", "unknown", "unknown"]),
        ("images may be sold, it may be sold", ["unknown", "unknown", "unknown", "unknown", "unknown"]),
        (None, ["unknown", "unknown", "unknown", "unknown", "unknown"]),
    ],
)
def test_a_licence_answers_each_question(license: str | None, expected: list[str]) -> None:
    assert answers(entry(ref=HF, license=license)) == expected


@pytest.mark.parametrize(
    ("license", "expected"), [(ALL, ["yes", "yes", "yes", "yes", "yes"]), (NONE, ["no", "no", "no", "no", "no"])]
)
def test_civitais_boxes_answer_too(license: str, expected: list[str]) -> None:
    assert answers(entry(license=license)) == expected


def test_the_base_models_licence_binds_too() -> None:
    assert answers(entry(license=ALL, base_model="flux.1-dev")) == ["yes", "no", "no", "yes", "no"]
    refuted = Claim(field="base_license", value="apache-2.0", source="hub", where="licence of Z-Image")
    [one] = summarize(entry(license=ALL, base_model="flux.1-dev"), claims=(refuted,)).each
    assert one.base == "FLUX.1 [dev] Non-Commercial License"


def test_a_base_model_of_unknown_terms_leaves_it_unknown() -> None:
    assert answers(entry(license=ALL, base_model="illustrious")) == ["unknown"] * 5


def test_a_set_permits_what_its_strictest_permits() -> None:
    found = summarize(entry(license=ALL), entry(ref=HF, license="cc-by-nc-4.0"))
    assert [verdict.answer for verdict in found.together.values()] == ["no", "no", "no", "yes", "no"]
    assert [one.ref for one in found.together["sell_images"].because] == [HF]
    assert found.together["merge"].because == ()


def test_no_outweighs_unknown_and_unknown_outweighs_yes() -> None:
    unknown = entry(ref=HF, license=None)
    assert answers(entry(license=NONE), unknown) == ["no"] * len(QUESTIONS)
    assert answers(entry(license=ALL), unknown) == ["unknown"] * len(QUESTIONS)


def test_what_the_hub_said_of_the_terms_leads() -> None:
    claim = Claim(field="license_terms", value=ALL, source="card", where="license_link")
    assert answers(entry(ref=HF, license="other"), claims=(claim,)) == ["yes"] * 5


def test_conditions_of_all_are_listed_once() -> None:
    found = summarize(entry(ref=HF, license="openrail++"), entry(license=ALL, base_model="sd-1.5"))
    assert found.conditions == ("harmful uses forbidden", "merges keep these terms")


def test_an_empty_set_permits_nothing_anyone_knows_of() -> None:
    assert answers() == ["unknown"] * 5
