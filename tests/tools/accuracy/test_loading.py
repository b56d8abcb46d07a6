import pytest

from tests.corpus import absence
from tests.tools.accuracy.corpus import cases
from tests.tools.accuracy.loading import Loaded, Networks, count, load_case, share_in_full, shortfalls
from tests.tools.accuracy.real_models import MODELS, architecture_of, sizes_of

recorded = pytest.mark.skipif(absence() is not None, reason=str(absence()))


@pytest.fixture(scope="module")
def loads() -> list[Loaded]:
    networks = Networks()
    return [each for path in cases() if (each := load_case(path, networks, quickly=True))]


@recorded
def test_no_recorded_lora_changes_nothing_in_silence(loads: list[Loaded]) -> None:
    assert count(loads, "silent", after=True) == 0


@recorded
def test_whole_loras_take_full_effect(loads: list[Loaded]) -> None:
    assert shortfalls(loads) == []
    assert share_in_full(loads) >= 0.85


def lora(**fields: object) -> Loaded:
    given = {"case": "a", "architecture": "sdxl", "whole": True, "before": "silent", "after": "in full", **fields}
    return Loaded(**given)  # type: ignore[arg-type]


def test_a_thinned_lora_does_not_count_towards_the_share() -> None:
    assert share_in_full([lora(), lora(whole=False, after="in part")]) == 1.0
    assert share_in_full([lora(), lora(after="in part")]) == 0.5


def test_a_network_that_nobody_can_load_does_not_count_towards_the_share() -> None:
    assert share_in_full([lora(), lora(based=False, after="refused")]) == 1.0


def test_a_silent_load_falls_short() -> None:
    assert shortfalls([lora(after="silent", whole=False)]) == ["loading: a changes nothing in silence"]


def test_a_share_below_the_promise_falls_short() -> None:
    assert shortfalls([lora(after="refused")]) == ["loading: 0.0% of whole LoRAs in full, 95% wanted"]


def test_an_architecture_has_all_its_sizes() -> None:
    assert sizes_of("flux2") == ["flux2 dev", "flux2 klein 4b", "flux2 klein 9b"]
    assert {architecture_of(name) for name in MODELS} >= {"sd1", "sdxl", "flux1", "wan", "anima"}
