from pathlib import Path

import pytest

from connectors.claims.content import level_of, mature_claims
from connectors.claims.minors import minor_claims
from connectors.record import Claim, Nsfw
from tests.corpus import rows_of

ROWS = rows_of(Path(__file__).with_name("minors.tsv"))


def is_withheld(text: str) -> bool:
    said = [(text, "title")]
    return minor_claims(level_of(mature_claims((), said)), said) != ()


@pytest.mark.parametrize("text", [row["text"] for row in ROWS if row["withheld"] == "yes"])
def test_a_minor_and_sexual_content_are_withheld(text: str) -> None:
    assert is_withheld(text)


@pytest.mark.parametrize("text", [row["text"] for row in ROWS if row["withheld"] == "no"])
def test_an_innocent_text_stays_listed(text: str) -> None:
    assert not is_withheld(text)


def test_a_claim_names_the_place() -> None:
    said = [("ink", "title"), ("schoolgirl", "tags")]
    assert [claim.where for claim in minor_claims("mature", said)] == ["tags"]


def test_a_card_that_forbids_minors_is_listed_and_one_that_states_an_age_is_not() -> None:
    assert minor_claims("mature", [], "Do not exploit or harm children.") == ()
    assert [claim.where for claim in minor_claims("mature", [], "Trained on 6-12yo.")] == ["card"]


@pytest.mark.parametrize(("level", "places"), [(None, ["trigger words"]), ("safe", [])])
def test_an_age_as_a_trigger_word_is_enough_for_an_unrated_lora(level: Nsfw | None, places: list[str]) -> None:
    words = Claim(field="trigger_words", value=("ink", "6-12yo"), source="card", where="card")
    assert [claim.where for claim in minor_claims(level, [], claims=[words])] == places
