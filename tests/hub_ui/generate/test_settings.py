"""A job with its defaults, and what of it can't be had."""

from __future__ import annotations

import pytest

from connectors.errors import UsageError
from hub_ui.generate import base_models, comparison
from hub_ui.generate.settings import check_request, resolve_request, size_notes
from tests.hub_ui.generate import making


def test_a_size_that_no_pipeline_draws_is_told() -> None:
    choice = base_models.choose_base("tiny-shapes", None, None)
    asked = making.job(width=100, height=77)
    assert size_notes(asked, resolve_request(asked, choice)) == (
        "Sides are multiples of 16 pixels: 96 x 64 in place of 100 x 77.",
    )
    asked = making.job(width=96, height=64)
    assert size_notes(asked, resolve_request(asked, choice)) == ()
    asked = making.job(width=None, height=None)
    assert size_notes(asked, resolve_request(asked, choice)) == ()


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_has_limits_and_they_are_named(seed: int) -> None:
    asked = making.job(seed=seed)
    with pytest.raises(UsageError, match=r"from 0 to 9223372036854775807"):
        check_request(asked, comparison.single(asked))
    asked = making.job(seed=2**63 - 1)
    check_request(asked, comparison.single(asked))
