import pytest

from tests.corpus import absence
from tests.tools.accuracy.corpus import cases
from tests.tools.accuracy.loading import Loaded, Networks, load_case, share_in_full, shortfalls


@pytest.mark.skipif(absence() is not None, reason=str(absence()))
def test_whole_loras_take_full_effect_and_none_changes_nothing_in_silence() -> None:
    networks = Networks()
    loads = [each for path in cases() if (each := load_case(path, networks, quickly=True))]
    assert shortfalls(loads) == []
    assert share_in_full(loads) >= 0.85


def lora(**fields: object) -> Loaded:
    given = {"case": "a", "whole": True, "before": "silent", "after": "in full", **fields}
    return Loaded(**given)  # type: ignore[arg-type]


def test_of_whole_loras_the_share_is_told_and_one_below_the_promise_or_a_silent_load_falls_short() -> None:
    others = [lora(whole=False, after="in part"), lora(based=False, after="refused")]
    assert (share_in_full([lora(), *others]), share_in_full([lora(), lora(after="in part")])) == (1.0, 0.5)
    assert shortfalls([lora(after="silent", whole=False)]) == ["loading: a changes nothing in silence"]
    assert shortfalls([lora(after="refused")]) == ["loading: 0.0% of whole LoRAs in full, 95% wanted"]
