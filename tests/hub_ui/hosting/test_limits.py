"""hub_ui/hosting/limits.py."""

from __future__ import annotations

from dataclasses import fields

import pytest

from connectors.errors import UsageError
from hub_ui.hosting.limits import TABLE, Limit, Limits, read_limits


def test_the_table_has_a_row_for_every_limit() -> None:
    assert {limit.name for limit in TABLE} == {field.name for field in fields(Limits)} - {"bases"}


@pytest.mark.parametrize("limit", TABLE, ids=lambda limit: limit.name)
def test_each_limit_is_read_from_its_variable(limit: Limit) -> None:
    assert limit.smallest <= limit.default <= limit.largest
    for number in (limit.smallest, limit.largest):
        assert getattr(read_limits({limit.variable: str(number)}), limit.name) == number


@pytest.mark.parametrize("limit", TABLE, ids=lambda limit: limit.name)
def test_a_wrong_value_of_each_limit_is_a_sentence_with_the_next_step(limit: Limit) -> None:
    for text in (str(limit.smallest - 1), str(limit.largest + 1), "many", "1.5", "-1", "٣", "1 TB"):
        with pytest.raises(UsageError) as raised:
            read_limits({limit.variable: text})
        assert raised.value.message.startswith(f"{limit.variable}=")
        assert f"Write one, or unset it for {limit.show(limit.default)}." in raised.value.message


def test_bytes_may_have_a_unit() -> None:
    given = {"HUB_UI_LIMIT_CACHE_BYTES": "2GB", "HUB_UI_LIMIT_LORA_BYTES": "500 MB", "HUB_UI_LIMIT_STEPS": " 20 "}
    assert read_limits(given) == Limits(cache_bytes=2_000_000_000, lora_bytes=500_000_000, steps=20)
    with pytest.raises(UsageError, match="HUB_UI_LIMIT_STEPS=2GB is no whole number from 1 to 500"):
        read_limits({"HUB_UI_LIMIT_STEPS": "2GB"})


def test_bases_are_ids_with_commas_between_them() -> None:
    assert read_limits({"HUB_UI_LIMIT_BASES": "sdxl-1.0, FLUX.1-dev"}).bases == {"sdxl-1.0", "flux.1-dev"}
    with pytest.raises(UsageError, match=r"/etc names no base model\. Write ids"):
        read_limits({"HUB_UI_LIMIT_BASES": "/etc"})


def test_a_name_that_is_no_limit_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"HUB_UI_LIMIT_STEP is no limit\. Did you mean “HUB_UI_LIMIT_STEPS”"):
        read_limits({"HUB_UI_LIMIT_STEP": "20"})


def test_what_is_empty_is_unset() -> None:
    assert read_limits({"HUB_UI_LIMIT_STEPS": "", "HUB_UI_LIMIT_BASES": " ", "HOME": "/x"}) == Limits()
