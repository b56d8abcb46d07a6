from __future__ import annotations

from connectors.ref import Ref
from hub_ui.library.collections import pair_up, with_halves
from tests.hub_ui.library.building import entry

HIGH, LOW = Ref.parse("civitai:1@10#100"), Ref.parse("civitai:1@10#101")
HALVES = {HIGH: LOW, LOW: HIGH}
high = entry(ref=HIGH, file="bus_high_noise.safetensors", architecture="wan", size=3)
low = entry(ref=LOW, file="bus_low_noise.safetensors", architecture="wan", size=4)
ink = entry(architecture="sdxl")


def test_two_halves_are_one_with_the_one_for_much_noise_first() -> None:
    for order in ((high, ink, low), (low, ink, high)):
        pairs = pair_up(order, HALVES.get)
        assert [(one.entries, one.missing) for one in pairs] == [((high, low), None), ((ink,), None)]
    assert pairs[0].size == 7


def test_a_half_whose_other_is_not_here_says_which_is_missing() -> None:
    assert [(one.entries, one.missing) for one in pair_up([low], HALVES.get)] == [((low,), HIGH)]


def test_only_what_may_be_a_half_is_asked_about() -> None:
    asked: list[Ref] = []
    pair_up([ink, high], lambda ref: asked.append(ref))
    assert asked == [HIGH]


def test_what_is_chosen_takes_its_other_half_along() -> None:
    assert with_halves([low, ink], [high, low, ink], HALVES.get) == (low, high, ink)
    assert with_halves([low, high], [high, low, ink], HALVES.get) == (low, high)
    assert with_halves([low], [low], HALVES.get) == (low,)
